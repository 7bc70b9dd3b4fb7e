# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write tests/golden/gen: what is generated from some formats, so that a change of a generator is seen in review.

    python tools/golden.py            write the files
    python tools/golden.py --check    write nothing; exit 1 when a committed file is not what is generated
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devstate.gen.files import generate_all
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.registry import Registry

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "gen"

FORMATS = ("memfd-v2", "luo-v5", "kho-v4", "memblock-v1", "kexec-metadata", "iommu-liveupdate", "pstore-kho", "page-table-stream")
"""Between them: bit-fields, page lists, chains, counted areas, a devicetree, odd alignment, unions, gaps, byte orders, flexible ends."""


def files() -> dict[str, str]:
    """Every file by name."""
    found: dict[str, str] = {}
    for name in FORMATS:
        found |= generate_all([Registry.shipped().layout(name, Environment(size)) for size in PAGE_SIZES])
    return found


def main() -> int:
    """See the module's text. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when something differs")
    check = parser.parse_args().check
    GOLDEN.mkdir(parents=True, exist_ok=True)
    wanted, bad = files(), 0
    for path in sorted({*GOLDEN.iterdir(), *(GOLDEN / name for name in wanted)}):
        text = wanted.get(path.name)
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
