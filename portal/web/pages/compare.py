"""P12 and P18: runs, or models, side by side. The address says everything, so that whoever gets it sees the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Request, Response, get
from litestar.datastructures import State

from portal.domain.comparison import (
    ABSENT,
    FEWEST,
    FigureRow,
    MetricRow,
    SettingRow,
    figure_rows,
    metric_rows,
    setting_rows,
)
from portal.domain.lifecycle import TERMINAL
from portal.domain.lifecycle import State as WorkloadState
from portal.domain.metrics import REWARD
from portal.domain.resources_text import resources_text
from portal.domain.series import MOST_POINTS
from portal.services import comparing, modelview, workloads
from portal.services.comparing import Subject
from portal.services.models import STORED, ModelFilter
from portal.services.workloads import WorkloadFilter
from portal.spec.load import load_spec
from portal.web.catalogue import N_, translations
from portal.web.charts import Chart, line_of
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.csvfile import csv_file
from portal.web.frame import Frame
from portal.web.pageguards import VISIT
from portal.web.pages.comparewish import Wish
from portal.web.pages.modeladdress import model_path
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
CHOICES = 20


@dataclass(frozen=True)
class PickPage(PageContext):
    """Fewer than two are chosen: a list to choose from, (key, name, what it is) each."""

    template: ClassVar[str] = "models/compare_pick.html"
    nav: ClassVar[str] = "workloads"
    wish: Wish
    choices: tuple[tuple[str, str, str], ...]
    of_models: ClassVar[bool] = False


@dataclass(frozen=True)
class ComparePage(PageContext):
    """P12 and P18; `origin` begins every address of this portal, `of_models` says whether models are compared."""

    template: ClassVar[str] = "models/compare.html"
    nav: ClassVar[str] = "workloads"
    wish: Wish
    subjects: tuple[Subject, ...]
    base: int
    metrics: tuple[MetricRow, ...]
    settings: tuple[SettingRow, ...]
    chart: Chart | None
    origin: str
    figures: tuple[FigureRow, ...]
    of_models: ClassVar[bool] = False
    path_of = staticmethod(model_path)

    @property
    def link(self) -> str:
        """The address to hand to others."""
        return self.origin + self.wish.href

    @property
    def csv_href(self) -> str:
        """The same as CSV."""
        return f"{self.wish.path}.csv?{self.wish.query}"

    @property
    def is_live(self) -> bool:
        """Whether one of them may still report."""
        return any(WorkloadState(one.workload.state) not in TERMINAL for one in self.subjects)

    @property
    def has_several_apps(self) -> bool:
        """Whether metrics may differ in meaning."""
        return len({one.workload.app_id for one in self.subjects}) > 1

    @property
    def differing(self) -> tuple[SettingRow, ...]:
        """Settings that are not the same everywhere."""
        return tuple(row for row in self.settings if row.differs)

    @property
    def drawn(self) -> str:
        """The metric of the chart."""
        return _drawn(self.wish, self.metrics)

    def resources(self, one: Subject) -> str:
        """What the run asked for."""
        return resources_text(load_spec(one.workload.spec).spec)

    def shown(self, value: Any) -> str:
        """A setting as text."""
        return _text(value)

    def differs_from_base(self, row: SettingRow, index: int) -> bool:
        """Whether the value is not the base's."""
        return bool(row.values[index] != row.values[self.base])


class ModelPickPage(PickPage):
    """The same for models."""

    nav: ClassVar[str] = "models"
    of_models: ClassVar[bool] = True


class ModelComparePage(ComparePage):
    """The same for models."""

    nav: ClassVar[str] = "models"
    of_models: ClassVar[bool] = True


