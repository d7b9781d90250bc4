"""What became of a failed workload: one document with its cause, and the sentence that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STEP_CAUSES = {
    "exit": ("종료 코드 {exit_code}", "exit {exit_code}"),
    "signal": ("시그널 {signal}", "signal {signal}"),
    "out_of_memory": ("종료 코드 {exit_code}, 메모리 부족", "exit {exit_code}, out of memory"),
    "time_limit": ("시간 초과", "time limit"),
    "not_ready": ("준비되지 않음", "did not become ready"),
    "port_taken": ("포트가 이미 사용 중", "its port is taken"),
    "launch": ("시작하지 못함", "could not be launched"),
}
_CAUSES = {
    "time_limit": ("시간 초과: 최대 실행 시간에 이르렀습니다.", "Time limit: the workload used up its time limit."),
    "node_failure": ("노드 장애: {node}", "Node failure: {node}"),
    "out_of_memory": ("메모리 부족으로 멈췄습니다.", "Stopped for lack of memory."),
    "image": ("이미지 준비 실패: {image}: {message}", "Image failed: {image}: {message}"),
    "no_plan": ("배치할 수 없음: {message_ko}", "No plan: {message_en}"),
    "refused": ("Slurm이 작업을 받지 않았습니다: {message}", "Slurm refused the job: {message}"),
    "run_gone": (
        "{workload}의 실행 폴더가 없어 분석할 수 없습니다. 결과 파일은 정해진 기간이 지나면 지워집니다.",
        "The run directory of {workload} is gone, so there is nothing to analyse: files are kept for a limited time.",
    ),
    "no_report": (
        "실행기가 마지막 보고를 남기지 못했습니다 (Slurm 상태 {slurm_state}).",
        "The runner left no final report (Slurm state {slurm_state}).",
    ),
    "not_begun": (
        "작업을 시작할 수 없었습니다. 실행 폴더를 쓸 수 없었을 수 있습니다. 이유는 시스템 로그에 있습니다.",
        "The job could not begin; perhaps its run directory could not be written. The system log has the reason.",
    ),
    "report_refused": (
        "실행기의 보고를 믿을 수 없어 쓰지 않았습니다 (Slurm 상태 {slurm_state}): {what}",
        "The runner's report cannot be believed and was not used (Slurm state {slurm_state}): {what}",
    ),
    "contradicted": (
        "실행기는 성공했다고 보고했지만 Slurm 상태는 {slurm_state}입니다.",
        "The runner reported success, but Slurm's state is {slurm_state}.",
    ),
    "step": ("먼저 멈춘 컴포넌트: {step} ({how_ko})", "Died first: {step} ({how_en})"),
}


class _Known(dict[str, Any]):
    """Format values; an absent one is shown as unknown instead of failing."""

    def __missing__(self, key: str) -> str:
        return "?"


def step_failure(first: Mapping[str, Any]) -> dict[str, Any]:
    """The failure document of a step that died first (an attempt report's `first_failure`)."""
    ko, en = _STEP_CAUSES.get(str(first.get("reason")), ("{reason}", "{reason}"))
    values = _Known(first)
    return {"cause": "step", **first, "how_ko": ko.format_map(values), "how_en": en.format_map(values)}


def words_of(failure: Mapping[str, Any]) -> tuple[str, str]:
    """(Korean, English) sentence of a failure document."""
    ko, en = _CAUSES.get(str(failure.get("cause")), ("{cause}: {message}", "{cause}: {message}"))
    values = _Known({key: value for key, value in failure.items() if value is not None})
    return ko.format_map(values), en.format_map(values)
