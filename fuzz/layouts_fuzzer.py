# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any file as a source of layouts (BTF, DWARF, baselines, manifests, QEMU's machines): layouts that are sound, or an error of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devstate.compat.compare import compare
from devstate.errors import DevstateError, LimitError
from devstate.layout.declared import Declared
from devstate.layout.model import ArrayType, Environment, StructLayout
from devstate.layout.plain import layout_from_plain, to_plain
from devstate.layout.registry import Registry
from devstate.source.opening import open_layouts

C = """
struct inner { unsigned char x; unsigned short y; } __attribute__((packed));
typedef struct { unsigned a : 3, b : 9; union { long c; struct { int lo, hi; }; }; } nameless;
enum kind { ONE, TWO = 7 };
struct outer { char name[16]; struct inner in[3]; nameless n; enum kind k; void *p; float f; unsigned long tail[]; } outer;
union either { int a; char b[12]; } either;
"""

MACHINE = b"""{"vmschkmachine": {"Name": "pc"}, "card": {"Name": "card", "version_id": 2, "minimum_version_id": 1, "Description":
{"name": "card", "version_id": 2, "minimum_version_id": 1, "Fields": [{"field": "a", "version_id": 0, "field_exists": false, "size": 4},
{"field": "b", "version_id": 2, "field_exists": true, "size": 8, "Description": {"name": "x", "version_id": 1, "minimum_version_id": 1,
"Fields": [{"field": "c", "version_id": 0, "field_exists": false, "size": 2}]}}], "Subsections": [{"name": "card/more", "version_id": 1,
"minimum_version_id": 1, "Fields": [{"field": "d", "version_id": 0, "field_exists": false, "size": 1}]}]}}}"""


def one_input(data: bytes) -> None:
    """The property. Whatever else than an error of ours is raised is a bug, and so is a layout that contradicts itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input")
        with open(path, "wb") as file:
            file.write(data)
        try:
            found = open_layouts(path, Environment(), registry=Registry.shipped())
        except DevstateError:
            return
    hold(found)


def hold(found: Declared) -> None:
    """Raise when a layout is not sound, does not come back from its plain form, or is not equal to itself."""
    for layout in found.formats:
        assert layout == layout_from_plain(to_plain(layout)), layout.name
        for struct in layout.structs:
            if found.kind in ("build", "object", "headers", "machine"):
                _hold_struct(struct)
        try:
            assert not compare(layout, layout).changes, layout.name
        except LimitError:
            continue


def _hold_struct(struct: StructLayout) -> None:
    for field in struct.fields:
        is_open = isinstance(field.type, ArrayType) and field.type.count is None
        assert field.offset >= 0 and (is_open or field.offset + field.size <= struct.size), (struct.name, field)
        if field.width is not None:
            assert field.shift is not None and field.shift >= 0 and field.shift + field.width <= 8 * field.size, (struct.name, field)


def seeds() -> Iterator[bytes]:
    """One file of each kind."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "source"))
    from btfwriter import elf, every_kind

    yield every_kind().bytes()
    yield every_kind(">").bytes()
    yield elf({".BTF": every_kind().bytes(), ".rodata": b"Linux version 7.3.4 \0luo-v5\0memfd-v2\0"})
    yield MACHINE
    baselines = Path(__file__).resolve().parent.parent / "schemas" / "baselines"
    yield (baselines / "memfd-v2.json").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "seed.c")
        source.write_text(C)
        for version in ("4", "5"):
            made = Path(folder, "seed.o")
            try:
                subprocess.run(["gcc", f"-gdwarf-{version}", "-c", str(source), "-o", str(made)], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                return
            yield made.read_bytes()


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
