"""A form that comes back: what was typed, and what is wrong with which field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.services.errors import ServiceError
from portal.web.language import Language


@dataclass(frozen=True)
class Form:
    """Values by field name as they were typed, messages by field name, and what concerns the whole form."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    message: str = ""

    def value(self, name: str, otherwise: str = "") -> str:
        """What stands in the field."""
        return self.values.get(name, otherwise)

    def wrong(self, name: str) -> tuple[str, ...]:
        """What is wrong with the field."""
        return self.errors.get(name, ())

    @property
    def count(self) -> int:
        """How many things are wrong."""
        return sum(len(found) for found in self.errors.values())


def refused(
    error: ServiceError, language: Language, values: Mapping[str, str], *, field_of: Mapping[str, str] | None = None
) -> Form:
    """The form with what a use case said against it; `field_of` gives the field of an error code that names none.

    Values whose field name contains `password` are never sent back.
    """
    korean = language == "ko"
    errors: dict[str, tuple[str, ...]] = {}
    for problem in error.problems:
        text = problem.message_ko if korean else problem.message_en
        errors[problem.path] = (*errors.get(problem.path, ()), text)
    message = error.message_ko if korean else error.message_en
    place = (field_of or {}).get(error.code)
    if place is not None:
        errors[place] = (*errors.get(place, ()), message)
    kept = {name: value for name, value in values.items() if "password" not in name}
    return Form(kept, errors, "" if errors else message)
