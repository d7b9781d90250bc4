"""The rules of a workload's life; no IO.

lifecycle    State, Phase, LIVE, TERMINAL, check_transition(before, to) -> event;  raises IllegalTransition
permissions  may(person, Permission.X, facts), granted(person, facts)
approval     approval_reasons(spec, thresholds), approve_refusal(...), default_sizes(...), sizes_for_test(...)
convergence  judge(rewards), mann_kendall(values);  looptest  rl_result, general_result, loop_test: the loopTest JSON
priority     PriorityScale: level + rank -> QOS + nice, move(ranks, start, end);  scheme_problems(...)
reasons      explain(Slurm's reason code, Facts) -> Reason(kind, code, text_ko, text_en)
events       read_run(step ids of each job, lines of each runner) -> runreport.RunReport;  succeeded(report, leaders)
"""
