"""What a use case can answer instead of a result; each has a code and plain words with the next step, in both languages.

ServiceError
├── Unauthenticated  no token, or one that is unknown, expired or revoked (401)
├── NotFound     absent, or not visible to the asker (404: never 403 for what one may not even see)
├── Forbidden    visible, but the role, scope or ownership is missing (403)
├── Conflict     the object is not in the state this needs (409)
├── Invalid      the input is wrong; `problems` name each place and its cure (422)
├── TooMany      a per-user limit is used up (429)
└── Unavailable  storage, registry or Slurm does not answer now (503)
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.spec.problems import Problem


class ServiceError(Exception):
    """Base: `code` is stable and machine-readable, the messages are for people."""

    status = 500

    def __init__(self, code: str, message_en: str, message_ko: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message_en)
        self.code = code
        self.message_en = message_en
        self.message_ko = message_ko
        self.problems = tuple(problems)


class Unauthenticated(ServiceError):
    """Who asks is not known: no token, or one that no longer counts."""

    status = 401


class NotFound(ServiceError):
    """The object is absent or not visible."""

    status = 404

    def __init__(self, object_type: str, object_id: str) -> None:
        super().__init__(
            "not_found",
            f"Not found, or not visible to you: {object_type} {object_id}",
            f"찾을 수 없거나 볼 수 없는 항목입니다: {object_type} {object_id}",
        )


class Forbidden(ServiceError):
    """The asker lacks the role, the scope or the ownership."""

    status = 403


class Conflict(ServiceError):
    """The object is not in the state that this needs."""

    status = 409


class Invalid(ServiceError):
    """The input is wrong."""

    status = 422


def invalid_field(field: str, code: str, message_en: str, message_ko: str) -> Invalid:
    """One field of a form is wrong: the same words for the form's summary and at the field."""
    return Invalid(code, message_en, message_ko, [Problem(field, code, message_ko, message_en, "", "")])


class TooMany(ServiceError):
    """A per-user limit is used up; `code` is the limit's name in the settings, `retry_after_s` when it may have room."""

    status = 429

    def __init__(self, code: str, message_en: str, message_ko: str, *, retry_after_s: int) -> None:
        super().__init__(code, message_en, message_ko)
        self.retry_after_s = retry_after_s


class Unavailable(ServiceError):
    """A service that this needs does not answer now."""

    status = 503
