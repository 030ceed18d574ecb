"""One publication: the served release into a database, all of it in one transaction, and what came of it on record."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoplake.audit.recording import changing
from shoplake.errors import PublicationError, ShoplakeError
from shoplake.keys.rereading import rereads
from shoplake.pipeline.outcome import PublicationOutcome, last_publication, note_publication

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest
    from shoplake.publication.changes import Changes
    from shoplake.publication.loading import Load
    from shoplake.publication.server import Server
    from shoplake.publication.target import Target
    from shoplake.publication.wanted import Wanted
    from shoplake.settings import Settings

OLDEST = 150_000
"""Of this version are the first views whose reader's own rights count."""
TURN_SECONDS = 30
"""So long a publication waits for another one into the same database."""


@dataclass
class Report:
    """What a publication did; ``as_dict`` is the JSON shape of `shoplake publish postgres`."""

    target: str
    release: str
    tables: int = 0
    loaded: list[str] = field(default_factory=list)
    partitions: int = 0
    rows: int = 0
    dropped: list[str] = field(default_factory=list)
    granted: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    members: dict[str, str] = field(default_factory=dict)
    without_login: list[str] = field(default_factory=list)
    seconds: float = 0

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "target": self.target,
            "release": self.release,
            "tables": self.tables,
            "loaded": self.loaded,
            "partitions": self.partitions,
            "rows": self.rows,
            "dropped": self.dropped,
            "granted": self.granted,
            "revoked": self.revoked,
            "members": self.members,
            "without_login": self.without_login,
            "seconds": round(self.seconds, 3),
        }


def publish(settings: Settings, url: str = "", *, password: str = "", everything: bool = False) -> Report:
    """Bring a database to the served release and to the present policy and users.

    Readers see the state before or the state after, and wait for nothing, but where a table changes its shape.

    Args:
        settings: the home to read from.
        url: of the database, without a password; empty for the setting ``publish_postgres_url``.
        password: of its user; empty to leave it to ``passfile``, ``PGPASSFILE`` or ``PGPASSWORD``.
        everything: load all rows again, whatever the database says it holds.

    Raises:
        InputError: the URL cannot be used.
        NotFoundError: nothing has been released yet.
        PublicationError: the database cannot be reached or refuses; it is as it was.

    """
    from shoplake.publication.target import parse_target

    with changing(settings, "publish postgres", everything=everything or None) as entry:
        name = ""
        try:
            target = parse_target(url or settings.publish_postgres_url, password)
            name = target.name
            entry.detail = entry.detail | {"target": name}
            report = _published(settings, target, everything)
        except ShoplakeError as error:
            note_publication(settings, PublicationOutcome.failed(name, error, last_publication(settings)))
            raise
        entry.release, entry.tables, entry.rows = report.release, report.loaded, report.rows
        changed = {"dropped": report.dropped, "granted": report.granted, "revoked": report.revoked}
        entry.detail = entry.detail | {name: found for name, found in changed.items() if found}
    note_publication(settings, PublicationOutcome.done(target.name, report.release, report.rows))
    return report


def publish_after_release(settings: Settings) -> dict[str, Any] | None:
    """Publish where a database is set; tell a failure instead of raising it, for the release stands.

    Returns:
        The report as JSON, or the error's; None where no database is set or nothing has been released.

    """
    from shoplake.pipeline import releases

    if not settings.publish_postgres_url or releases.current(settings) is None:
        return None
    try:
        return publish(settings).as_dict()
    except ShoplakeError as error:
        return error.as_dict()
    except OSError as error:
        return {"error": {"code": "disk", "message": f"The disk is full or fails: {error.strerror}.", "hint": ""}}


def _published(settings: Settings, target: Target, everything: bool) -> Report:
    import duckdb

    try:
        return _publish(settings, target, everything)
    except duckdb.Error as error:
        why = str(error).partition("\n")[0]
        raise PublicationError(f"The release cannot be read: {why}", hint="See `shoplake releases show`.") from error