@get("/workloads/compare", guards=[VISIT], include_in_schema=False)
async def compare_runs(
    request: Asked, state: State, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P12."""
    wish = Wish.of(request, "/workloads/compare", "id")
    if len(wish.keys) < FEWEST:
        found = await workloads.page(session, actor, WorkloadFilter(state="completed"), 1, CHOICES)
        choices = tuple((one.id, one.name, f"{one.app.name} {one.app_version}") for one in found.items)
        return shown(frame, PickPage(wish, choices))
    subjects = await comparing.runs(session, actor, settings, state.store, wish.keys)
    figured = figure_rows(await comparing.figures(session, actor, subjects))
    return shown(frame, _page(ComparePage, wish, subjects, frame, settings.web.public_url, figured))


@get("/workloads/compare.csv", guards=[VISIT], include_in_schema=False)
async def compare_runs_csv(
    request: Asked, state: State, session: Session, actor: Asker, settings: SiteSettings
) -> Response[bytes]:
    """P12 as CSV."""
    wish = Wish.of(request, "/workloads/compare", "id")
    subjects = await comparing.runs(session, actor, settings, state.store, wish.keys)
    return _csv(wish, subjects, figure_rows(await comparing.figures(session, actor, subjects)))


@get("/models/compare", guards=[VISIT], include_in_schema=False)
async def compare_models(
    request: Asked, state: State, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P18."""
    wish = Wish.of(request, "/models/compare", "v")
    if len(wish.keys) < FEWEST:
        found = await modelview.page(session, actor, ModelFilter(state=STORED), 1, CHOICES)
        choices = tuple(
            (
                f"{one.model.app_id}:{one.model.version}",
                f"{one.model.name} v{one.model.version}",
                one.model.workload.app.name,
            )
            for one in found.items
        )
        return shown(frame, ModelPickPage(wish, choices))
    subjects = await comparing.versions(session, actor, settings, state.store, [_version(key) for key in wish.keys])
    figured = figure_rows(await comparing.figures(session, actor, subjects))
    return shown(frame, _page(ModelComparePage, wish, subjects, frame, settings.web.public_url, figured))


@get("/models/compare.csv", guards=[VISIT], include_in_schema=False)
async def compare_models_csv(
    request: Asked, state: State, session: Session, actor: Asker, settings: SiteSettings
) -> Response[bytes]:
    """P18 as CSV."""
    wish = Wish.of(request, "/models/compare", "v")
    subjects = await comparing.versions(session, actor, settings, state.store, [_version(key) for key in wish.keys])
    return _csv(wish, subjects, figure_rows(await comparing.figures(session, actor, subjects)))


def _version(key: str) -> tuple[str, int]:
    """`APP-X:3`; what is no version is one that does not exist."""
    app_id, _, number = key.rpartition(":")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return (app_id, int(number)) if is_number else (key, 0)


def _page(
    kind: type[ComparePage],
    wish: Wish,
    subjects: Sequence[Subject],
    frame: Frame,
    origin: str,
    found: tuple[FigureRow, ...],
) -> ComparePage:
    base = _base(wish, subjects)
    rows = metric_rows([one.metrics.series for one in subjects], base, wish.flipped)
    settings = setting_rows([one.settings for one in subjects])
    return kind(wish, tuple(subjects), base, rows, settings, _chart(wish, subjects, rows, frame), origin, found)


def _base(wish: Wish, subjects: Sequence[Subject]) -> int:
    return next((index for index, one in enumerate(subjects) if one.key == wish.base), 0)


def _drawn(wish: Wish, rows: Sequence[MetricRow]) -> str:
    """The asked metric, else the reward, else the first."""
    names = [row.name for row in rows]
    return next((name for name in (wish.metric, REWARD, *names) if name in names), "")


def _chart(wish: Wish, subjects: Sequence[Subject], rows: Sequence[MetricRow], frame: Frame) -> Chart | None:
    name = _drawn(wish, rows)
    if not name:
        return None
    words = translations(frame.language).gettext
    series = [(number, one, one.metrics.series.get(name, ())) for number, one in enumerate(subjects)]
    lines = tuple(
        line_of(f"{one.letter} {_title(one)}", points, number=number, smooth=True)
        for number, one, points in series
        if points
    )
    row = next(row for row in rows if row.name == name)
    said = [
        f"{one.letter} {frame.formats.number(cell.figures.last, 4)}"
        for one, cell in zip(subjects, row.cells, strict=True)
        if cell is not None
    ]
    summary = words(N_("Last values of %(metric)s: %(values)s.")) % {"metric": name, "values": ", ".join(said)}
    is_thinned = any(len(points) > MOST_POINTS for _, _, points in series)
    return Chart(name, words(N_("Episode")), name, lines, summary, is_thinned=is_thinned)


def _title(one: Subject) -> str:
    return f"{one.line.model.name} v{one.line.model.version}" if one.line else one.workload.name


def _text(value: Any) -> str:
    if value is ABSENT:
        return "—"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _csv(wish: Wish, subjects: Sequence[Subject], found: Sequence[FigureRow]) -> Response[bytes]:
    base = _base(wish, subjects)
    head = ("kind", "where", "name", *(f"{one.letter} {one.key}" for one in subjects))
    rows: list[tuple[object, ...]] = []
    rows.append(("base", "", "", *("base" if index == base else "" for index in range(len(subjects)))))
    for row in metric_rows([one.metrics.series for one in subjects], base, wish.flipped):
        for what in ("last", "last_mean"):
            values = (getattr(cell.figures, what) if cell else "" for cell in row.cells)
            rows.append(("metric", what, row.name, *values))
        rows.append(("metric", "best", row.name, *(cell.best if cell else "" for cell in row.cells)))
    rows += [("analysis", row.operator, row.name, *("" if v is None else v for v in row.values)) for row in found]
    rows.append(("cost", "", "seconds", *("" if one.seconds is None else round(one.seconds) for one in subjects)))
    rows.append(("cost", "", "gpu_hours", *("" if one.gpu_hours is None else one.gpu_hours for one in subjects)))
    for setting in setting_rows([one.settings for one in subjects]):
        if setting.differs or wish.same:
            values = ("" if value is ABSENT else _text(value) for value in setting.values)
            rows.append(("setting", setting.where, setting.path, *values))
    return csv_file("comparison.csv", head, rows)


ROUTES = [compare_runs, compare_runs_csv, compare_models, compare_models_csv]
