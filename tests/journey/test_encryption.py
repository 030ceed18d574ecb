"""Nothing that was sent is readable in any file that shoplake writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shoplake.access.sql import query
from shoplake.errors import KeyAccessError
from shoplake.lake.landing import land
from shoplake.pipeline.rotation import rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.journey.world import COLUMNS, FIRST

NUMBER = 7_700_000_000_000
"""Numeric markers: 13 digits that nothing else would write."""


def planted(folder: Path) -> tuple[dict[str, Path], list[bytes]]:
    """Write one file a source with a marker in every field, good rows and bad ones; give the files and markers."""
    markers: list[str] = []

    def mark(kind: str) -> str:
        markers.append(f"MARKER{len(markers):03d}{kind}")
        return markers[-1]

    def number() -> int:
        markers.append(str(NUMBER + len(markers)))
        return int(markers[-1])

    rows: dict[str, list[dict[str, object]]] = {
        "pos": [
            dict(
                zip(COLUMNS["pos"], [mark("t"), number(), number(), number(), 98765.43, 12345.67, FIRST], strict=True)
            ),
            dict(zip(COLUMNS["pos"], [mark("t"), mark("s"), mark("p"), "x", mark("r"), "", FIRST], strict=True)),
        ],
        "inventory": [
            dict(zip(COLUMNS["inventory"], [number(), number(), number(), number(), number(), FIRST], strict=True))
        ],
        "interactions": [
            dict(zip(COLUMNS["interactions"], [number(), "Feedback", mark("c"), 5, mark("m"), FIRST], strict=True)),
            dict(zip(COLUMNS["interactions"], [number(), mark("i"), mark("c"), 9, mark("m"), FIRST], strict=True)),
        ],
        "web_events": [
            dict(
                zip(
                    COLUMNS["web_events"],
                    [mark("s"), number(), mark("p"), mark("d"), mark("b"), mark("e"), FIRST],
                    strict=True,
                )
            )
        ],
        "stores": [
            {
                "store_id": number(),
                "name": mark("n"),
                "region": mark("r"),
                "country": mark("c"),
                "warehouse_id": number(),
            }
        ],
        "products": [
            {
                "product_id": number(),
                "name": mark("n"),
                "category": mark("c"),
                "brand": mark("b"),
                "unit_cost": 43210.98,
                "list_price": 54321.09,
            }
        ],
        "warehouses": [{"warehouse_id": number(), "name": mark("n"), "region": mark("r")}],
    }
    files = {}
    for source, content in rows.items():
        is_stream = source in {"interactions", "web_events"}
        path = folder / (f"{source}.jsonl" if is_stream else f"{source}.csv")
        lines = [json.dumps(row) for row in content]
        if not is_stream:
            lines = [",".join(content[0])] + [",".join(str(v) for v in row.values()) for row in content]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        files[source] = path
    return files, [m.encode() for m in markers]


def readable(home: Path, markers: list[bytes]) -> list[str]:
    """Name each file that holds a marker, as text, as UTF-16 or as a little-endian number."""
    found = []
    for path in home.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        for marker in markers:
            forms = [marker, marker.decode().encode("utf-16-le")]
            if marker.isdigit():
                forms.append(int(marker).to_bytes(8, "little"))
            if any(form in data for form in forms):
                found.append(f"{path.name}: {marker.decode()}")
    return found


@pytest.fixture(scope="module")
def marked(module_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[bytes]]:
    """Give a home that released the markers, and these; no test changes it."""
    folder = tmp_path_factory.mktemp("planted")
    files, markers = planted(folder)
    assert readable(folder, markers), "the search must find markers where they are in clear"
    settings = module_home.model_copy(update={"memory_limit": "500MB", "message_text_days": 36_500})
    for source, path in files.items():
        land(settings, source, [str(path)], accept=True)
    assert run(settings).published
    return settings, markers


def test_no_marker_of_any_field_is_in_any_file(marked: tuple[Settings, list[bytes]]) -> None:
    settings, markers = marked
    assert readable(settings.home, markers) == []


def test_rotation_keeps_every_row_and_leaves_nothing_under_the_old_keys(
    marked: tuple[Settings, list[bytes]], copied: Callable[[Settings], Settings]
) -> None:
    settings, markers = copied(marked[0]), marked[1]
    before = query(settings, "select * from warehouse.fct_sale_lines").rows
    old = (settings.home / "keys" / "kek.key").read_bytes()
    rotate(settings)
    assert (settings.home / "keys" / "kek.key").read_bytes() != old
    assert query(settings, "select * from warehouse.fct_sale_lines").rows == before
    assert not run(settings).published
    assert readable(settings.home, markers) == []
    assert not [p for p in (settings.home / "lake").rglob("*.parquet") if "v1" in p.name]


def test_a_wrong_key_fails_closed(marked: tuple[Settings, list[bytes]], copied: Callable[[Settings], Settings]) -> None:
    settings = copied(marked[0])
    kek = settings.home / "keys" / "kek.key"
    kek.write_bytes(b"A" * 43 + b"=\n")
    with pytest.raises(KeyAccessError):
        query(settings, "select 1")
    with pytest.raises(KeyAccessError):
        run(settings)
