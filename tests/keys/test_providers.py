"""A key-encryption key is 32 bytes, from a file of its owner alone or from the environment."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from shoplake.errors import KeyAccessError
from shoplake.keys.providers import ENVIRONMENT_NAME, EnvironmentProvider, FileProvider, provider
from shoplake.settings import load_settings

ONE, TWO = base64.b64encode(b"1" * 32).decode(), base64.b64encode(b"2" * 32).decode()


@pytest.fixture
def keys(tmp_path: Path) -> FileProvider:
    """Give a file provider with a key."""
    made = FileProvider(tmp_path)
    made.create()
    return made


def test_a_made_key_is_random_and_only_its_owner_may_read_it(keys: FileProvider, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = FileProvider(tmp_path / "other")
    other.create()
    assert len(keys.load()) == 32
    assert keys.load() != other.load()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_an_existing_key_is_never_overwritten(keys: FileProvider) -> None:
    before = keys.load()
    keys.create()
    assert keys.load() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_can_read_is_refused_until_it_is_closed(keys: FileProvider, mode: int) -> None:
    keys.path.chmod(mode)
    with pytest.raises(KeyAccessError) as caught:
        keys.load()
    assert f"chmod 600 {keys.path}" in caught.value.hint
    keys.path.chmod(0o600)
    assert len(keys.load()) == 32


@pytest.mark.parametrize("data", [b"", b"not base64!", base64.b64encode(b"short"), base64.b64encode(b"l" * 33)])
def test_a_file_that_holds_no_key_is_refused_without_showing_what_it_holds(keys: FileProvider, data: bytes) -> None:
    keys.path.write_bytes(data)
    with pytest.raises(KeyAccessError, match="does not hold a key") as caught:
        keys.load()
    assert not data or data.decode() not in caught.value.message + caught.value.hint


def test_a_missing_key_is_refused(keys: FileProvider) -> None:
    keys.path.unlink()
    with pytest.raises(KeyAccessError, match="cannot be read"):
        keys.load()


def test_the_next_key_stays_the_same_until_it_is_adopted(keys: FileProvider) -> None:
    old = keys.load()
    following = keys.prepare_next()
    assert keys.prepare_next() == following != old
    assert keys.load() == old
    assert keys.candidates() == [old, following]
    assert stat.S_IMODE(keys.next_path.stat().st_mode) == 0o600
    keys.adopt_next()
    assert keys.candidates() == [following]
    assert not keys.next_path.exists()


def test_the_environment_gives_the_key_and_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_NAME, ONE)
    monkeypatch.delenv(f"{ENVIRONMENT_NAME}_NEXT", raising=False)
    keys = EnvironmentProvider()
    assert keys.candidates() == [b"1" * 32]
    with pytest.raises(KeyAccessError, match=f"{ENVIRONMENT_NAME}_NEXT"):
        keys.prepare_next()
    monkeypatch.setenv(f"{ENVIRONMENT_NAME}_NEXT", TWO)
    assert keys.prepare_next() == b"2" * 32
    assert keys.candidates() == [b"1" * 32, b"2" * 32]


@pytest.mark.parametrize("value", ["", "a word", "c2hvcnQ=", ONE[:-4]])
def test_an_environment_without_a_key_is_refused_without_showing_its_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(ENVIRONMENT_NAME, value)
    with pytest.raises(KeyAccessError) as caught:
        EnvironmentProvider().create()
    assert ENVIRONMENT_NAME in caught.value.message
    assert not value or value not in caught.value.message + caught.value.hint


def test_the_settings_choose_the_provider(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert isinstance(provider(settings), FileProvider)
    assert isinstance(provider(settings.model_copy(update={"kek_provider": "environment"})), EnvironmentProvider)
