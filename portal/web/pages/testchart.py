"""The chart of a minimal run test: its reward per episode, and the straight line that fits best."""

from __future__ import annotations

from gettext import NullTranslations

from portal.db.models import LoopTest
from portal.web.catalogue import N_
from portal.web.charts import Chart, Line
from portal.web.formats import Formats


def rewards(test: LoopTest | None, catalogue: NullTranslations, fmt: Formats) -> Chart | None:
    """None where there is no test, or its rewards are not known one by one."""
    series = ((test.results or {}) if test else {}).get("rewards")
    if not series:
        return None
    words = catalogue.gettext
    points = [(float(episode), None if value is None else float(value)) for episode, value in series]
    known = [value for _, value in points if value is not None]
    summary = words(N_("%(count)s episodes: the reward goes from %(first)s to %(last)s.")) % {
        "count": len(points),
        "first": fmt.number(known[0] if known else None, 1),
        "last": fmt.number(known[-1] if known else None, 1),
    }
    title = words(N_("Reward per episode"))
    lines = (Line(title, points), *_trend(words(N_("Trend line")), points))
    return Chart(title, words(N_("Episode")), words(N_("Reward")), lines, summary)


def _trend(name: str, points: list[tuple[float, float | None]]) -> tuple[Line, ...]:
    """Least squares over the finite rewards; none for fewer than two."""
    known = [(x, y) for x, y in points if y is not None]
    if len(known) < 2:
        return ()
    mean_x, mean_y = (sum(column) / len(known) for column in zip(*known, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in known)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in known) / spread
    return (Line(name, [(x, mean_y + slope * (x - mean_x)) for x, _ in points], colour=5, dashed=True),)
