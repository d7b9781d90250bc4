"""References: what is taken, what is refused, and that a spec's two fields stay two fields."""

from __future__ import annotations

import pytest

from containers.errors import InvalidReference, RegistryNotAllowed
from containers.reference import Reference, check_allowed, check_digest, from_spec, parse

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.avatar.io/env-sim:1.0", Reference("registry.avatar.io", "env-sim", "1.0", None)),
        ("localhost:5000/a/b__c:x", Reference("localhost:5000", "a/b__c", "x", None)),
        ("localhost/a", Reference("localhost", "a", "latest", None)),
        ("docker.io/library/debian", Reference("docker.io", "library/debian", "latest", None)),
        (f"registry.avatar.io/env-sim@{DIGEST}", Reference("registry.avatar.io", "env-sim", None, DIGEST)),
        (f"registry.avatar.io/env-sim:1.0@{DIGEST}", Reference("registry.avatar.io", "env-sim", "1.0", DIGEST)),
        ("[2001:db8::1]:5000/a:1", Reference("[2001:db8::1]:5000", "a", "1", None)),
    ],
)
def test_reads_and_writes_back(text: str, expected: Reference) -> None:
    assert parse(text) == expected
    assert parse(str(expected)) == expected


HOSTILE = [
    "",
    "env-sim:1.0",  # no registry: never guessed
    "library/debian",
    "registry.avatar.io",
    "registry.avatar.io/",
    "registry.avatar.io/Env:1.0",
    "registry.avatar.io/env-sim:1.0\n",
    "registry.avatar.io/env-sim:1.0\n--foo",
    "registry.avatar.io/env-sim:\0",
    "registry.avatar.io/env sim:1.0",
    "registry.avatar.io/$(id):1",
    "registry.avatar.io/`id`",
    "registry.avatar.io/a;id",
    "registry.avatar.io/../../etc/passwd",
    "registry.avatar.io//a",
    "registry.avatar.io/a:" + "t" * 129,
    "registry.avatar.io/a@sha256:zz",
    "registry.avatar.io/a@sha512:" + "ab" * 64,
    "registry.avatar.io/a@" + DIGEST.upper(),
    "registry.avatar.io/컴포넌트:1.0",
    "registry.avatar.io/a:\u0661",
    "docker://registry.avatar.io/a",
    "user:password@registry.avatar.io/a",
    "-registry.avatar.io/a",
    "--help",
    "/etc/passwd",
    "https://registry.avatar.io/a",
    'registry.avatar.io/a:"1"',
    "registry.avatar.io/" + "a" * 70000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_refused_with_a_short_reason(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    assert caught.value.text in text
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)


def test_spec_fields_become_one_reference() -> None:
    assert str(from_spec("registry.avatar.io/env-sim", "1.0")) == "registry.avatar.io/env-sim:1.0"


@pytest.mark.parametrize(
    ("registry", "tag"),
    [
        ("registry.avatar.io/env-sim", f"1.0@{DIGEST}"),
        (f"registry.avatar.io/env-sim@{DIGEST}", "1.0"),
        ("registry.avatar.io/env-sim:2.0", "1.0"),
        ("registry.avatar.io", "5000/env-sim"),
        ("registry.avatar.io/env-sim", ""),
        ("registry.avatar.io/env-sim", "1.0 "),
    ],
)
def test_spec_fields_cannot_leak_into_each_other(registry: str, tag: str) -> None:
    with pytest.raises(InvalidReference):
        from_spec(registry, tag)


def test_pinning_takes_sha256_only() -> None:
    reference = parse("registry.avatar.io/env-sim:1.0")
    assert str(reference.pinned(DIGEST)) == f"registry.avatar.io/env-sim:1.0@{DIGEST}"
    for wrong in ("", "sha256:", DIGEST + "\n", "md5:" + "a" * 32, "../" + DIGEST):
        with pytest.raises(InvalidReference):
            reference.pinned(wrong)
        with pytest.raises(InvalidReference):
            check_digest(wrong)


def test_allowed_registries_are_exact() -> None:
    reference = parse("registry.avatar.io/env-sim:1.0")
    check_allowed(reference, ["other.example", "Registry.Avatar.io"])
    for listed in ((), ("avatar.io",), ("registry.avatar.io:5000",), ("registry.avatar.io.evil.example",)):
        with pytest.raises(RegistryNotAllowed) as caught:
            check_allowed(reference, listed)
        assert caught.value.registry == "registry.avatar.io"
        assert caught.value.allowed == listed
