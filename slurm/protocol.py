"""The agent's protocol: one JSON object a line each way, every value in it checked against its type.

{"verb": "cancel", "owner": "kim", "job_id": 12, "graceful": true}
{"ok": true, "result": null}
{"ok": false, "error": "refused", "message": "Invalid qos specification", "code": 2066}
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from slurm.errors import NotPermitted, ProtocolError, SlurmError, SlurmRefused, SlurmUnreachable
from slurm.records import AccountingRow, ClusterVersion, PrioritySetup, Snapshot, Standing
from slurm.submission import Submission

MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""Slurm takes a script of 4 MB at most (measured, 26.05.5); JSON may escape every character of it."""

JobId = Annotated[int, Field(gt=0, lt=2**32)]
JobIds = Annotated[tuple[JobId, ...], Field(min_length=1, max_length=100_000)]
Word = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f]+$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VersionRequest(_Request):
    """What is at the other end."""

    verb: Literal["version"] = "version"


class SubmitRequest(_Request):
    """Hand a job to Slurm."""

    verb: Literal["submit"] = "submit"
    submission: Submission


class CancelRequest(_Request):
    """Cancel a whole job, or signal its runner."""

    verb: Literal["cancel"] = "cancel"
    owner: Word
    job_id: JobId
    graceful: bool


class SetPriorityRequest(_Request):
    """Write QOS and nice."""

    verb: Literal["set_priority"] = "set_priority"
    job_ids: JobIds
    qos: Word
    nice: Annotated[int, Field(ge=-(2**31) + 3, le=2**31 - 3)]


class HoldRequest(_Request):
    """Hold or release."""

    verb: Literal["hold"] = "hold"
    job_ids: JobIds
    held: bool


class AnnotateRequest(_Request):
    """Write one component's AdminComment in accounting."""

    verb: Literal["annotate"] = "annotate"
    job_id: JobId
    text: Annotated[str, Field(min_length=1, max_length=1024)]


class SnapshotRequest(_Request):
    """Nodes, partitions and live jobs."""

    verb: Literal["snapshot"] = "snapshot"


class AccountingRequest(_Request):
    """Accounting rows of leaders."""

    verb: Literal["accounting"] = "accounting"
    job_ids: JobIds


class FindRequest(_Request):
    """Leaders by name."""

    verb: Literal["find"] = "find"
    user: Word
    account: Word
    name: Word


class CheckAssociationRequest(_Request):
    """Who may submit where."""

    verb: Literal["check_association"] = "check_association"
    user: Word
    account: Word
    qos: tuple[Word, ...]


class PrioritySetupRequest(_Request):
    """How Slurm weighs jobs."""

    verb: Literal["priority_setup"] = "priority_setup"


Request = (
    VersionRequest
    | SubmitRequest
    | CancelRequest
    | SetPriorityRequest
    | HoldRequest
    | AnnotateRequest
    | SnapshotRequest
    | AccountingRequest
    | FindRequest
    | CheckAssociationRequest
    | PrioritySetupRequest
)

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="verb")])
RESULTS: dict[str, TypeAdapter[Any]] = {
    "version": TypeAdapter(ClusterVersion),
    "submit": TypeAdapter(tuple[int, ...]),
    "cancel": TypeAdapter(None),
    "set_priority": TypeAdapter(None),
    "hold": TypeAdapter(None),
    "annotate": TypeAdapter(None),
    "snapshot": TypeAdapter(Snapshot),
    "accounting": TypeAdapter(tuple[AccountingRow, ...]),
    "find": TypeAdapter(tuple[int, ...]),
    "check_association": TypeAdapter(Standing),
    "priority_setup": TypeAdapter(PrioritySetup),
}
ERRORS: dict[str, type[SlurmError]] = {
    "unreachable": SlurmUnreachable,
    "not_permitted": NotPermitted,
    "refused": SlurmRefused,
    "protocol": ProtocolError,
}
"""Error words and the exceptions they stand for, the special before the general."""


def encode_request(request: Request) -> bytes:
    """One line."""
    return _REQUEST.dump_json(request) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises ProtocolError naming every field that is wrong (never its value, which may be long or secret)."""
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ProtocolError(f"not a request: {problems}") from error


def encode_result(verb: str, result: Any) -> bytes:
    """One line of a verb's good answer."""
    return b'{"ok":true,"result":' + RESULTS[verb].dump_json(result) + b"}\n"


def encode_error(error: SlurmError) -> bytes:
    """One line of a no; an error of no word is "protocol"."""
    word = next((word for word, kind in ERRORS.items() if isinstance(error, kind)), "protocol")
    answer = {"ok": False, "error": word, "message": str(error), "code": getattr(error, "code", None)}
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"


def decode_answer(verb: str, line: bytes) -> Any:
    """The result. Raises the error that the answer stands for, ProtocolError for an answer of no known shape."""
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return RESULTS[verb].validate_python(answer["result"])
        kind, message, code = ERRORS[answer["error"]], str(answer["message"]), answer["code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"the agent's answer to {verb} has no known shape: {line[:200]!r}") from error
    raise kind(message, code=code) if issubclass(kind, SlurmRefused) else kind(message)
