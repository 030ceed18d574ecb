"""Data keys are made once, never lie in clear, and do not open under another key-encryption key."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
from collections.abc import Callable

import pytest

from shoplake.errors import KeyAccessError
from shoplake.home import HomePaths
from shoplake.keys.keyring import Keyring
from shoplake.keys.providers import ENVIRONMENT_NAME, FileProvider
from shoplake.settings import Settings

MAKE = """
import sys
from pathlib import Path
from shoplake.keys.keyring import Keyring
from shoplake.settings import load_settings
ring = Keyring.open(load_settings(Path(sys.argv[1])))
sys.stdin.readline()
for number in range(20):
    print(ring.current(f"key_{number}").secret.hex())
"""


@pytest.fixture
def ring(settings: Settings) -> Keyring:
    """Give the keyring of a fresh home."""
    return Keyring.open(settings)


def test_a_key_is_the_same_whenever_the_keyring_is_opened(ring: Keyring, settings: Settings) -> None:
    key = ring.current("lake_pos")
    assert (key.name, key.version, len(key.secret)) == ("lake_pos", 1, 32)
    assert Keyring.open(settings).current("lake_pos") == key
    assert ring.current("lake_inventory").secret != key.secret


def test_a_new_version_is_current_and_the_old_one_still_opens(ring: Keyring) -> None:
    old = ring.current("lake_pos")
    ring.new_versions(["lake_pos"])
    new = ring.current("lake_pos")
    assert (new.version, ring.versions("lake_pos")) == (2, [1, 2])
    assert new.secret != old.secret
    assert ring.get("lake_pos", 1) == old


def test_versions_sort_by_number_past_nine(ring: Keyring) -> None:
    for _ in range(11):
        ring.new_versions(["lake_pos"])
    assert ring.current("lake_pos").version == 11
    assert ring.versions("lake_pos") == list(range(1, 12))


def test_a_retired_version_is_gone_for_good(ring: Keyring, settings: Settings) -> None:
    ring.current("lake_pos")
    ring.new_versions(["lake_pos"])
    ring.retire("lake_pos", 1)
    for keyring in (ring, Keyring.open(settings)):
        with pytest.raises(KeyAccessError, match="version 1"):
            keyring.get("lake_pos", 1)
        assert keyring.versions("lake_pos") == [2]


def test_names_list_the_data_keys_only(ring: Keyring) -> None:
    before = set(ring.names())
    ring.current("lake_pos")
    assert set(ring.names()) - before == {"lake_pos"}


def test_the_keyring_holds_no_secret_in_clear_and_only_its_owner_may_read_it(ring: Keyring, settings: Settings) -> None:
    secret = ring.current("lake_pos").secret
    file = HomePaths(settings.home).keyring
    data = file.read_bytes()
    assert secret not in data
    assert secret.hex().encode() not in data
    assert base64.b64encode(secret) not in data
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_does_not_show_its_secret(ring: Keyring) -> None:
    key = ring.current("lake_pos")
    shown = f"{key!r} {key}"
    assert "lake_pos" in shown
    assert key.secret.hex() not in shown
    assert repr(key.secret) not in shown


def test_under_a_wrong_key_nothing_opens_and_nothing_changes(
    settings: Settings, make_home: Callable[..., Settings]
) -> None:
    Keyring.open(settings).current("lake_pos")
    before = HomePaths(settings.home).keyring.read_bytes()
    other = FileProvider(HomePaths(make_home("other").home).keys)
    FileProvider(HomePaths(settings.home).keys).path.write_bytes(other.path.read_bytes())
    for way in (Keyring.open, Keyring.create):
        with pytest.raises(KeyAccessError, match="wrong key"):
            way(settings)
    assert HomePaths(settings.home).keyring.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"keys": []}', b'{"keys": {}}'])
def test_a_damaged_keyring_fails_closed(settings: Settings, data: bytes) -> None:
    HomePaths(settings.home).keyring.write_bytes(data)
    with pytest.raises(KeyAccessError):
        Keyring.open(settings)
    assert HomePaths(settings.home).keyring.read_bytes() == data


def test_a_missing_keyring_fails_closed(settings: Settings) -> None:
    HomePaths(settings.home).keyring.unlink()
    with pytest.raises(KeyAccessError, match="no keyring"):
        Keyring.open(settings)


def test_a_wrapped_key_does_not_open_under_another_name_or_version(ring: Keyring, settings: Settings) -> None:
    ring.current("lake_pos")
    ring.current("lake_web_events")
    file = HomePaths(settings.home).keyring
    document = json.loads(file.read_bytes())
    keys = document["keys"]
    keys["lake_pos"]["2"] = keys["lake_pos"]["1"]
    keys["lake_pos"]["1"] = keys["lake_web_events"]["1"]
    file.write_text(json.dumps(document))
    for version in (1, 2):
        with pytest.raises(KeyAccessError):
            Keyring.open(settings).get("lake_pos", version)


def test_a_new_wrapping_keeps_every_data_key_and_shuts_out_the_old_one(ring: Keyring, settings: Settings) -> None:
    provider = FileProvider(HomePaths(settings.home).keys)
    ring.current("lake_pos")
    ring.new_versions(["lake_pos"])
    secrets = [ring.get("lake_pos", version).secret for version in (1, 2)]
    old = provider.path.read_bytes()
    ring.rotate_wrapping()
    assert provider.path.read_bytes() != old
    assert [Keyring.open(settings).get("lake_pos", version).secret for version in (1, 2)] == secrets
    assert ring.current("made_later").secret == Keyring.open(settings).current("made_later").secret
    provider.path.write_bytes(old)
    with pytest.raises(KeyAccessError):
        Keyring.open(settings)


@pytest.mark.parametrize("stop_at", ["_save", "adopt_next"])
def test_a_wrapping_that_is_cut_off_loses_nothing_and_can_be_done_again(
    ring: Keyring, settings: Settings, monkeypatch: pytest.MonkeyPatch, stop_at: str
) -> None:
    secret = ring.current("lake_pos").secret

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keyring if stop_at == "_save" else FileProvider, stop_at, cut_off)
        with pytest.raises(KeyboardInterrupt):
            ring.rotate_wrapping()
    assert Keyring.open(settings).current("lake_pos").secret == secret
    Keyring.open(settings).rotate_wrapping()
    assert Keyring.open(settings).current("lake_pos").secret == secret
    assert not FileProvider(HomePaths(settings.home).keys).next_path.exists()


def test_the_environment_key_is_rotated_by_moving_the_next_one_up(
    make_home: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = base64.b64encode(b"1" * 32).decode(), base64.b64encode(b"2" * 32).decode()
    monkeypatch.setenv(ENVIRONMENT_NAME, one)
    settings = make_home("by_environment", kek_provider="environment")
    secret = Keyring.open(settings).current("lake_pos").secret
    assert not FileProvider(HomePaths(settings.home).keys).path.exists()
    monkeypatch.setenv(f"{ENVIRONMENT_NAME}_NEXT", two)
    Keyring.open(settings).rotate_wrapping()
    assert Keyring.open(settings).current("lake_pos").secret == secret
    monkeypatch.setenv(ENVIRONMENT_NAME, two)
    monkeypatch.delenv(f"{ENVIRONMENT_NAME}_NEXT")
    assert Keyring.open(settings).current("lake_pos").secret == secret
    monkeypatch.setenv(ENVIRONMENT_NAME, one)
    with pytest.raises(KeyAccessError):
        Keyring.open(settings)


def test_two_processes_that_need_a_new_key_at_once_make_one(settings: Settings) -> None:
    command = [sys.executable, "-c", MAKE, str(settings.home)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=60)[0].split() for process in running]
    ring = Keyring.open(settings)
    assert printed == [[ring.get(f"key_{number}", 1).secret.hex() for number in range(20)]] * 3
