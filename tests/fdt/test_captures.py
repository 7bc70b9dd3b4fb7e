# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Blobs that real kernels wrote: read strictly, and written again byte for byte, by the style that stands for how the kernel does it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from devstate.fdt import MAGIC, read, totalsize
from devstate.fdt.writer import IN_PLACE, PRESERVE, SEQUENTIAL, write

EDITED = {"7.3-kho-map-missing", "7.3-luo-blob-size-missing"}
"""Cases whose edit turned a property into NOPs: no style but preserve makes these."""


def pages(core: Path) -> Iterator[tuple[int, bytes]]:
    """The pages of a small ELF core that start as a devicetree, with their physical address."""
    data = zstandard.ZstdDecompressor().stream_reader(core.read_bytes()).read()
    table, count = struct.unpack_from("<Q", data, 0x20)[0], struct.unpack_from("<H", data, 0x38)[0]
    for index in range(count):
        kind, _, offset, _, pa, size = struct.unpack_from("<IIQQQQ", data, table + 56 * index)
        for at in range(0, size if kind == 1 else 0, 4096):
            if data[offset + at : offset + at + 4] == MAGIC:
                yield pa + at, data[offset + at : offset + min(at + 4096, size)]


def test_roots_are_written_in_place(any_captures: Path) -> None:
    """Every root that a kernel handed over is what IN_PLACE makes of its tree; every subtree is what SEQUENTIAL makes of its."""
    styles: dict[str, set[str]] = {}
    for core in sorted(any_captures.glob("*.core.zst")):
        truth = json.loads((core.parent / core.name.replace(".core.zst", ".truth.json")).read_text())
        roots = []
        for pa, page in pages(core):
            fdt = read(page)
            assert totalsize(page) == len(fdt.blob or b"")
            assert fdt.blob == write(fdt, PRESERVE)
            style = IN_PLACE if fdt.root.compatible[0].startswith("kho-v") else SEQUENTIAL
            assert fdt.blob == write(fdt, style), (core.name, hex(pa))
            styles.setdefault(style, set()).add(fdt.root.compatible[0])
            if style == IN_PLACE:
                roots.append(hex(pa))
        assert [truth["fdt_pa"]] == roots
    assert {"kho-v4"} == styles[IN_PLACE]


def test_subtrees_are_written_sequentially(captures: Path) -> None:
    """Among them are memblock's of three regions and the kernel's own test's."""
    found = {fdt.root.compatible[0] for name in ("reserve-7.3", "flb-7.2") for fdt in map(read, blobs(captures / f"{name}.core.zst"))}
    assert {"kho-v4", "memblock-v1", "kho-test-v1"} == found


def blobs(core: Path) -> Iterator[bytes]:
    """The devicetrees of a core."""
    return (page for _, page in pages(core))


def test_tampered_blobs(captures: Path) -> None:
    """Handovers that were edited still hold devicetrees that a kernel accepts: so does the strict reader, and preserve keeps the edit."""
    others = set()
    for core in sorted((captures / "tampered").glob("*.core.zst")):
        for blob in blobs(core):
            fdt = read(blob)
            assert fdt.blob == write(fdt, PRESERVE)
            if fdt.blob not in (write(fdt, IN_PLACE), write(fdt)):
                others.add(core.name.removesuffix(".core.zst"))
    assert EDITED == others


def test_debugfs(captures: Path) -> None:
    """The incoming root as debugfs shows it, against its source text beside it."""
    fdt = read((captures / "debugfs-7.3" / "in" / "fdt").read_bytes())
    assert fdt.blob == write(fdt, IN_PLACE)
    source = (captures / "debugfs-7.3" / "in" / "fdt.dts").read_text()
    for _, node in fdt.walk():
        for name, value in node.properties.items():
            words = " ".join(f"{word:#04x}" for word in struct.unpack(f">{len(value) // 4}I", value[: len(value) // 4 * 4]))
            assert f"{name} = <{words}>;" in source or f'{name} = "{value[:-1].decode()}";' in source


@pytest.mark.parametrize("kind", ["prefixes", "flips"])
def test_damage_of_a_real_root(any_captures: Path, kind: str) -> None:
    """Every prefix fails cleanly; every flipped bit is caught or preserved."""
    from devstate.errors import DecodeError

    blob = read(next(blobs(any_captures / "small-7.3.core.zst"))).blob
    assert blob is not None
    if kind == "prefixes":
        for length in range(len(blob)):
            with pytest.raises(DecodeError):
                read(blob[:length])
        return
    for bit in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            fdt = read(changed)
        except DecodeError:
            continue
        assert bytes(changed)[: len(fdt.blob or b"")] == write(fdt, PRESERVE)
