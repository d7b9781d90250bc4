"""Every text that `one` itself says, in Korean and English; the labels are those of the pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

Language = Literal["ko", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    # states, phases and other values
    "state.submitted": ("접수됨", "Submitted"),
    "state.awaiting_approval": ("승인대기", "Awaiting approval"),
    "state.queued": ("대기", "Queued"),
    "state.running": ("실행 중", "Running"),
    "state.saving": ("실행 중", "Running"),
    "state.completed": ("완료", "Completed"),
    "state.failed": ("실패", "Failed"),
    "state.cancelled": ("취소", "Cancelled"),
    "state.rejected": ("반려", "Rejected"),
    "phase.checking": ("시작 전 확인", "Checks before start"),
    "phase.preparing": ("이미지 준비 중", "Preparing images"),
    "phase.slurm_pending": ("자원 대기 중", "Waiting for resources"),
    "phase.held": ("보류됨", "Held"),
    "phase.starting": ("시작 중", "Starting"),
    "phase.saving": ("결과 저장 중", "Saving results"),
    "phase.cancelling": ("취소 중", "Cancelling"),
    "phase.external": ("포털 밖 작업", "Outside job"),
    "priority.high": ("높음", "High"),
    "priority.normal": ("보통", "Normal"),
    "priority.low": ("낮음", "Low"),
    "test.pending": ("테스트 미실행", "Not run"),
    "test.running": ("테스트 실행 중", "Test running"),
    "test.passed": ("테스트 통과", "Test passed"),
    "test.failed": ("테스트 실패", "Test failed"),
    "decision.awaiting": ("승인대기", "Awaiting approval"),
    "decision.approved": ("승인", "Approved"),
    "decision.rejected": ("반려", "Rejected"),
    "decision.not_required": ("승인 불필요", "Approval not needed"),
    "node.active": ("Active", "Active"),
    "node.drain": ("Drain", "Drain"),
    "node.down": ("Down", "Down"),
    "node.reserved": ("예약됨", "Reserved"),
    "node.unknown": ("확인 불가", "Unknown"),
    "severity.error": ("오류", "error"),
    "severity.warning": ("경고", "warning"),
    # column heads
    "memory_used": ("메모리 최대 / 요청", "Memory peak / asked"),
    "max_rss": ("sacct MaxRSS", "sacct MaxRSS"),
    "cpus_used": ("CPU 평균 / 요청", "CPUs mean / asked"),
    "gpus_used": ("GPU 평균 / 요청", "GPU mean / asked"),
    "id": ("ID", "ID"),
    "name": ("이름", "Name"),
    "status": ("상태", "Status"),
    "app": ("App · 버전", "App · version"),
    "kind": ("유형", "Kind"),
    "priority": ("우선순위", "Priority"),
    "owner": ("신청자", "Applicant"),
    "submitted_at": ("신청일시", "Requested at"),
    "order": ("순서", "Order"),
    "workload": ("워크로드명", "Workload"),
    "resources": ("요청 자원", "Requested resources"),
    "reason": ("이유", "Reason"),
    "estimated_start": ("예상 시작", "Expected start"),
    "model": ("모델명", "Model"),
    "origin": ("원본 워크로드", "Workload"),
    "created_at": ("생성일시", "Created at"),
    "alias": ("별칭", "Alias"),
    "from_to": ("이동", "Moved"),
    "moved_by": ("옮긴 사람", "By"),
    "moved_at": ("일시", "At"),
    "why": ("사유", "Reason"),
    "note": ("메모", "Note"),
    "alias_given": ("{alias} 별칭은 이제 {app} v{version}입니다.", "{alias} is now {app} v{version}."),
    "alias_taken": ("{app} v{version}에서 {alias} 별칭을 뗐습니다.", "{app} v{version} has lost the alias {alias}."),
    "model_purge": ("{app} v{version}의 파일을 삭제합니다.", "The files of {app} v{version} are being deleted."),
    "model_save_again": ("{app} v{version}을(를) 다시 저장합니다.", "{app} v{version} is being saved again."),
    "note_saved": ("메모를 저장했습니다.", "Note saved."),
    "size": ("크기", "Size"),
    "file": ("파일", "File"),
    "image": ("이미지", "Image"),
    "digest": ("다이제스트", "Digest"),
    "component": ("컴포넌트", "Component"),
    "version": ("버전", "Version"),
    "app_version": ("App 버전", "App version"),
    "task": ("Task", "Task"),
    "image_state": ("이미지 상태", "Image state"),
    "default_resources": ("기본 자원", "Default resources"),
    "registered_by": ("등록자", "Registered by"),
    "registered_at": ("등록일시", "Registered at"),
    "deprecated_at": ("사용 중단", "Deprecated"),
    "description": ("설명", "Description"),
    "tags": ("태그", "Tags"),
    "change_note": ("변경 메모", "Change note"),
    "image.checking": ("확인 중", "Checking"),
    "image.verified": ("확인됨", "Verified"),
    "image.not_found": ("찾을 수 없음", "Not found"),
    "image.unreachable": ("레지스트리 연결 불가", "Registry unreachable"),
    "image.not_allowed": ("허용되지 않은 레지스트리", "Registry not allowed"),
    "image.unusable": ("사용할 수 없음", "Cannot be used"),
    "image.unchecked": ("확인 안 됨", "Not checked"),
    "component_kept": (
        "{name} {version}을(를) 라이브러리에 등록했습니다 ({id}).",
        "{name} {version} is in the library ({id}).",
    ),
    "component_deprecated": ("{name}의 사용을 중단했습니다.", "{name} is deprecated."),
    "component_restored": ("{name}을(를) 라이브러리에 다시 넣었습니다.", "{name} is in the library again."),
    "operator": ("Operator", "Operator"),
    "figures": ("수치", "Figures"),
    "operator_kept": ("Operator {name}을(를) 저장했습니다 ({ref}).", "Operator {name} is kept ({ref})."),
    "operator_archived": ("{name}을(를) 보관했습니다.", "{name} is archived."),
    "operator_restored": ("{name}의 보관을 해제했습니다.", "{name} is out of the archive."),
    "analysis_started": (
        "{workload}에 {name} 분석을 시작했습니다: {id}. 결과: one analyses show {id}",
        "{name} looks at {workload}: {id}. Results: one analyses show {id}",
    ),
    "node": ("노드", "Node"),
    "partitions": ("파티션", "Partitions"),
    "gpus": ("GPU 할당/전체", "GPUs allocated/total"),
    "cpus": ("CPU 할당/전체", "CPUs allocated/total"),
    "memory": ("메모리 할당/전체", "Memory allocated/total"),
    "scopes": ("범위", "Scopes"),
    "expires_at": ("만료", "Expires"),
    "last_used_at": ("마지막 사용", "Last used"),
    "prefix": ("접두사", "Prefix"),
    "step": ("컴포넌트", "Component"),
    "place": ("위치", "Place"),
    "problem": ("문제", "Problem"),
    "cure": ("할 일", "Cure"),
    "field": ("항목", "Field"),
    "value": ("값", "Value"),
    "decision": ("결정", "Decision"),
    "approval": ("승인 필요", "Needs approval"),
    "loop_test": ("최소 실행 테스트", "Minimal run test"),
    "slurm_jobs": ("Slurm 작업", "Slurm jobs"),
    "rerun_of": ("다시 실행한 원본", "Rerun of"),
    "spec_hash": ("스펙 해시", "Spec hash"),
    "time_limit": ("최대 실행 시간", "Time limit"),
    "failure": ("실패 원인", "Failure"),
    "role": ("역할", "Role"),
    "part": ("부분", "Part"),
    "says": ("설명", "Says"),
    "portal": ("포털", "portal"),
    # sentences
    "fake_gpus": ("모의 GPU", "Fake GPUs"),
    "as_of": ("기준 {time}", "As of {time}"),
    "slurm_unreachable": (
        "Slurm에 연결할 수 없습니다 ({time}부터). 마지막으로 확인된 값을 표시합니다.",
        "Slurm is unreachable (since {time}). Showing the last known values.",
    ),
    "unknown_since": ("{time}부터 확인 불가", "Unknown since {time}"),
    "nothing": ("조건에 맞는 항목이 없습니다.", "Nothing matches."),
    "more": ("{shown} / 전체 {total}건 (--page {next})", "{shown} of {total} (--page {next})"),
    "signed_in": ("{name} ({role})(으)로 로그인했습니다: {url}", "Signed in as {name} ({role}): {url}"),
    "signed_out": ("저장된 토큰을 지웠습니다.", "The stored token is removed."),
    "not_signed_in": (
        "먼저 로그인하세요: one login --url https://... (또는 ONE_URL과 ONE_TOKEN)",
        "Sign in first: one login --url https://... (or set ONE_URL and ONE_TOKEN)",
    ),
    "browser_login": (
        "브라우저에서 여세요: {address}\n터미널의 코드와 같은지 확인하세요: {code}",
        "Open in a browser: {address}\nCompare the code there with this one: {code}",
    ),
    "browser_login_over": (
        "10분 안에 승인되지 않았습니다. one login을 다시 실행하세요.",
        "Nobody said yes within ten minutes. Run one login again.",
    ),
    "no_token": ("토큰이 비어 있습니다.", "The token is empty."),
    "plain_http": (
        "경고: {url}은(는) 암호화되지 않은 연결입니다. 토큰이 그대로 전송됩니다.",
        "Warning: {url} is not encrypted; the token travels in the clear.",
    ),
    "open_credentials": (
        "{path}을(를) 다른 사용자가 읽을 수 있습니다. chmod 600 {path}",
        "{path} can be read by others. chmod 600 {path}",
    ),
    "unreachable": (
        "{url}에 연결할 수 없습니다: {why}. 실행 중인 작업은 계속됩니다.",
        "{url} is unreachable: {why}. Running jobs go on.",
    ),
    "bad_answer": ("{url}의 응답을 읽을 수 없습니다: {why}", "The answer of {url} cannot be read: {why}"),
    "request_id": ("요청 ID {id}", "Request id {id}"),
    "unreadable_file": ("{path}을(를) 읽을 수 없습니다: {why}", "{path} cannot be read: {why}"),
    "valid": ("{file}: 문제없습니다.", "{file}: no problems."),
    "invalid": ("{file}: 오류 {errors}건, 경고 {warnings}건", "{file}: {errors} errors, {warnings} warnings"),
    "submitted": ("제출했습니다: {id} ({state})", "Submitted: {id} ({state})"),
    "next": (
        "다음: one logs -f {id} · one why {id} · one cancel {id}",
        "Next: one logs -f {id} · one why {id} · one cancel {id}",
    ),
    "needs_approval": (
        "관리자 승인이 필요합니다: {reasons}. 먼저 최소 실행 테스트를 통과해야 합니다: one test {id}",
        "An administrator must approve this: {reasons}. The minimal run test must pass first: one test {id}",
    ),
    "would_need_approval": ("관리자 승인이 필요합니다: {reasons}", "An administrator must approve this: {reasons}"),
    "dry_run": ("제출하지 않았습니다 (--dry-run).", "Nothing was submitted (--dry-run)."),
    "state_now": ("{id}: {state}", "{id}: {state}"),
    "detached": (
        "화면만 떼었습니다. {id}은(는) 계속됩니다. 다시 보기: one logs -f {id} · 취소: one cancel {id}",
        "Detached; {id} goes on. Watch again: one logs -f {id} · Cancel: one cancel {id}",
    ),
    "reconnecting": ("연결이 끊겼습니다. 이어서 다시 연결합니다.", "Connection lost; resuming where it stopped."),
    "no_output": ("아직 출력이 없습니다.", "No output yet."),
    "cancelling": ("취소를 요청했습니다: {id} ({state})", "Cancel requested: {id} ({state})"),
    "approved": ("승인했습니다: {id} ({state}, {priority})", "Approved: {id} ({state}, {priority})"),
    "rejected": ("반려했습니다: {id}", "Rejected: {id}"),
    "test_started": ("테스트를 시작했습니다: {run} ({id}을(를) 위해)", "Test started: {run} (for {id})"),
    "priority_set": ("우선순위를 {priority}(으)로 바꿨습니다: {id}", "Priority of {id} is now {priority}"),
    "moved": ("순서를 바꿨습니다: {id}", "Moved: {id}"),
    "held": ("보류했습니다: {id}", "Held: {id}"),
    "released": ("보류를 풀었습니다: {id}", "Released: {id}"),
    "position": ("순서 {position}", "Position {position}"),
    "estimate": ("{time}경 (추정)", "about {time} (estimate)"),
    "downloaded": ("{path} ({size}, sha256 확인됨)", "{path} ({size}, sha256 verified)"),
    "already_there": ("{path}: 이미 있고 sha256이 같습니다.", "{path} is there already, sha256 verified."),
    "bad_sha256": (
        "{path}: sha256이 다릅니다. 받은 파일을 지웠습니다. 다시 시도하세요.",
        "{path}: sha256 differs. What was received is deleted. Try again.",
    ),
    "unsafe_path": ("{path}: 안전하지 않은 경로라 받지 않습니다.", "{path}: refused, an unsafe path."),
    "other_file": ("{path}: 다른 파일이 이미 있습니다.", "{path}: another file is there."),
    "no_model_files": ("모델에 그런 파일이 없습니다: {path}", "The model has no such file: {path}"),
    "image_removing": ("이미지를 지우도록 요청했습니다: {digest}", "Removal requested: {digest}"),
    "token_made": (
        "이 값은 다시 볼 수 없습니다. 사용: one login --token-stdin",
        "You will not see this again. Use: one login --token-stdin",
    ),
    "token_revoked": ("폐기했습니다: {prefix}", "Revoked: {prefix}"),
    "bad_set": ("--set은 KEY=VALUE 형식입니다: {text}", "--set wants KEY=VALUE: {text}"),
    "bad_param": (
        "--param은 TASK/NODE.params.NAME=VALUE 형식입니다: {text}",
        "--param wants TASK/NODE.params.NAME=VALUE: {text}",
    ),
    "version_line": ("Slurm {slurm} ({road}: {why}), REST {rest}", "Slurm {slurm} ({road}: {why}), REST {rest}"),
    "unknown_keys": (
        "Slurm 응답에서 OnE가 모르는 키를 읽지 않고 지나쳤습니다 (개수): {keys}",
        "Slurm's answers had keys that OnE does not know and passed over (how often): {keys}",
    ),
    "simulated": ("모의 클러스터", "Simulated cluster"),
    # one serve
    "serve_starting": ("시작하는 중입니다 …", "Starting ..."),
    "serve_simulated": (
        "모의 클러스터: 컨테이너도 GPU도 Slurm도 없습니다. 로그, 보상, 모델은 모두 연출된 것입니다.",
        "Simulated cluster: no container, no GPU and no Slurm. Logs, rewards and models are all played.",
    ),
    "serve_new": (
        "관리자 {name}을(를) 만들었습니다. 토큰은 {token} 파일에 있습니다 (본인만 읽을 수 있음).",
        "Made the administrator {name}. The token is in {token}, which only you can read.",
    ),
    "serve_login": (
        "다른 터미널에서: one login --url {url} --token-stdin < {token}",
        "In another terminal: one login --url {url} --token-stdin < {token}",
    ),
    "serve_demo": ("예제를 제출했습니다: {ids}", "Handed in the examples: {ids}"),
    "serve_folder": ("데이터: {folder} (로그: {log})", "Data: {folder} (log: {log})"),
    "serve_stop": ("Ctrl-C로 끝냅니다.", "Ctrl-C ends it."),
    "serve_stopped": (
        "끝냈습니다. 다시 시작하면 {folder}의 데이터로 이어집니다.",
        "Stopped. Started again, it goes on with the data in {folder}.",
    ),
    "serve_which": (
        "둘 중 하나가 필요합니다: --simulate (모의 클러스터), 또는 --shared DIR (실제 Slurm, 노드에서 보이는 본인 폴더).",
        "One of two is needed: --simulate (a simulated cluster), or --shared DIR (real Slurm; your folder that the nodes see).",
    ),
    "serve_demo_simulates": ("--demo는 --simulate와 함께만 씁니다.", "--demo goes with --simulate only."),
    "serve_real": (
        "실제 Slurm: 계정 {account}, QOS {qos}, 파티션 {partitions}. 작업은 본인 이름으로 제출되고 본인 한도에 듭니다.",
        "Real Slurm: account {account}, QOS {qos}, partitions {partitions}. Jobs are yours and count against your limits.",
    ),
    "serve_nodes_asked": (
        "노드에서 {shared}와(과) Apptainer가 보이는지 파티션마다 작은 작업 하나로 확인합니다: {partitions}",
        "Looking, with one small job a partition, whether the nodes see {shared} and have Apptainer: {partitions}",
    ),
    "serve_nodes_ok": (
        "파티션 {partition}: {host}에서 {shared}이(가) 보이고 {apptainer}이(가) 있습니다.",
        "Partition {partition}: {host} sees {shared} and has {apptainer}.",
    ),
    "serve_nodes_no_shared": (
        "파티션 {partition}: 작업 {job}이(가) 끝났지만 {shared}에 아무것도 남기지 않았습니다. 그 노드에서 폴더가 보이지 않거나 "
        "/usr/bin/python3이 없습니다. sacct -j {job} 를 보고, 모든 노드에서 같은 경로인 폴더를 --shared로 주세요.",
        "Partition {partition}: job {job} ended and left nothing in {shared}. Its node does not see the folder, or has no "
        "/usr/bin/python3. See sacct -j {job}, and give --shared a folder that has the same path on every node.",
    ),
    "serve_nodes_no_apptainer": (
        "{host}에서 {program}을(를) 쓸 수 없습니다 ({why}). 노드에 있는 경로를 --apptainer로 주거나 설치를 요청하세요.",
        "{host} cannot use {program} ({why}). Give --apptainer its path on the nodes, or ask your admins to install it.",
    ),
    "serve_nodes_refused": (
        "파티션 {partition}: Slurm이 확인 작업을 받지 않았습니다: {why}. 쓸 수 있는 파티션만 --partition으로 주세요.",
        "Partition {partition}: Slurm refused the job that looks: {why}. Give --partition those that take your jobs.",
    ),
    "serve_no_slurm": (
        "{program}이(가) 없습니다: 이 컴퓨터는 Slurm에 연결되어 있지 않습니다. 로그인 노드에서 시작하거나 --simulate를 쓰세요.",
        "There is no {program}: this host is not part of a Slurm cluster. Start it on a login node, or use --simulate.",
    ),
    "serve_no_slurmrestd": (
        "{program}이(가) 없습니다. 관리자에게 slurmrestd 설치를 요청하거나, 실행 중인 것의 소켓을 --slurmrestd로 주세요.",
        "There is no {program}. Ask your admins to install slurmrestd, or give --slurmrestd the socket of one that runs.",
    ),
    "serve_no_apptainer": (
        "{program}이(가) 없습니다. 먼저 불러오거나(module load apptainer) 그 경로를 --apptainer로 주세요.",
        "There is no {program}. Load it first (module load apptainer), or give its path with --apptainer.",
    ),
    "serve_no_token": (
        "Slurm이 토큰을 주지 않았습니다 ({why}). 직접 해 보세요: scontrol token. JWT가 꺼져 있으면 관리자에게 "
        "AuthAltTypes=auth/jwt를 요청하세요.",
        "Slurm gave no token ({why}). Try it yourself: scontrol token. If JWT is off, ask your admins for AuthAltTypes=auth/jwt.",
    ),
    "serve_slurm_silent": (
        "Slurm에서 계정과 파티션을 읽을 수 없습니다: {why}. 직접 해 보세요: sinfo; sacctmgr show associations user=$USER",
        "Accounts and partitions cannot be read from Slurm: {why}. Try: sinfo; sacctmgr show associations user=$USER",
    ),
    "serve_slurmrestd_ended": (
        "slurmrestd가 시작되지 않았거나 끝났습니다. 로그: {log}",
        "slurmrestd did not start, or ended by itself. Its log: {log}",
    ),
    "serve_no_association": (
        "Slurm 회계에 {user}의 연결(association)이 없습니다. 관리자에게 요청하세요: sacctmgr add user {user} account=...",
        "Slurm's accounting has no association of {user}. Ask your admins for: sacctmgr add user {user} account=...",
    ),
    "serve_no_account": (
        "{account}은(는) 본인의 Slurm 계정이 아닙니다. --account로 줄 수 있는 것: {accounts}",
        "{account} is no Slurm account of yours. For --account you have: {accounts}",
    ),
    "serve_no_qos": (
        "QOS {qos}은(는) 쓸 수 없습니다. --qos로 줄 수 있는 것: {all}",
        "You may not use the QOS {qos}. For --qos you have: {all}",
    ),
    "serve_no_partition": (
        "계정 {account}과(와) QOS {qos}을(를) 받는 파티션이 없습니다 (있는 것: {partitions}). --account나 --qos를 바꿔 보세요.",
        "No partition takes account {account} with QOS {qos} (there are: {partitions}). Try another --account or --qos.",
    ),
    "serve_partition_unusable": (
        "파티션 {partition}은(는) 계정 {account}과(와) QOS {qos}(으)로 쓸 수 없습니다. 쓸 수 있는 것: {partitions}",
        "Partition {partition} does not take account {account} with QOS {qos}. You may use: {partitions}",
    ),
    "serve_no_namespaces": (
        "이 컴퓨터는 사용자 네임스페이스를 허용하지 않아, 저장소를 다른 사용자에게서 지킬 수 없습니다. 관리자에게 "
        "user.max_user_namespaces를 요청하세요 (rootless Apptainer도 필요로 합니다).",
        "This host allows no user namespaces, so the storage cannot be kept from its other users. Ask your admins for "
        "user.max_user_namespaces (rootless Apptainer needs them too).",
    ),
    "serve_settings_wrong": ("설정이 맞지 않습니다: {why}", "The settings are wrong: {why}"),
    "serve_shared_unusable": (
        "{folder}을(를) 쓸 수 없습니다: {why}. 본인 소유이고 모든 노드에서 같은 경로로 보이는 폴더를 --shared로 주세요.",
        "{folder} cannot be used: {why}. Give --shared a folder that is yours and has the same path on every node.",
    ),
    "serve_folder_in_use": (
        "{folder}은(는) 다른 one serve(프로세스 {pid})가 쓰고 있습니다. 그것을 끝내거나 --data로 다른 폴더를 주세요.",
        "{folder} is used by another one serve (process {pid}). End that one, or give another folder with --data.",
    ),
    "serve_no_seaweedfs": (
        "저장소 SeaweedFS가 없습니다. 설치: pip install 'avatar-one[serve]'",
        "SeaweedFS, which stores models and logs, is not installed: pip install 'avatar-one[serve]'",
    ),
    "serve_port_taken": (
        "포트 {port}을(를) 열 수 없습니다 ({why}). --port로 다른 포트를 주세요 (0: 빈 포트).",
        "Port {port} cannot be opened ({why}). Give another one with --port (0: any free one).",
    ),
    "serve_seaweedfs_ended": (
        "저장소 SeaweedFS가 시작되지 않았거나 끝났습니다. 로그: {log}",
        "SeaweedFS did not start, or ended by itself. Its log: {log}",
    ),
    "serve_user_unusable": (
        "Unix 사용자 {user}(으)로는 쓸 수 없습니다: {why}",
        "The Unix user {user} cannot be used: {why}",
    ),
    "no_slurm": ("아직 Slurm 상태를 모릅니다.", "Nothing is known of Slurm yet."),
    "no_daemon": (
        "{seconds}초 동안 데몬이 확인을 마치지 못했습니다. 포털 호스트에서: systemctl status one-daemon",
        "The daemon has not answered for {seconds} s. On the portal's host: systemctl status one-daemon",
    ),
    "compared": ("최근 {days}일을 비교했습니다: {counts}", "Compared the last {days} days: {counts}"),
    "audit_intact": (
        "온전합니다: 봉인 {seals}개, 기록 {rows}건, 만료 {expired}건, 봉인 전 {unsealed}건, S3 봉인 {heads}개",
        "Intact: {rows} rows under {seals} seals, {expired} expired, {unsealed} not sealed yet, {heads} heads in S3",
    ),
    "audit_broken": (
        "온전하지 않습니다: 봉인 {seals}개, 맞는 기록 {rows}건, 만료 {expired}건, 봉인 전 {unsealed}건, S3 봉인 {heads}개",
        "NOT INTACT: {rows} rows as they were, {seals} seals, {expired} expired, {unsealed} not sealed yet, {heads} heads in S3",
    ),
    "audit_more": ("! 그 밖에 {count}건", "! and {count} more"),
    "audit_head": ("체인의 끝: {head} ({time})", "Head of the chain: {head} ({time})"),
    "repair_done": ("{code} {id}: 처리됨", "{code} {id}: mended"),
    "repair_agreed": ("{code} {id}: 이미 일치합니다", "{code} {id}: nothing was left to mend"),
    "repair_refused": ("{code} {id}: 거부됨", "{code} {id}: refused"),
    "how_to_mend": ("고치기", "Mend"),
    "no_editors": ("{app}: 공동 편집자가 없습니다.", "{app} has no co-editors."),
    "findings": ("문제 {count}건", "{count} findings"),
    "all_well": ("문제가 없습니다.", "Everything works."),
    "all_agree": (
        "문제가 없습니다. 포털, Slurm, 저장소가 일치합니다.",
        "Everything works; portal, Slurm and storage agree.",
    ),
    "shell_not_yours": (
        "{id}은(는) 본인의 워크로드가 아닙니다. 셸은 소유자만 열 수 있습니다.",
        "{id} is not yours: only its owner can have a shell in it.",
    ),
    "shell_other_user": (
        "작업은 Unix 사용자 {user}(으)로 실행됩니다. {user}(으)로 로그인해 실행하거나 --print로 명령만 보세요.",
        "The job runs as Unix user {user}. Run this as {user}, or see the command with --print.",
    ),
    "shell_no_srun": (
        "이 컴퓨터에는 srun이 없습니다. 로그인 노드에서 실행하거나 --print로 명령만 보세요.",
        "There is no srun here. Run this on a login node, or see the command with --print.",
    ),
    "shell_not_running": ("{id}은(는) 실행 중이 아닙니다: {state}", "{id} is not running: {state}"),
    "shell_which": (
        "--component로 하나를 고르세요. 실행 중: {running}",
        "Name one with --component. Running: {running}",
    ),
    "shell_ended": ("{step}은(는) 실행 중이 아닙니다 ({state}).", "{step} is not running ({state})."),
    "shell_no_rank": ("{step}의 --rank는 0~{last}입니다.", "--rank of {step} is 0 to {last}."),
    "maintenance_on": (
        "점검 중: 새 작업을 Slurm에 넘기지 않습니다 ({time}부터, {by}: {reason}). 실행 중인 작업은 계속됩니다.",
        "Maintenance: nothing new is handed to Slurm (since {time}, {by}: {reason}). Running jobs go on.",
    ),
    "maintenance_off": (
        "점검 중이 아닙니다. 작업을 Slurm에 넘깁니다.",
        "Maintenance is off: work is handed to Slurm.",
    ),
    "workload_counts": ("워크로드: {counts}", "Workloads: {counts}"),
}


class Words:
    """The texts in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._index = 0 if language == "ko" else 1

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`, filled in."""
        return _WORDS[key][self._index].format(**values)

    def value(self, kind: str, code: str) -> str:
        """What people call a code (`state`, `queued` -> 대기); an unknown code stays itself."""
        known = _WORDS.get(f"{kind}.{code}")
        return known[self._index] if known else code


def chosen_language(option: str | None, environment: Mapping[str, str] = os.environ) -> Language:
    """`--lang`, else ONE_LANG, else the locale (LC_ALL, LC_MESSAGES, LANG); Korean unless one says English."""
    for value in (option, environment.get("ONE_LANG")):
        if value:
            return "en" if value.lower().startswith("en") else "ko"
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "en" if locale.lower().startswith("en") else "ko"
