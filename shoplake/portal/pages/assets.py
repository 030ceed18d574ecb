"""Style, scripts and font: each under a name that holds its content's hash, compressed once, cached for good."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"
VENDOR = STATIC / "vendor"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
}
SHORTEST_HASH = 12
ADDRESS = "/static/"
REFERENCE = re.compile(r'url\("([\w.-]+)"\)')


@dataclass(frozen=True)
class Asset:
    """One file as it is served."""

    name: str
    """With the hash of its content."""
    content_type: str
    content: bytes = field(repr=False)
    encoded: Mapping[str, bytes] = field(repr=False)
    """The content by its encoding in HTTP."""

    def best(self, accepted: str) -> tuple[bytes, str]:
        """Give the smallest form that a browser takes, and its encoding; empty for the content as it is."""
        taken = {item.split(";")[0].strip() for item in accepted.split(",") if "q=0" not in item.replace("q=0.", "")}
        found = [(body, name) for name, body in self.encoded.items() if name in taken]
        return min(found, key=lambda one: len(one[0]), default=(self.content, ""))


@dataclass(frozen=True)
class Assets:
    """All files, by their plain names."""

    by_name: Mapping[str, Asset]

    def address(self, name: str) -> str:
        """Give where a file is served; empty when it is not there, as without npm."""
        asset = self.by_name.get(name)
        return f"{ADDRESS}{asset.name}" if asset else ""

    def served(self, hashed: str) -> Asset | None:
        """Give the file of a name with a hash."""
        return next((asset for asset in self.by_name.values() if asset.name == hashed), None)


@cache
def load_assets(static: Path = STATIC, vendor: Path = VENDOR) -> Assets:
    """Read what is served; files of npm's packages are there after ``python -m shoplake.portal.build``."""
    found: dict[str, Asset] = {}
    files = [p for folder in (vendor, static) if folder.is_dir() for p in sorted(folder.iterdir())]
    for file in sorted((f for f in files if f.suffix in TYPES), key=lambda f: f.suffix == ".css"):
        content = file.read_bytes()
        if file.suffix == ".css":
            content = REFERENCE.sub(lambda match: _reference(match[1], found), content.decode()).encode()
        found[file.name] = _asset(file, content)
    return Assets(found)


def _asset(file: Path, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:SHORTEST_HASH]
    encoded = {}
    if file.suffix != ".woff2":
        encoded["gzip"] = gzip.compress(content, 9, mtime=0)
        brotli = file.with_name(f"{file.name}.br")
        if brotli.is_file():
            encoded["br"] = brotli.read_bytes()
    return Asset(f"{file.stem}.{digest}{file.suffix}", TYPES[file.suffix], content, encoded)


def _reference(name: str, found: Mapping[str, Asset]) -> str:
    return f'url("{found[name].name if name in found else name}")'
