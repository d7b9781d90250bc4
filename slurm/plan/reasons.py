"""Why a plan has the form it has, in words."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Reason(NamedTuple):
    """One sentence or two, in English and Korean."""

    en: str
    ko: str


def reason_asked(form: Literal["together", "staged"], ratio: float, *, known: bool) -> Reason:
    """The user chose the form."""
    names = {
        "together": ("in one job", "한 작업으로"),
        "staged": ("cut into jobs that follow each other", "이어지는 작업으로 나누어"),
    }
    en, ko = names[form]
    return Reason(
        f"you asked for it {en}: it is expected to hold {ratio:.1f} times the GPU time that it uses{_basis_en(known)}",
        f"{ko} 실행하도록 선택했습니다. 사용하는 GPU 시간의 {ratio:.1f}배를 점유할 것으로 예상합니다{_basis_ko(known)}",
    )


def reason_smallest(ratio: float, *, known: bool) -> Reason:
    """The user gave up parallelism."""
    return Reason(
        f"smallest allocation: components of one GPU type take turns in one group, expected to hold {ratio:.1f} times "
        f"the GPU time that it uses{_basis_en(known)}",
        f"최소 자원 배치: GPU 유형이 같은 컴포넌트가 한 묶음을 차례로 씁니다. 사용하는 GPU 시간의 {ratio:.1f}배를 점유할 것으로 "
        f"예상합니다{_basis_ko(known)}",
    )


def reason_within(ratio: float, limit: float, *, known: bool) -> Reason:
    """One job is within the site's limit."""
    return Reason(
        f"one job is expected to hold {ratio:.1f} times the GPU time that it uses, within the site's limit of {limit:g}; "
        f"nothing waits in the middle{_basis_en(known)}",
        f"한 작업으로 잡아도 사용하는 GPU 시간의 {ratio:.1f}배로 한도 {limit:g}배 안이며, 중간에 기다리지 "
        f"않습니다{_basis_ko(known)}",
    )


def reason_cut(together: float | None, ratio: float, limit: float, *, known: bool) -> Reason:
    """One job would hold too much (`together`), or there are not enough nodes for it (None)."""
    if together is None:
        return Reason(
            f"there are not enough nodes for all groups at once; cut into jobs that follow each other it is expected to "
            f"hold {ratio:.1f} times the GPU time that it uses{_basis_en(known)}",
            f"모든 묶음을 동시에 담을 노드가 부족합니다. 이어지는 작업으로 나누면 사용하는 GPU 시간의 "
            f"{ratio:.1f}배를 점유할 것으로 예상합니다{_basis_ko(known)}",
        )
    return Reason(
        f"one job would hold {together:.1f} times the GPU time that it uses, over the site's limit of {limit:g}; cut into "
        f"jobs that follow each other it is {ratio:.1f} times{_basis_en(known)}",
        f"한 작업으로 잡으면 사용하는 GPU 시간의 {together:.1f}배로 한도 {limit:g}배를 넘습니다. 이어지는 작업으로 나누면 "
        f"{ratio:.1f}배입니다{_basis_ko(known)}",
    )


def reason_uncut(ratio: float, limit: float, *, known: bool) -> Reason:
    """One job holds too much, but no cut helps."""
    return Reason(
        f"one job is expected to hold {ratio:.1f} times the GPU time that it uses, over the site's limit of {limit:g}, but "
        f"its parts run together and cannot be cut apart{_basis_en(known)}",
        f"한 작업이 사용하는 GPU 시간의 {ratio:.1f}배를 점유하여 한도 {limit:g}배를 넘지만, 함께 실행되는 부분이라 나눌 수 "
        f"없습니다{_basis_ko(known)}",
    )


def _basis_en(known: bool) -> str:
    return " (medians of earlier runs)" if known else " (durations are not known yet and taken as equal)"


def _basis_ko(known: bool) -> str:
    return " (이전 실행의 중앙값 기준)." if known else " (실행 시간 기록이 부족해 같다고 보았습니다)."
