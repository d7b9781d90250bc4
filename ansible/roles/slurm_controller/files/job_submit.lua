-- Keep the queue of portal jobs in the hands of administrators.
--
-- The portal orders its jobs by QOS and nice and marks each with a comment that starts with "one:". Slurm lets the
-- owner of a job change both (and its comment, priority and hold); this rule refuses that for marked jobs. Operators,
-- root and the portal's own operator user are not the owner, so they pass. Time limits and cancelling are untouched.
--
-- Unset numbers arrive as slurm.NO_VAL; nice arrives shifted by 2^31 (Slurm 24.11 to 26.05).

local PORTAL_MARK = "one:"
local NICE_OFFSET = 2147483648

local function is_portal_job(job_rec)
    return job_rec.comment ~= nil and string.sub(job_rec.comment, 1, #PORTAL_MARK) == PORTAL_MARK
end

local function number_is_set(value)
    return value ~= nil and value ~= slurm.NO_VAL and value ~= slurm.NO_VAL - NICE_OFFSET
end

local function first_refused_field(job_desc)
    if number_is_set(job_desc.nice) then return "nice" end
    if number_is_set(job_desc.priority) then return "priority or hold" end
    if job_desc.qos ~= nil then return "QOS" end
    if job_desc.comment ~= nil then return "comment" end
    return nil
end

function slurm_job_submit(job_desc, part_list, submit_uid)
    return slurm.SUCCESS
end

function slurm_job_modify(job_desc, job_rec, part_list, modify_uid)
    if modify_uid ~= job_rec.user_id or not is_portal_job(job_rec) then
        return slurm.SUCCESS
    end
    local field = first_refused_field(job_desc)
    if field == nil then
        return slurm.SUCCESS
    end
    slurm.log_user("the portal orders this job: its owner may not change its %s; ask an administrator", field)
    return slurm.ERROR
end

return slurm.SUCCESS
