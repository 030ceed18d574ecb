"""Takes what browsers need out of npm's packages: ``python -m shoplake.portal.build``.

The packages come by ``npm ci``. Nothing of them is in the repository; the files are made into ``static/vendor``, beside
their licences, and compressed once.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from shoplake.portal.pages.assets import VENDOR

ROOT = Path(__file__).parents[2]
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "echarts.js": "echarts/dist/echarts.common.min.js",
    "inter.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
}
LICENCES = ("htmx.org/LICENSE", "echarts/LICENSE", "echarts/NOTICE", "@fontsource-variable/inter/LICENSE")
COMPRESS = (
    "const z = require('zlib'), fs = require('fs');"
    "for (const f of process.argv.slice(1)) fs.writeFileSync(f + '.br', z.brotliCompressSync(fs.readFileSync(f)));"
)


def build(packages: Path = ROOT / "node_modules", target: Path = VENDOR) -> list[str]:
    """Copy the files; give the names of those that no package holds.

    Args:
        packages: folder of npm's packages.
        target: where the files go; it is made anew.

    """
    missing = [source for source in FILES.values() if not (packages / source).is_file()]
    if missing:
        return missing
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, source in FILES.items():
        shutil.copyfile(packages / source, target / name)
    licences = [f"{name}\n\n{(packages / name).read_text(encoding='utf-8')}" for name in LICENCES]
    (target / "LICENCES.txt").write_text("\n\n".join(licences), encoding="utf-8")
    (target / ".ready").touch()
    _compress([str(target / name) for name in FILES if name.endswith(".js")])
    return []


def _compress(files: list[str]) -> None:
    """Compress by Brotli, which Node has built in; without it browsers get the files by gzip."""
    node = shutil.which("node")
    if node is not None:
        subprocess.run([node, "-e", COMPRESS, *files], check=False)  # noqa: S603 - our own files


def main() -> int:
    """Build, or say what is missing and what that means."""
    missing = build()
    if missing:
        print(
            "The portal's charts, live tiles and font are not built: npm's packages are not installed "
            f"({', '.join(missing)}).\nPages work all the same, as tables. Install Node.js with npm and "
            "call `make setup`."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
