"""Hostile SQL of every role: nothing of others, of the machine or of the service is shown, nothing is written.

`make test` asks a sample, `make proof` all of the corpus. Every statement goes the whole way, in a process of its own.
"""

from __future__ import annotations

import base64
import hashlib
import random
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shoplake.access.identity import Identity
from shoplake.access.rights import Rights
from shoplake.access.sandbox import Question, Sandbox
from shoplake.access.sandbox.staging import FILE_MODE, FOLDER_MODE
from shoplake.audit.recording import log_of
from shoplake.errors import QueryError, QueryTimeout, ShoplakeError, WorkerLost
from shoplake.home import HomePaths
from shoplake.keys.keyring import Keyring
from shoplake.keys.providers import provider
from shoplake.pipeline import releases
from shoplake.settings import Settings, load_settings
from tests.access.sandbox.conftest import ENVIRONMENT
from tests.access.sandbox.corpus import OUT, Catalogue, Corpus, Targets
from tests.access.test_matrix import USERS, canaries, person

SAMPLE, ALL = 30, 10_000
FILE, FOLDER = stat.S_IFREG | FILE_MODE, stat.S_IFDIR | FOLDER_MODE
SECONDS, ROWS, BYTES = 2.0, 500, 2_000_000
CONTROL = "select count(*), sum(hash(t)) from {table} t"
NO_TABLE = "select 42, 43"


@dataclass
class Attacker:
    """A person, what is kept from them, and their way to ask."""

    settings: Settings
    box: Sandbox
    user: str

    @cached_property
    def identity(self) -> Identity:
        return person(self.settings, self.user)

    @cached_property
    def tables(self) -> list[str]:
        shown = Rights.of(self.settings, self.identity).narrowed(releases.required(self.settings, None))
        return sorted(f"{table.database}.{name}" for name, table in shown.tables.items())

    @cached_property
    def corpus(self) -> Corpus:
        manifest, root = releases.required(self.settings, None), HomePaths(self.settings.home).partitions
        hidden = [
            f"{t.database}.{name}" for name, t in manifest.tables.items() if f"{t.database}.{name}" not in self.tables
        ]
        foreign = sorted(releases.files_in([manifest]))
        home = self.settings.home
        paths = [str(home), str(home / "keys" / "keyring.json"), str(home / "keys" / "kek.key"), str(home / "store")]
        paths += [str(root / file) for file in random.Random(self.user).sample(foreign, 4)]
        targets = Targets((self.tables or ["warehouse.dim_date"])[0], hidden or ["other.table"], paths)
        return Corpus(catalogue_of(self.box), targets, seed=USERS.index(self.user))

    @cached_property
    def control(self) -> str:
        return CONTROL.format(table=self.tables[0]) if self.tables else NO_TABLE

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.box.answer(self.identity, Question(sql)).table.to_pylist()
        return found

    def heard(self, sql: str, seconds: float = SECONDS) -> tuple[str, str]:
        """Ask; give what became of it, and all the words of the answer or the error."""
        question = Question(sql, row_limit=ROWS, byte_limit=BYTES, seconds=seconds)
        try:
            answer = self.box.answer(self.identity, question)
        except ShoplakeError as error:
            return error.code, f"{error.message} {error.hint}"
        return "answered", "\n".join([*answer.table.column_names, *map(words_of, answer.table.columns)])

    @cached_property
    def secrets(self) -> list[tuple[str, str]]:
        """Give all that must not be seen: values of others, keys, paths, the environment; each with a form of it."""
        own = "\n".join(str(self.rows(f"select * from {table}")) for table in self.tables)
        of_others = {v for v in hidden_from(self.settings.home, self.user) if len(v) > 5 and v not in own}
        ring = Keyring.open(self.settings)
        keys = [ring.get(name, version).secret for name in ring.names() for version in ring.versions(name)]
        keys += provider(self.settings).candidates()
        paths = [str(self.settings.home), sys.prefix, str(Path(__file__).parents[3]), "site-packages", "keyring.json"]
        paths += [Path(file).name for file in releases.files_in([releases.required(self.settings, None)])]
        plain = [*of_others, *paths, ENVIRONMENT, "root:x:0:0", "root:*:"]
        found = [(text, form) for text in plain for form in (text, *forms(text.encode()))]
        return found + [("a key", form) for key in keys for form in forms(key)]

    def leaks(self, sql: str, words: str) -> list[str]:
        """Give the secrets in an answer, but for what the statement said itself, whole or in two."""
        said = "\n".join([sql, sql.replace("' || '", "")]).lower()
        return [form for plain, form in self.secrets if form in words and plain.lower() not in said]


@cache
def catalogue_of(box: Sandbox) -> Catalogue:
    asker = Identity("data_engineer", "data_engineer")
    return Catalogue.of(lambda sql: box.answer(asker, Question(sql)).table.to_pylist())


@cache
def hidden_from(home: Path, user: str) -> list[str]:
    return canaries(load_settings(home), user)


def words_of(column: pa.ChunkedArray) -> str:
    """Give a column as text, and as the bytes that it is: not each of its values is one of Python's."""
    raw = "".join(
        buffer.to_pybytes().decode("latin-1") for chunk in column.chunks for buffer in chunk.buffers() if buffer
    )
    try:
        return f"{column.to_pylist()} {raw}"
    except (OverflowError, ValueError):
        return raw


