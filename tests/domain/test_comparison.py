"""Runs side by side: which is best, by how much, and which settings differ."""

from __future__ import annotations

from portal.domain.comparison import ABSENT, flat, lower_is_better, metric_rows, setting_rows

A = {"reward": ((1.0, 1.0), (2.0, 5.0), (3.0, 4.0)), "loss": ((1.0, 0.5),)}
B = {"reward": ((1.0, 2.0), (2.0, 6.0))}


def test_the_best_is_marked_and_the_distance_is_to_the_base() -> None:
    reward, loss = metric_rows([A, B, {}], base=0)
    first, second, third = reward.cells
    assert first is not None
    assert second is not None
    assert (first.figures.last, first.best, first.delta, first.is_best) == (4.0, 5.0, 0.0, False)
    assert (second.figures.last, second.best, second.delta, second.is_best) == (6.0, 6.0, 2.0, True)
    assert third is None, "not recorded"
    (only, *rest) = loss.cells
    assert only is not None
    assert (only.is_best, rest) == (False, [None, None]), "of one there is no best"


def test_a_base_without_the_metric_has_no_distance() -> None:
    reward, _ = metric_rows([{}, A], base=0)
    assert reward.cells[1] is not None
    assert reward.cells[1].delta is None


def test_losses_fall_and_a_turned_metric_is_better_the_other_way() -> None:
    assert [
        lower_is_better(name) for name in ("loss", "val_loss", "policy/loss", "mse", "reward", "closs", "lossless")
    ] == [
        True,
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    (turned,) = metric_rows([{"reward": A["reward"]}, B], base=1, flipped={"reward"})
    assert turned.lower_is_better
    assert [cell is not None and (cell.is_best, cell.best) for cell in turned.cells] == [(True, 1.0), (False, 2.0)]


def test_equal_last_values_are_both_best() -> None:
    (row,) = metric_rows([B, B], base=0)
    assert [cell is not None and cell.is_best for cell in row.cells] == [True, True]


def content(rate: float, **params: object) -> dict[str, object]:
    component = {"node_id": "C", "image": "sha256:1", "resources": {"cpus": 1}, "params": params, "command": None}
    task = {"task_id": "T", "components": [component], "workflow": [], "after": []}
    return {"format": 1, "tasks": [task], "env_vars": {}, "training_config": {"learning_rate": rate}, "storage": None}


def test_settings_that_differ_and_those_that_only_one_has() -> None:
    rows = setting_rows([flat(content(0.1, depth=2)), flat(content(0.2)), {}])
    by_path = {(row.where, row.path): row for row in rows}
    assert by_path["", "training_config.learning_rate"].values == (0.1, 0.2, ABSENT)
    assert by_path["T/C", "params.depth"].values == (2, ABSENT, ABSENT)
    assert by_path["T/C", "image"].differs, "a run whose spec is not known differs"
    assert rows[0].where == "", "the App's first"
    same = setting_rows([flat(content(0.1, depth=2)), flat(content(0.1, depth=2))])
    assert not any(row.differs for row in same)


def test_lists_are_one_value() -> None:
    rows = setting_rows([flat(content(0.1, layers=[1, 2])), flat(content(0.1, layers=[2, 1]))])
    assert [row.path for row in rows if row.differs] == ["params.layers"]
