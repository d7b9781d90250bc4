"""Where settings come from, and which source wins."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from portal.settings import Settings
from tests.settingsreference import FILE, reference


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file and a credentials folder as systemd hands them over."""
    (tmp_path / "portal.toml").write_text('[s3]\nendpoint = "store:9000"\naccess_key = "one-daemon"\n')
    monkeypatch.setenv("ONE_SETTINGS", str(tmp_path / "portal.toml"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_secrets_are_credential_files_named_like_the_setting(site: Path) -> None:
    (site / "s3_secret_key").write_text("only-here\n")
    (site / "database_password").write_text("and-here")
    (site / "jwt_hs256.key").write_text("not a setting")
    settings = Settings()
    assert settings.s3_secret_key.get_secret_value() == "only-here"
    assert settings.database_password.get_secret_value() == "and-here"
    assert "only-here" not in repr(settings)


def test_the_environment_wins_over_the_file_key_by_key(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_S3__ACCESS_KEY", "one-web")
    settings = Settings()
    assert (settings.s3.endpoint, settings.s3.access_key) == ("store:9000", "one-web")


def test_a_key_that_does_not_exist_is_named(site: Path) -> None:
    (site / "portal.toml").write_text('[s3]\nendpiont = "store:9000"\n')
    with pytest.raises(ValidationError, match=r"s3\.endpiont"):
        Settings()


def test_the_reference_is_what_the_code_says() -> None:
    assert FILE.read_text() == reference(), "make settings-reference"