def forms(data: bytes) -> list[str]:
    hexed, based = data.hex(), base64.b64encode(data).decode()
    return [hexed, hexed.upper(), based, based.rstrip("=")[:-1], "".join(f"\\x{byte:02X}" for byte in data)]


def state_of(settings: Settings) -> dict[str, tuple[int, int, str]]:
    """Give every file and folder of the home, with its mode, its time and its bytes.

    The audit log grows by itself, and a session that nobody uses is removed with its folder of links: see `staged`.
    """
    places = HomePaths(settings.home)
    found = {}
    for path in sorted([settings.home, *settings.home.rglob("*")]):
        if not any(map(path.is_relative_to, (places.audit, places.sandbox))):
            status = path.stat()
            found[str(path)] = (status.st_mode, status.st_mtime_ns, digest(path) if path.is_file() else "")
    return found


def staged(settings: Settings) -> set[tuple[int, str]]:
    """Give the mode and the bytes of each file in sessions' folders, and the modes of these folders."""
    found = set()
    for service in HomePaths(settings.home).sandbox.iterdir():
        for path in service.rglob("*"):
            with suppress(FileNotFoundError):
                found.add((path.stat().st_mode, digest(path) if path.is_file() else ""))
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def attack(
    attacker: Attacker, statements: Sequence[str], *, threads: int = 1, seconds: float = SECONDS
) -> Counter[str]:
    """Ask all statements, and check every answer, the files, and the other sessions; give what became of them."""
    settings, box = attacker.settings, attacker.box
    right, other = attacker.rows(attacker.control), Attacker(settings, box, "data_engineer")
    others, server = other.rows(other.control), box._pool.server_pid
    _ = attacker.secrets
    log_of(settings).sign(is_forced=True)  # the first time makes a key, and a minute may pass below
    before = state_of(settings)

    def ask(sql: str) -> tuple[str, list[str]]:
        outcome, words = attacker.heard(sql, seconds)
        return outcome, attacker.leaks(sql, words)

    with ThreadPoolExecutor(threads) as pool:
        heard = list(pool.map(ask, statements))
    assert [(sql, found) for sql, (_, found) in zip(statements, heard, strict=True) if found] == []
    assert attacker.rows(attacker.control) == right
    assert other.rows(other.control) == others
    assert box._pool.server_pid == server
    after = state_of(settings)
    assert {path: now for path, now in after.items() if before.get(path) != now} == {}
    assert before.keys() == after.keys()
    links = {(FILE, content) for _, _, content in after.values()}
    assert staged(settings) <= links | {(FOLDER, "")}
    assert not Path(OUT).exists()
    return Counter(outcome for outcome, _ in heard)


@pytest.mark.parametrize("user", USERS)
def test_a_sample_of_hostile_statements_shows_and_changes_nothing(asking: Settings, box: Sandbox, user: str) -> None:
    attacker = Attacker(asking, box, user)
    outcomes = attack(attacker, attacker.corpus.statements(SAMPLE), threads=2)
    assert outcomes["answered"] < SAMPLE
    assert outcomes["worker_lost"] <= 1


def test_the_check_finds_what_is_shown(asking: Settings, box: Sandbox) -> None:
    attacker = Attacker(asking, box, "sales")
    seen = Attacker(asking, box, "finance").heard("select unit_cost_amount from warehouse.dim_product")[1]
    assert attacker.leaks("select 1", seen)
    key = Keyring.open(asking).current("store").secret
    assert attacker.leaks("select 1", f"… {key.hex()} …")
    assert attacker.leaks("select 1", f"cannot open {asking.home}/x")
    assert not attacker.leaks("select 1", "nothing")


@pytest.mark.parametrize("bomb", [2, 4, 6, 20, 22])
def test_a_bomb_goes_off_alone(asking: Settings, box: Sandbox, bomb: int) -> None:
    attacker = Attacker(asking, box, "sales")
    with pytest.raises((QueryTimeout, QueryError, WorkerLost)):
        box.answer(attacker.identity, Question(attacker.corpus.bombs()[bomb], seconds=0.5))
    assert attacker.rows("select 1 as one") == [{"one": 1}]


@pytest.mark.proof
def test_all_hostile_statements_of_every_role(asking: Settings, box: Sandbox, record_proof: Any) -> None:
    lines, total = [], 0
    for user in USERS:
        attacker = Attacker(asking, box, user)
        outcomes = attack(attacker, attacker.corpus.statements(ALL), threads=4)
        outcomes += attack(attacker, attacker.corpus.bombs(), threads=2, seconds=1)
        total += outcomes.total()
        told = ", ".join(f"{count:,} {name}" for name, count in sorted(outcomes.items()))
        lines.append(f"| {user} | {outcomes.total():,} | {told} |")
    head = f"{total:,} hostile statements by {len(USERS)} users, each in a process of its own behind the walls "
    head += (
        f"{', '.join(box.walls())}: 0 values of others, keys, paths or environment shown, 0 files written or changed, "
    )
    head += "0 other sessions disturbed.\n\n| user | statements | what became of them |\n|---|---|---|\n"
    record_proof("hostile_sql", head + "\n".join(lines))
