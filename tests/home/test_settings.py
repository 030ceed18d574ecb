"""Settings come from the defaults, the home's file and the environment, in that order; a bad one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shoplake.errors import SettingsError
from shoplake.settings import Settings, load_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder, and an environment without settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SHOPLAKE_{name.upper()}", raising=False)
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / "settings.toml").write_text(text, encoding="utf-8")


def test_without_a_file_the_defaults_hold(home: Path) -> None:
    settings = load_settings(home)
    assert (settings.timezone, settings.currency, settings.quarantine_limit_ratio) == ("UTC", "EUR", 0.05)
    assert settings.kek_provider == "file"
    assert not settings.keep_landed_files


def test_the_file_overrides_the_defaults_and_the_environment_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, 'timezone = "Europe/Berlin"\ncurrency = "CHF"\n')
    monkeypatch.setenv("SHOPLAKE_CURRENCY", "USD")
    settings = load_settings(home)
    assert (settings.timezone, settings.currency) == ("Europe/Berlin", "USD")


def test_the_home_is_the_given_one_even_when_the_file_or_the_environment_names_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, 'home = "/elsewhere"\n')
    monkeypatch.setenv("SHOPLAKE_HOME", "/nowhere")
    assert load_settings(home).home == home


def test_the_environment_names_the_home_when_none_is_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPLAKE_HOME", str(home / "named"))
    assert load_settings().home == home / "named"


def test_without_any_name_the_home_lies_in_the_working_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert load_settings().home == home / ".shoplake"


def test_a_relative_home_becomes_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    settings = load_settings(Path("lake"))
    monkeypatch.chdir("/")
    assert settings.home == home / "lake"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('timezone = "Mars/Olympus"', "timezone"),
        ('currency = "euro"', "currency"),
        ("quarantine_limit_ratio = 1.5", "quarantine_limit_ratio"),
        ("threads = 0", "threads"),
        ("session_gap_minutes = -1", "session_gap_minutes"),
        ('kek_provider = "paper"', "kek_provider"),
        ("no_such_setting = 1", "no_such_setting"),
        ('collector_allowed_origins = ["https://shop.example/"]', "collector_allowed_origins"),
        ('collector_allowed_origins = ["shop.example"]', "collector_allowed_origins"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_where_to_correct_it(home: Path, line: str, name: str) -> None:
    write(home, line)
    with pytest.raises(SettingsError) as caught:
        load_settings(home)
    assert name in caught.value.message
    assert str(home / "settings.toml") in caught.value.hint
    assert f"SHOPLAKE_{name.upper()}" in caught.value.hint


def test_a_bad_value_in_the_environment_is_refused_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPLAKE_THREADS", "many")
    with pytest.raises(SettingsError, match="threads"):
        load_settings(home)


@pytest.mark.parametrize("data", [b"timezone = ", b'timezone = "\xff\xfe"', b"\x00\x01"])
def test_a_file_that_is_not_toml_is_refused_by_name(home: Path, data: bytes) -> None:
    (home / "settings.toml").write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        load_settings(home)
    assert str(home / "settings.toml") in caught.value.message


def test_a_file_that_cannot_be_read_is_refused_by_name(home: Path) -> None:
    (home / "settings.toml").mkdir()
    with pytest.raises(SettingsError) as caught:
        load_settings(home)
    assert str(home / "settings.toml") in caught.value.message


def test_settings_cannot_be_changed_once_loaded(home: Path) -> None:
    settings = load_settings(home)
    with pytest.raises(ValidationError, match="frozen"):
        settings.currency = "USD"
    assert settings.currency == "EUR"
