"""Account, QOS and partitions out of what Slurm says of a user."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.serve.discover import Granted, Wish, choose
from portal.serve.errors import ServeError
from slurm.records import Association, PartitionRecord
from tests.slurm.client.replay import VERSIONS, calls

OWN = Association("lab", "", ("normal", "one-low"), "normal", is_default=True)
OTHER = Association("class", "", ("class",), "", is_default=False)
EVERYBODY = frozenset[str]()
A100 = PartitionRecord("a100", "UP", None, EVERYBODY, EVERYBODY, ("gpu1",))
V100 = replace(A100, name="v100", allow_qos=frozenset({"one-low"}))
CLOSED = replace(A100, name="old", state="DOWN")
CLASS = replace(A100, name="class", allow_accounts=frozenset({"class"}))
ALL = (A100, V100, CLOSED, CLASS)


@pytest.mark.parametrize(
    ("wish", "granted"),
    [
        (Wish(), Granted("lab", "normal", ("a100",))),
        (Wish(qos="one-low"), Granted("lab", "one-low", ("a100", "v100"))),
        (Wish(qos="one-low", partitions=("v100",)), Granted("lab", "one-low", ("v100",))),
        (Wish(account="class"), Granted("class", "class", ("a100", "class"))),
    ],
)
def test_what_a_user_gets(wish: Wish, granted: Granted) -> None:
    assert choose("kim", (OTHER, OWN), ALL, wish) == granted


def test_a_default_qos_that_no_partition_takes_gives_way() -> None:
    assert choose("kim", (OWN,), (V100,), Wish()) == Granted("lab", "one-low", ("v100",))


def test_an_association_of_one_partition_opens_that_one() -> None:
    assert choose("kim", (replace(OWN, partition="a100"),), (A100, replace(A100, name="b")), Wish()).partitions == (
        "a100",
    )


def test_without_any_qos_slurms_own_counts() -> None:
    assert choose("kim", (replace(OWN, qos=(), default_qos=""),), (A100,), Wish()).qos == "normal"


@pytest.mark.parametrize(
    ("associations", "partitions", "wish", "code", "says"),
    [
        ((), ALL, Wish(), "no_association", "kim"),
        ((OWN, OTHER), ALL, Wish(account="root"), "no_account", "lab, class"),
        ((OWN,), ALL, Wish(qos="vip"), "no_qos", "normal, one-low"),
        ((OWN,), (CLOSED, CLASS), Wish(), "no_partition", "old, class"),
        ((OWN,), ALL, Wish(partitions=("v100",)), "partition_unusable", "a100"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(
    associations: tuple[Association, ...], partitions: tuple[PartitionRecord, ...], wish: Wish, code: str, says: str
) -> None:
    with pytest.raises(ServeError) as caught:
        choose("kim", associations, partitions, wish)
    assert caught.value.code == code
    assert says in caught.value.facts.values()


@pytest.mark.parametrize("version", VERSIONS)
def test_as_every_recorded_slurm_says_it(version: str) -> None:
    made, _ = calls(version, "associations", "partitions")
    found = made.associations("kim")
    assert [(one.account, one.default_qos, one.is_default, one.partition) for one in found] == [
        ("lab", "normal", True, "")
    ]
    assert choose("kim", found, made.partitions(), Wish()).partitions == ("a100", "v100")
    assert calls(version, "associations-none")[0].associations("kim") == ()
