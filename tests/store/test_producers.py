"""Producers: a key shown once, of which nothing but a hash is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shoplake.cli.main import shoplake
from shoplake.errors import InputError, NotFoundError
from shoplake.settings import Settings
from shoplake.store.engine import Store
from shoplake.store.producers import Producers, key_id_of


def test_a_key_fits_its_producer_and_no_other(store: Store) -> None:
    producers = Producers(store)
    keys = [producers.add(name, ["web_events"]) for name in ("one", "two")]
    one, two = producers.list()
    assert key_id_of(keys[0]) == one.key_id
    assert one.fits(keys[0])
    assert two.fits(keys[1])
    assert not one.fits(keys[1])
    assert not one.fits("")
    assert key_id_of("nonsense") == ""


def test_names_are_taken_once_and_revoked_for_good(store: Store) -> None:
    producers = Producers(store)
    producers.add("one", ["web_events", "web_events"], rate_limit=5)
    producers.revoke("one")
    (one,) = producers.list()
    assert (one.sources, one.rate_limit, one.revoked_at is not None) == (("web_events",), 5, True)
    producers.revoke("one")
    assert producers.list() == [one]
    with pytest.raises(InputError):
        producers.add("one", ["web_events"])
    with pytest.raises(NotFoundError):
        producers.revoke("two")


def call(settings: Settings, *arguments: str) -> str:
    done = CliRunner().invoke(shoplake, ["--home", str(settings.home), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands_print_the_key_once(settings: Settings) -> None:
    made = json.loads(call(settings, "producers", "add", "web", "--source", "web_events", "--format", "json"))
    assert made["sources"] == ["web_events"]
    listed = call(settings, "producers", "list", "--format", "json")
    assert json.loads(listed)[0]["name"] == "web"
    assert made["key"].split("_", 2)[2] not in listed
    call(settings, "producers", "revoke", "web")
    assert json.loads(call(settings, "producers", "list", "--format", "json"))[0]["revoked_at"]
    secret = made["key"].encode()
    assert not [p for p in Path(settings.home).rglob("*") if p.is_file() and secret in p.read_bytes()]


def test_a_source_that_is_no_stream_has_no_producers(settings: Settings) -> None:
    with pytest.raises(InputError, match="no stream source 'pos'"):
        call(settings, "producers", "add", "till", "--source", "pos")
    assert json.loads(call(settings, "drain", "--format", "json")) == []
