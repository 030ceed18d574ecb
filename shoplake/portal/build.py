"""Takes what browsers need out of npm's packages: ``python -m shoplake.portal.build``.

The packages come by ``npm ci``. Nothing of them is in the repository; the files are made into ``static/vendor``, beside
their licences, and compressed once. esbuild bundles the editor of the SQL console, and what charts need of ECharts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from shoplake.portal.pages.assets import VENDOR

ROOT = Path(__file__).parents[2]
BUNDLES = Path(__file__).parent / "bundles"
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "echarts.js": "echarts/dist/echarts.common.min.js",
    "inter.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
}
LICENCES = ("htmx.org/LICENSE", "echarts/LICENSE", "echarts/NOTICE", "@fontsource-variable/inter/LICENSE")
BUNDLER = "esbuild/bin/esbuild"
PACKAGE = re.compile(r"node_modules/((?:@[^/]+/)?[^/]+)/")
COMPRESS = (
    "const z = require('zlib'), fs = require('fs');"
    "for (const f of process.argv.slice(1)) fs.writeFileSync(f + '.br', z.brotliCompressSync(fs.readFileSync(f)));"
)


def build(packages: Path = ROOT / "node_modules", target: Path = VENDOR) -> list[str]:
    """Make the files; give the names of those that no package holds, or that could not be made.

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
    bundled = {file.name: _bundle(packages, file, target / file.name) for file in sorted(BUNDLES.glob("*.js"))}
    inside = {name for names in bundled.values() for name in names if name != "echarts"}
    licences = [*LICENCES, *(f"{name}/LICENSE" for name in sorted(inside))]
    texts = [f"{name}\n\n{(packages / name).read_text(encoding='utf-8')}" for name in licences]
    (target / "LICENCES.txt").write_text("\n\n".join(texts), encoding="utf-8")
    (target / ".ready").touch()
    _compress([str(file) for file in sorted(target.glob("*.js"))])
    return [name for name, parts in bundled.items() if not parts and name not in FILES]


def _bundle(packages: Path, source: Path, target: Path) -> list[str]:
    """Bundle a script; give the packages that are in it, none where it cannot be made."""
    node, bundler = shutil.which("node"), packages / BUNDLER
    if node is None or not bundler.is_file():
        return []
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "inputs.json"
        options = ["--bundle", "--minify", "--format=iife", "--target=es2022", "--legal-comments=none"]
        done = subprocess.run(  # noqa: S603 - our own files
            [node, str(bundler), str(source), *options, f"--outfile={target}", f"--metafile={listed}"],
            env=os.environ | {"NODE_PATH": str(packages)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return []
        inputs = json.loads(listed.read_text(encoding="utf-8"))["inputs"]
    return sorted({match[1] for name in inputs if (match := PACKAGE.search(name))})


def _compress(files: list[str]) -> None:
    """Compress by Brotli, which Node has built in; without it browsers get the files by gzip."""
    node = shutil.which("node")
    if node is not None:
        subprocess.run([node, "-e", COMPRESS, *files], check=False)  # noqa: S603 - our own files


def main() -> int:
    """Build, or say what is missing and what that means."""
    missing = build()
    if missing == ["editor.js"]:
        print("The SQL console's editor is not built, as Node.js or esbuild is missing: it has a plain field instead.")
    elif missing:
        print(
            "The portal's charts, live tiles, editor and font are not built: npm's packages are not installed "
            f"({', '.join(missing)}).\nPages work all the same, as tables. Install Node.js with npm and "
            "call `make setup`."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
