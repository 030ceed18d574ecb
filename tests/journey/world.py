"""A small world of valid rows, and how tables of two homes are compared."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shoplake.access.session import open_release
from shoplake.keys.keyring import Keyring
from shoplake.pipeline.init import init_home
from shoplake.pipeline.releases import required
from shoplake.settings import Settings, load_settings
from shoplake.store.engine import open_store

FIRST = 1_772_323_200
"""2026-03-01T00:00:00Z"""
DAY = 86_400
COLUMNS = {
    "pos": ["transaction_id", "store_id", "product_id", "quantity", "revenue", "discount_applied", "timestamp"],
    "inventory": ["inventory_id", "product_id", "warehouse_id", "stock_level", "restock_threshold", "last_updated"],
    "interactions": ["customer_id", "interaction_type", "channel", "rating", "message_excerpt", "timestamp"],
    "web_events": ["session_id", "user_id", "page", "device_type", "browser", "event_type", "timestamp"],
}
# Differ from home to home by their nature: random pseudonyms and what is made of them, provenance, ciphertext.
OWN = {"session_key", "case_key", "message_ciphertext"}

relaxed = hypothesis_settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
"""How whole homes are drawn: each takes seconds."""
moments = st.one_of(
    st.integers(FIRST, FIRST + 4 * DAY - 1),
    st.builds(lambda d, m: FIRST + d * DAY + m * 600, st.integers(1, 3), st.integers(-6, 6)),
)
"""Any second of four days, and more often the hour around a midnight."""


def home_in(folder: Path) -> Settings:
    """Make a home."""
    settings = load_settings(folder)
    init_home(settings)
    return settings


def rows(source: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw rows of a source that break no rule."""
    fields: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "pos": {
            "transaction_id": st.sampled_from(["T1", "T2", "T3", "T4"]),
            "store_id": st.integers(1, 2),
            "product_id": st.integers(1, 3),
            "quantity": st.integers(1, 4),
            "revenue": st.integers(100, 900).map(lambda cents: cents / 100),
            "discount_applied": st.sampled_from([None, 0, 0.5]),
            "timestamp": moments,
        },
        "inventory": {
            "inventory_id": st.integers(1, 10_000),
            "product_id": st.integers(1, 3),
            "warehouse_id": st.integers(1, 2),
            "stock_level": st.integers(-1, 5),
            "restock_threshold": st.sampled_from([None, 2]),
            "last_updated": moments,
        },
        "interactions": {
            "customer_id": st.integers(1, 3),
            "interaction_type": st.sampled_from(["Feedback", "Loyalty", "Complaint", "Complaint"]),
            "channel": st.sampled_from([None, "Email", "App"]),
            "rating": st.sampled_from([None, 1, 3, 5]),
            "message_excerpt": st.none(),
            "timestamp": moments,
        },
        "web_events": {
            "session_id": st.sampled_from(["s1", "s2"]),
            "user_id": st.sampled_from([None, 1, 2]),
            "page": st.sampled_from(["/", "/p/1"]),
            "device_type": st.sampled_from([None, "Mobile"]),
            "browser": st.none(),
            "event_type": st.sampled_from(["View", "Click", "Scroll"]),
            "timestamp": moments,
        },
    }
    return st.lists(st.fixed_dictionaries(fields[source]), min_size=1, max_size=25)


def write(folder: Path, source: str, name: str, content: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as the file that the source sends."""
    folder.mkdir(parents=True, exist_ok=True)
    if source in {"interactions", "web_events"}:
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        return path
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS[source])
        writer.writeheader()
        writer.writerows(content)
    return path


def tables(settings: Settings, release: str | None = None) -> dict[str, list[str]]:
    """Give every table of a release as sorted rows, with real identifiers in the place of pseudonyms."""
    from shoplake.privacy.vault import Vault

    keyring = Keyring.open(settings)
    store = open_store(settings, keyring)
    people = Vault(store, keyring).pseudonyms([str(n) for n in range(1, 10)])
    store.close()
    names = {pseudonym: number for number, pseudonym in people.items()}
    manifest = required(settings, release)
    con = open_release(settings, manifest)
    found = {}
    for name, table in manifest.tables.items():
        columns = [c for c in table.columns if not c.startswith("_") and c not in OWN]
        selected = ", ".join(f'"{c}"' for c in columns)
        cursor = con.execute(f'select {selected} from "{table.database}"."{name}"')
        found[name] = sorted(str([names.get(v, v) for v in row]) for row in cursor.fetchall())
    con.close()
    return found


def differences(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, Iterable[str]]:
    """Give the rows that stand in only one of two homes, by table."""
    return {
        name: sorted(set(one.get(name, [])) ^ set(other.get(name, [])))[:6]
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
    }
