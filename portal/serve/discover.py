"""What a user of a cluster may use, asked of Slurm: account, QOS and partitions; options choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portal.serve.errors import ServeError
from slurm.inventory import CLOSED
from slurm.records import Association, PartitionRecord

SLURMS_OWN_QOS = "normal"
"""The QOS that every slurmdbd has; it counts where an association names none (slurmdbd(8))."""


@dataclass(frozen=True)
class Wish:
    """What the options ask for; empty: whatever Slurm offers."""

    account: str = ""
    qos: str = ""
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Granted:
    """What jobs are submitted with."""

    account: str
    qos: str
    partitions: tuple[str, ...]


def choose(
    user: str, associations: Sequence[Association], partitions: Sequence[PartitionRecord], wish: Wish
) -> Granted:
    """The default account and QOS unless others are asked for, and every open partition that takes both.

    Raises ServeError (no_association, no_account, no_qos, no_partition, partition_unusable).
    """
    if not associations:
        raise ServeError("no_association", user=user)
    account = wish.account or next((one.account for one in associations if one.is_default), associations[0].account)
    own = [one for one in associations if one.account == account]
    if not own:
        raise ServeError("no_account", account=account, accounts=_listed(one.account for one in associations))
    open_to_account = [
        one
        for one in partitions
        if one.state not in CLOSED
        and (not one.allow_accounts or account in one.allow_accounts)
        and any(grant.partition in ("", one.name) for grant in own)
    ]
    qos = _qos(own, open_to_account, wish.qos)
    usable = [one.name for one in open_to_account if not one.allow_qos or qos in one.allow_qos]
    for name in wish.partitions:
        if name not in usable:
            raise ServeError("partition_unusable", partition=name, account=account, qos=qos, partitions=_listed(usable))
    if not usable:
        raise ServeError("no_partition", account=account, qos=qos, partitions=_listed(one.name for one in partitions))
    return Granted(account, qos, wish.partitions or tuple(usable))


def _qos(own: Sequence[Association], partitions: Sequence[PartitionRecord], wanted: str) -> str:
    """The QOS asked for; else the first, the default before the others, that some partition takes."""
    defaults = [one.default_qos for one in own if one.default_qos]
    granted = list(dict.fromkeys([*defaults, *(name for one in own for name in one.qos)])) or [SLURMS_OWN_QOS]
    if wanted:
        if wanted not in granted:
            raise ServeError("no_qos", qos=wanted, all=_listed(granted))
        return wanted
    fits = (name for name in granted if any(not one.allow_qos or name in one.allow_qos for one in partitions))
    return next(fits, granted[0])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "-"
