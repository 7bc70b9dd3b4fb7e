# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Ours against libfdt and dtc, on thousands of generated and damaged blobs."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from devstate.errors import DecodeError, LimitError
from devstate.fdt import ALL_RULES, Fdt, Node, read
from devstate.fdt.header import VERSION
from devstate.fdt.writer import CANONICAL, IN_PLACE, PRESERVE, write

from . import peers, strategies, trees

DAMAGED = 12_000
SHUFFLED = 10_000
GENERATED = 1_000
SORTED = 150


def outcome(blob: bytes, allow: frozenset[str] = frozenset()) -> Fdt | DecodeError:
    """What reading comes to; anything else than a DecodeError is raised."""
    try:
        return read(blob, allow=allow)
    except DecodeError as error:
        return error


def in_ascii(fdt: Fdt) -> bool:
    """Whether all names are: the peer's binding makes UTF-8 of them, and may fail at that."""
    return all(name.isascii() for _, node in fdt.walk() for name in (node.name, *node.properties))


def agree(blob: bytes) -> str:
    """Hold the reader to libfdt on one blob. Returns what became of it, so that a test can see that it tested something."""
    accepted = peers.accepts(blob)
    lenient, strict = outcome(blob, ALL_RULES), outcome(blob)
    if isinstance(lenient, Fdt):
        assert accepted, "ours accepts what libfdt rejects"
        assert blob[: len(lenient.blob or b"")] == write(lenient, PRESERVE)
    elif accepted:
        old = int.from_bytes(blob[0x14:0x18], "big") < VERSION
        assert old or isinstance(lenient, LimitError), f"libfdt accepts what ours rejects: {lenient}"
    if isinstance(strict, Fdt):
        assert strict == lenient
        if in_ascii(strict):
            assert peers.properties(blob) == [(path, list(node.properties.items())) for path, node in strict.walk()]
        return "read"
    return getattr(strict, "rule", None) or ("refused" if not accepted else type(strict).__name__)


def test_damaged_blobs() -> None:
    """Whatever is done to a blob, ours accepts it with the rules off exactly when libfdt does; and then sees the same tree."""
    seen = Counter(agree(trees.damaged(write(trees.tree(seed % 500)), seed)) for seed in range(DAMAGED))
    assert min(seen["read"], seen["refused"]) > DAMAGED / 20


def test_shuffled_tokens() -> None:
    """The same where the header is sound and the tokens are not."""
    seen = Counter(agree(trees.shuffled(seed)) for seed in range(SHUFFLED))
    assert min(seen["read"], seen["refused"]) > SHUFFLED / 20
    rules = {name for name in seen if name.startswith("fdt-")}
    assert {"fdt-property-after-subnode", "fdt-duplicate-property", "fdt-duplicate-node", "fdt-slash-in-name", "fdt-empty-name"} <= rules


def test_sequential_style() -> None:
    """Trees of every kind come out as libfdt's sequential writer makes them, byte for byte, and read back equal."""
    for seed in range(GENERATED):
        fdt = trees.tree(seed)
        blob = write(fdt)
        assert peers.sequential(fdt) == blob, seed
        assert read(blob) == fdt, seed


def test_an_empty_name_is_a_tail_too() -> None:
    """Of every string: its place moves with each one that is put in front."""
    fdt = Fdt(Node("", {"": b"1", "reg": b""}, [Node("a", {"": b"2", "xreg": b""}), Node("b", {"": b"3", "g": b""})]))
    assert peers.sequential(fdt) == write(fdt)


def test_in_place_style() -> None:
    """So do they as fdt_add_subnode and fdt_setprop make them. Whole words only: libfdt leaves old bytes in the padding."""
    for seed in range(GENERATED):
        fdt = trees.tree(seed, whole_words=True)
        blob = write(fdt, IN_PLACE)
        assert peers.in_place(fdt) == blob, seed
        assert read(blob) == fdt, seed


def test_canonical_style() -> None:
    """So do they as ``dtc -s`` makes them, whatever style dtc is given."""
    for seed in range(SORTED):
        fdt = trees.tree(seed)
        assert peers.sorted_by_dtc(write(fdt)) == write(fdt, CANONICAL), seed


@given(strategies.fdts)
@settings(max_examples=150, deadline=None)
def test_any_tree(fdt: Fdt) -> None:
    """Names with any character but '/', shared tails, empty values: written as libfdt does, read back equal, accepted by libfdt."""
    blob = write(fdt)
    assert read(blob) == fdt
    assert read(write(fdt, IN_PLACE)) == fdt
    assert peers.accepts(blob)
    canonical = write(fdt, CANONICAL)
    assert peers.accepts(canonical)
    assert write(read(canonical), CANONICAL) == canonical
    if in_ascii(fdt):
        assert peers.sequential(fdt) == blob


def test_dtc_reads_every_style() -> None:
    """dtc, which shares no code with libfdt's reader, makes one and the same sorted tree of all styles."""
    fdt = trees.tree(7)
    expected = write(fdt, CANONICAL)
    for style in ("sequential", "in-place", "canonical"):
        assert expected == peers.sorted_by_dtc(write(fdt, style)), style


@pytest.mark.parametrize("size", [929, 1024, 4095, 4096, 65_521])
def test_sizes_that_libfdt_binding_stumbles_over(size: int) -> None:
    """Payloads at which growing the peer's buffer fails; ours has no buffer to grow."""
    fdt = Fdt(Node("", {"data": bytes(size)}))
    assert peers.sequential(fdt) == write(fdt)
