# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write what is generated and committed, so that a change of a generator is seen in review: tests/golden/gen, and the C of the examples.

    python tools/golden.py            write the files
    python tools/golden.py --check    write nothing; exit 1 when a committed file is not what is generated
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devstate.gen.files import generate, generate_all, support
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.layout.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "gen"
EXAMPLES = ROOT / "examples" / "drivers"

FORMATS = (
    "memfd-v2", "luo-v5", "kho-v4", "kho-v1", "kho-xarray", "luo-v1", "memblock-v1", "kexec-metadata", "iommu-liveupdate", "pstore-kho",
    "page-table-stream",
)  # fmt: skip
"""Between them: bit-fields, page lists, chains, counted areas, devicetrees, maps of pages, odd alignment, unions, gaps, byte orders,
flexible ends."""


def layouts_of(registry: Registry, name: str) -> list[Layout]:
    """The layouts of a format, one a page size."""
    return [registry.layout(name, Environment(size)) for size in PAGE_SIZES]


def files() -> dict[Path, str]:
    """Every file by path."""
    found: dict[Path, str] = {}
    for name in FORMATS:
        found |= {GOLDEN / file: text for file, text in generate_all(layouts_of(Registry.shipped(), name)).items()}
    examples = Registry()
    add_user_schemas(examples, str(EXAMPLES))
    for name in examples.summaries:
        made = (generate(kind, layouts_of(examples, name)) for kind in ("c-header", "c-codec-header", "c-codec"))
        found |= {EXAMPLES / "generated" / file: text for file, text in made}
    for name in ("devstate.h", "devstate_tagged.h", "devstate_tagged_read.h", "devstate_tagged_write.h"):
        found[EXAMPLES / "generated" / name] = Path(support(name)).read_text(encoding="utf-8")
    return found


def main() -> int:
    """See the module's text. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when something differs")
    check = parser.parse_args().check
    wanted, bad = files(), 0
    folders = {path.parent for path in wanted}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for path in sorted({*wanted, *(path for folder in folders for path in folder.iterdir())}):
        text = wanted.get(path)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"{path}: {'not generated any more' if text is None else 'out of date'}; run `make gen`", file=sys.stderr)
            bad = 1
        elif text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    return bad


if __name__ == "__main__":
    sys.exit(main())