@rereads
def _publish(settings: Settings, target: Target, everything: bool) -> Report:
    from shoplake.access.login import open_logins
    from shoplake.keys.duckdb_session import connect
    from shoplake.pipeline.releases import required
    from shoplake.publication.present import PUBLICATION, is_prepared, prepare_sql
    from shoplake.publication.server import Server
    from shoplake.publication.wanted import wanted

    started, manifest = time.perf_counter(), required(settings, None)
    with open_logins(settings) as logins:
        users = logins.users.list()
    want, report = wanted(settings, manifest, users), Report(target.name, manifest.release_id)
    # One COPY takes rows one after another: more threads would only wait for it, on the server's processors.
    con = connect(settings, threads=1)
    try:
        server = Server(con, target)
        _check_version(server)
        if not is_prepared(server):
            with server.transaction(""):
                server.execute(prepare_sql())
        # Locked by the transaction's first statement, before it has a snapshot: what it sees is what the last one left.
        turn = f"set local lock_timeout = '{TURN_SECONDS}s'; lock table {PUBLICATION} in exclusive mode;"
        with server.transaction(turn + "set local lock_timeout = 0;"):
            _bring(settings, server, manifest, want, report, everything)
        found = server.rows(f"select release_id from {PUBLICATION}")
        if found != [(manifest.release_id,)]:
            raise PublicationError(
                f"{target.name} did not keep the release {manifest.release_id}.",
                hint="Call again; see the server's log.",
            )
    finally:
        con.close()
    report.seconds = time.perf_counter() - started
    return report


def _check_version(server: Server) -> None:
    ((number, words),) = server.rows(
        "select current_setting('server_version_num')::int, current_setting('server_version') as words"
    )
    if number < OLDEST:
        raise PublicationError(
            f"The server is PostgreSQL {words}: views there would not keep to the rights of who reads them.",
            hint=f"Publish into PostgreSQL {OLDEST // 10_000} or later.",
        )


def _bring(
    settings: Settings, server: Server, manifest: Manifest, want: Wanted, report: Report, everything: bool
) -> None:
    """Make everything in the open transaction as it should be."""
    from shoplake.keys.keyring import Keyring
    from shoplake.publication.changes import release_sql, shape_changes
    from shoplake.publication.granting import add_grants
    from shoplake.publication.loading import execute_load
    from shoplake.publication.present import read_present

    present = read_present(server, want.groups)
    todo = shape_changes(want, present)
    add_grants(want, present, todo)
    loads = _loads(want, manifest, present.partitions, todo, everything)
    _execute(server, todo.before)
    server.forget_tables()
    keyring = Keyring.open(settings)
    for load in loads:
        execute_load(server, server.connection, settings, keyring, load)
    if todo.locking:
        server.execute(todo.patiently())
    _execute(server, [*todo.after, *release_sql(manifest.release_id)])
    if todo.last:
        server.execute(todo.at_last())
    report.tables = len(want.tables)
    report.loaded = [f"{load.wanted.schema}.{load.wanted.name}" for load in loads]
    report.partitions = sum(len(load.fresh) for load in loads)
    report.rows = sum(load.rows for load in loads)
    report.dropped, report.granted, report.revoked = todo.dropped, todo.granted, todo.revoked
    logs_in = {name for name, (can_log_in, _) in present.roles.items() if can_log_in}
    report.members = {user: group for user, group in sorted(want.members.items()) if user in logs_in}
    report.without_login = sorted(want.members.keys() - logs_in)


def _loads(
    want: Wanted,
    manifest: Manifest,
    known: dict[tuple[str, str], dict[str, str]],
    todo: Changes,
    everything: bool,
) -> list[Load]:
    from shoplake.publication.loading import load_of

    found = []
    for key, wanted_table in want.tables.items():
        labels = known.get(key, {})
        if everything:
            labels = dict.fromkeys(labels, "")
        place = todo.places.get(key, wanted_table.name)
        load = load_of(wanted_table, manifest.tables[key[1]], place, labels, is_new=key in todo.places)
        if load.is_new or load.fresh or load.gone:
            found.append(load)
    return found


def _execute(server: Server, statements: list[str]) -> None:
    if statements:
        server.execute(";\n".join(statements))
