"""What people's tools see: psql, SQLAlchemy, ADBC; over TLS that checks the certificate, with passwords by SCRAM."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from shoplake.pipeline.releases import required
from tests.publication.conftest import PUBLISHER, Bi

STORE_DAY = "sales.mart_sales__store_day"


def psql(bi: Bi, user: str, *commands: str) -> str:
    program = shutil.which("psql") or next(Path("/usr/lib/postgresql").glob("*/bin/psql"), None)
    if program is None:
        pytest.skip("PostgreSQL's psql is not installed: call make packages as root")
    words = bi.words(user)
    env = os.environ | {"PGPASSWORD": words.pop("password"), "PGSSLROOTCERT": words.pop("sslrootcert")}
    env |= {"PGSSLMODE": words.pop("sslmode"), "PSQL_PAGER": "cat"}
    asked = [part for command in commands for part in ("-c", command)]
    place = [f"--host={words['host']}", f"--port={words['port']}", f"--username={user}", f"--dbname={bi.database}"]
    done = subprocess.run(
        [program, "-X", *place, *asked], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    return re.sub(r" +", " ", done.stdout)


def test_psql_describes_tables_with_types_and_comments(bi: Bi) -> None:
    shown = psql(bi, "sales", r"\dn+", r"\dt+ sales.*", rf"\d+ {STORE_DAY}", r"\dv+ for_sales.*")
    for words in (
        "Marts of the team sales.",
        "Owner: sales.",
        "net_amount | numeric(18,2)",
        "sale_date | date",
        'POLICY "shoplake_sales_by_region_',
        "for_sales | dim_product",
    ):
        assert words in shown, shown
    shown = psql(bi, "finance", r"\d+ warehouse.dim_product", r"\d warehouse.fct_sale_lines")
    assert "Sensitivity: cost." in shown
    assert "timestamp with time zone" in shown


def test_psql_says_permission_denied_for_other_teams(bi: Bi) -> None:
    for user, table in (("sales", "finance.mart_finance__revenue_day"), ("marketing", STORE_DAY)):
        with bi.connect(user) as con, pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            con.execute(f"select * from {table}")


def test_sqlalchemy_reflects_tables_and_views_and_reads_them(bi: Bi) -> None:
    from sqlalchemy import MetaData, Table, create_engine, inspect, select

    engine = create_engine(bi.address("sales", "postgresql+psycopg"))
    try:
        looking = inspect(engine)
        assert {"sales", "warehouse", "for_sales"} <= set(looking.get_schema_names())
        assert looking.get_view_names("for_sales") == ["dim_product"]
        assert "Owner: sales." in (looking.get_table_comment("mart_sales__store_day", "sales")["text"] or "")
        days = Table("mart_sales__store_day", MetaData(), autoload_with=engine, schema="sales")
        product = Table("dim_product", MetaData(), autoload_with=engine, schema="for_sales")
        assert days.c.net_amount.type.asdecimal
        assert days.c.net_amount.comment
        with engine.connect() as con:
            rows = con.execute(select(days)).mappings().all()
            assert len(con.execute(select(product)).all()) == 2
    finally:
        engine.dispose()
    assert sum(row["net_amount"] for row in rows) == decimal.Decimal("120.00")
    assert isinstance(rows[0]["sale_date"], dt.date)


def test_adbc_reads_arrow(bi: Bi) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(bi.address("north_operations")) as con, con.cursor() as cursor:
        cursor.execute("select stock_date, warehouse_region, closing_level from sales.mart_sales__stock_day")
        found = cursor.fetch_arrow_table()
    assert found.num_rows > 0
    assert set(found["warehouse_region"].to_pylist()) == {"North"}
    assert str(found.schema.field("closing_level").type) == "int64"


def test_every_group_can_tell_which_release_it_sees(bi: Bi) -> None:
    for user in ("north_sales", "analyst"):
        with bi.connect(user) as con:
            found = con.execute("select release_id from shoplake.publication").fetchone()
        assert found == (required(bi.settings, None).release_id,)


def test_logins_come_by_tls_alone_and_passwords_by_scram(bi: Bi) -> None:
    with bi.connect("sales") as con:
        used = con.execute("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
        assert used == (True, "TLSv1.3")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(**bi.words("sales") | {"sslmode": "disable"})
    with pytest.raises(psycopg.OperationalError, match="certificate"):
        psycopg.connect(**bi.words("sales") | {"sslrootcert": "system"})
    with bi.as_owner() as con:
        kept = con.execute("select rolpassword from pg_authid where rolname in ('sales', %s)", [PUBLISHER]).fetchall()
        assert all(password.startswith("SCRAM-SHA-256$") for (password,) in kept)
        methods = con.execute("select distinct type, auth_method from pg_hba_file_rules").fetchall()
    assert set(methods) == {("local", "scram-sha-256"), ("hostssl", "scram-sha-256")}
