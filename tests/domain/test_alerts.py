"""Rules and dashboard as files: what Ansible installs is what the code writes, and each rule has a case for promtool."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from portal.domain import dashboard
from portal.domain.alerts import RULES, rule_file

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "lab" / "monitoring" / "alerts-test.yml"


def test_the_installed_rules_are_the_written_ones() -> None:
    """`portal-admin alert-rules > ansible/roles/prometheus/files/one-rules.yml` writes them."""
    assert (ROOT / "ansible/roles/prometheus/files/one-rules.yml").read_text() == rule_file()


def test_the_file_says_what_the_rules_say() -> None:
    (group,) = yaml.safe_load(rule_file())["groups"]
    for rule, written in zip(RULES, group["rules"], strict=True):
        assert (written["alert"], written["expr"], written["for"]) == (rule.name, rule.expr, rule.hold)
        assert written["labels"] == {"severity": rule.severity}
        assert written["annotations"] == {"summary": rule.summary, "action": rule.action}


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert set(re.findall(r"alertname: (\w+)", CASES.read_text())) == {rule.name for rule in RULES}
    assert {rule.severity for rule in RULES} <= {"critical", "warning", "info"}


def test_panels_lie_beside_each_other() -> None:
    document = dashboard.document()
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _y in cells) < dashboard.COLUMNS
        taken |= cells
    numbers = [panel["id"] for panel in document["panels"]]
    assert numbers == sorted(set(numbers))
