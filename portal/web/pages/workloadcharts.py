"""The charts of a workload's page: the reward with its goals, and every other number that a component reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portal.domain.series import MOST_POINTS, Figures, figures
from portal.services.useseries import UsePoint
from portal.services.workloadview import REWARD, RunView, StepView
from portal.web.catalogue import N_
from portal.web.charts import COLOURS, Chart, Goal, line_of
from portal.web.formats import Formats

Words = Callable[[str], str]
OVERVIEW_POINTS = 500
MOST_CHARTS = 40
DIGITS = 4
_SUMMARY = N_(
    "%(name)s of %(step)s: %(count)s values, now %(last)s, best %(best)s at %(best_at)s, "
    "mean of the last tenth %(mean)s."
)


def reward_chart(view: RunView, fmt: Formats, words: Words, *, most: int = OVERVIEW_POINTS) -> Chart | None:
    """The reward that the run reports; None before the first one."""
    reward = view.reward
    if reward is None:
        return None
    return _chart(REWARD, reward.step, reward.points, view, fmt, words, most=most)


def metric_charts(view: RunView, fmt: Formats, words: Words) -> tuple[Chart, ...]:
    """One chart a component and key, rewards first; the more there are, the fewer points each has."""
    found = sorted(_series(view), key=lambda one: one[0] != REWARD)[:MOST_CHARTS]
    most = max(OVERVIEW_POINTS, MOST_POINTS // max(1, len(found) // 2))
    return tuple(_chart(key, step, points, view, fmt, words, most=most) for key, step, points in found)


def use_charts(view: RunView, fmt: Formats, words: Words) -> tuple[Chart, ...]:
    """CPU, memory, GPU and GPU memory over time, a line a component; what nobody measured has no chart."""
    found = (_use_chart(title, unit, value, view, fmt, words) for title, unit, value in _MEASURES)
    return tuple(chart for chart in found if chart is not None)


def _use_chart(
    title: str, unit: str, value: Callable[[UsePoint], float | None], view: RunView, fmt: Formats, words: Words
) -> Chart | None:
    lines, lasts, is_thinned = [], [], False
    for step in view.steps:
        seen = [(point.t * 1000, value(point)) for point in view.now.usage.get(step.step, ())]
        points = [(t, number) for t, number in seen if number is not None]
        if points:
            lines.append(line_of(step.name, points, number=(step.number - 1) % COLOURS, most=OVERVIEW_POINTS))
            lasts.append(f"{step.name} {fmt.number(max(number for _, number in points), 2)}")
            is_thinned = is_thinned or len(points) > OVERVIEW_POINTS
    if not lines:
        return None
    named = f"{words(title)} ({unit})"
    summary = words(N_("Most of each component: %(values)s %(unit)s.")) % {"values": ", ".join(lasts), "unit": unit}
    return Chart(named, words(N_("Time")), unit, tuple(lines), summary, time=True, zero=True, is_thinned=is_thinned)


_MIB = 1024
_MEASURES: tuple[tuple[str, str, Callable[[UsePoint], float | None]], ...] = (
    ("CPU", "cores", lambda point: point.cores),
    (N_("Memory"), "GiB", lambda point: point.rss_mib / _MIB),
    ("GPU", "%", lambda point: point.gpu_percent),
    (N_("GPU memory"), "GiB", lambda point: None if point.gpu_mib is None else point.gpu_mib / _MIB),
)


def _series(view: RunView) -> Iterator[tuple[str, StepView, tuple[tuple[float, float], ...]]]:
    for step in view.steps:
        for key, points in view.now.series.get(step.step, {}).items():
            yield key, step, points


def _chart(
    key: str,
    step: StepView,
    points: tuple[tuple[float, float], ...],
    view: RunView,
    fmt: Formats,
    words: Words,
    *,
    most: int,
) -> Chart:
    line = line_of(step.name, points, number=(step.number - 1) % COLOURS, smooth=True, most=most)
    goals = [one.goal for one in view.goals if one.goal.metric == key]
    found = figures(points)
    return Chart(
        title=key,
        x=words(N_("Episode")),
        y=key,
        lines=(line,),
        summary=_summary(key, step, found, fmt, words) if found else "",
        goals=tuple(Goal(f"{words(N_('Goal'))} {fmt.number(one.value, DIGITS)}", one.value) for one in goals),
        is_thinned=len(line.points) < len(points),
    )


def _summary(key: str, step: StepView, found: Figures, fmt: Formats, words: Words) -> str:
    return words(_SUMMARY) % {
        "name": key,
        "step": step.name,
        "count": fmt.number(found.count),
        "last": fmt.number(found.last, DIGITS),
        "best": fmt.number(found.best, DIGITS),
        "best_at": fmt.number(found.best_at, 1),
        "mean": fmt.number(found.last_mean, DIGITS),
    }
