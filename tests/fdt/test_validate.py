# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The C core's verdict on a blob against the strict reader: the same first fault at the same place."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import DecodeError, LimitError, UsageError
from devstate.fdt import Fdt, Node, read, rules
from devstate.fdt.header import HEADER_SIZE
from devstate.fdt.writer import CANONICAL, IN_PLACE, write
from devstate.pagetable import native
from devstate.pagetable.fdt_validate import CODES, FdtVerdict, fdt_validate, scratch_for

from . import strategies, trees
from .trees import COMPATIBLE, END, END_NODE, NOP, REG, ROOT, assemble, begin, prop

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devstate is installed without its C core")

MESSAGES = {
    "header": ("header is cut", "total size is less than the header"),
    "magic": ("not a flattened devicetree: wrong magic",),
    "version": ("version is too old", "version is too new"),
    "cut": ("blob is cut",),
    "block": ("reserve map is outside the blob", "structure block is outside the blob", "strings block is outside the blob"),
    "reserve-end": ("reserve map has no end",),
    "token": (
        "the structure block ends without FDT_END", "FDT_END inside of a node", "FDT_END_NODE outside of a node", "unknown token",
        "the root node is not followed by FDT_END",
    ),
    "property": ("property overruns the structure block", "property is cut by the end of the structure block"),
    "name": (
        "property name is outside the strings block", "property name has no end in the strings block",
        "node name has no end in the structure block", "the root node has a name",
    ),
}  # fmt: skip
"""Which errors of the reader a code of the core stands for, where it is no rule and no limit."""


def agree(blob: bytes) -> str:
    """Hold the core to the reader on one blob. Returns the code."""
    verdict = fdt_validate(blob)
    try:
        fdt = read(blob)
    except DecodeError as error:
        assert (error.offset, False) == (verdict.offset, bool(verdict)), error
        if isinstance(error, LimitError):
            assert "limit" == verdict.code, error
        elif getattr(error, "rule", None):
            assert error.rule == verdict.code  # type: ignore[attr-defined]  # an FdtError
        else:
            assert error.message in MESSAGES[verdict.code], verdict
    else:
        nodes = [node for _, node in fdt.walk()]
        assert FdtVerdict("", 0, len(nodes), sum(len(node.properties) for node in nodes)) == verdict
    return verdict.code


def test_damaged_blobs() -> None:
    """Whatever is done to a blob. Nearly every code is met."""
    seen = Counter(agree(trees.damaged(write(trees.tree(seed % 500)), seed)) for seed in range(12_000))
    assert min(seen[""], seen["token"], seen["property"], seen["name"], seen["block"], seen["cut"], seen["magic"]) > 50


def test_shuffled_tokens() -> None:
    """The same where the header is sound and the tokens are not."""
    seen = Counter(agree(trees.shuffled(seed)) for seed in range(10_000))
    rules_met = {"fdt-property-after-subnode", "fdt-duplicate-property", "fdt-duplicate-node", "fdt-slash-in-name", "fdt-empty-name"}
    assert {"", "token"} | rules_met <= {*seen}


@given(strategies.fdts, st.sampled_from([IN_PLACE, CANONICAL]))
@settings(max_examples=100, deadline=None)
def test_any_tree(fdt: Fdt, style: str) -> None:
    """Names with any character but '/', shared tails, empty values, in each style of strings block."""
    assert "" == agree(write(fdt))
    assert "" == agree(write(fdt, style))


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    """Anything, alone and as a structure block."""
    agree(data)
    agree(assemble(data))


def test_prefixes_and_longer_blobs() -> None:
    """A prefix is refused; what stands behind a blob is no part of it."""
    blob = write(trees.tree(7))
    assert {"header", "cut"} == {agree(blob[:size]) for size in range(len(blob))}
    assert "" == agree(blob + b"x" * 33)


def test_every_bit_of_a_blob() -> None:
    """Each one flipped."""
    blob = write(trees.tree(20))
    for bit in range(8 * len(blob)):
        data = bytearray(blob)
        data[bit // 8] ^= 1 << bit % 8
        agree(bytes(data))


CASES = {
    "no root": assemble(END),
    "NOP first": assemble(NOP + ROOT + END_NODE + END),
    "stray property": assemble(prop(REG) + ROOT + END_NODE + END),
    "stray property that is cut": assemble(prop(REG)[:8]),
    "trailing": assemble(ROOT + END_NODE + END + NOP),
    "odd size": assemble(ROOT + END_NODE + END + b"x"),
    "end of block after a name": assemble(ROOT + begin("a")[:-2]),
    "a root with a name": assemble(begin("a") + END_NODE + END),
    "a root with a '/'": assemble(begin("/") + END_NODE + END),
    "same name twice, at two places": assemble(ROOT + prop(0) + prop(4) + END_NODE + END, strings=b"reg\0reg\0"),
    "same name in child and parent": assemble(ROOT + prop(REG) + begin("a") + prop(REG) + END_NODE + END_NODE + END),
    "a name of the parent again": assemble(ROOT + prop(REG) + begin("a") + END_NODE + prop(REG) + END_NODE + END),
    "a name of the child after it": assemble(ROOT + NOP + prop(COMPATIBLE, b"123") + begin("a") + prop(REG) + END_NODE + prop(REG) + END),
    "structure misaligned": assemble(ROOT + END_NODE + END, off_dt_struct=57),
    "reserve map misaligned": assemble(ROOT + END_NODE + END, off_mem_rsvmap=44),
    "strings over the structure": assemble(ROOT + END_NODE + END, off_dt_strings=60, size_dt_strings=4),
    "strings on the structure": assemble(ROOT + END_NODE + END, off_dt_strings=56, size_dt_strings=16),
    "strings and structure start alike": assemble(ROOT + END_NODE + END, off_dt_strings=56, size_dt_strings=4),
    "strings at the reserve map": assemble(ROOT + END_NODE + END, off_dt_strings=40, size_dt_strings=16),
    "reserve map without end": assemble(ROOT + END_NODE + END, reserve=b"\1" * 16),
    "no strings": assemble(ROOT + prop(0) + END_NODE + END, strings=b""),
    "strings without NUL": assemble(ROOT + prop(0) + END_NODE + END, strings=b"reg"),
    "empty": b"",
}


@pytest.mark.parametrize("name", CASES)
def test_odd_blobs(name: str) -> None:
    """Things that two readers understand in two ways, one by one."""
    agree(CASES[name])


def test_names_of_every_length() -> None:
    """Of nodes and of properties, up to the limit and one above, whatever stands behind."""
    for size in (*range(1, 34), 254, 255, 256, 257, 270):
        name = "n" * size
        expected = "" if size <= rules.MAX_NAME else "limit"
        assert expected == agree(assemble(ROOT + begin(name) + END_NODE + END_NODE + END))
        assert expected == agree(assemble(ROOT + prop(0) + END_NODE + END, strings=name.encode() + b"\0"))
        agree(assemble(ROOT + begin(name)[: 4 + size]))
        agree(assemble(ROOT + prop(0) + END_NODE + END, strings=name.encode()))


def test_slashes_at_every_place() -> None:
    """Inside of the name they are refused, behind it they are another's."""
    for size in range(1, 18):
        for at in range(size):
            name = "n" * at + "/" + "n" * (size - at - 1)
            assert "fdt-slash-in-name" == agree(assemble(ROOT + begin(name) + END_NODE + END_NODE + END))
        assert "" == agree(assemble(ROOT + prop(0) + END_NODE + END, strings=b"n" * size + b"\0////////"))


@pytest.mark.parametrize("count", [2, 7, 8, 9, 100, 1000])
def test_children_of_one_name(count: int) -> None:
    """The first child whose name was there before, among few and among many; the order of siblings is no matter."""
    rng = random.Random(count)
    for _ in range(20):
        names = [f"node@{number:x}" for number in range(count)]
        rng.shuffle(names)
        assert "" == agree(write(Fdt(Node("", {}, [Node(name, {}) for name in names]))))
        for _ in range(rng.randrange(1, 3)):
            names[rng.randrange(count)] = rng.choice(names)
        agree(assemble(ROOT + b"".join(begin(name) + END_NODE for name in names) + END_NODE + END))


def colliding(count: int) -> list[str]:
    """Names of eight letters that all have one hash: the core's two rounds (one for the name, one for its NUL) run backwards."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 1 << 64)
    names: list[str] = []
    high = 0
    while len(names) < count:
        high += 1
        last = (high << 32 | high ^ 0x5EED) * inverse % (1 << 64)
        text = ((last ^ last >> 32) * inverse % (1 << 64)).to_bytes(8, "little")
        if 0 not in text and ord("/") not in text:
            names.append(text.decode("latin-1"))
    return names


def test_names_made_to_collide() -> None:
    """A node whose children all have the same hash is judged in time, and the duplicate is found too."""
    names = colliding(30_000)
    made = ROOT + b"".join(begin(name) + END_NODE for name in names)
    assert "" == agree(assemble(made + END_NODE + END))
    again = b"".join(begin(names[at]) + END_NODE for at in (29_000, 17))
    assert "fdt-duplicate-node" == agree(assemble(made + again + END_NODE + END))


def test_limits() -> None:
    """Each at its value and one above."""
    deep = [begin("d") * (depth - 1) + END_NODE * depth + END for depth in (rules.MAX_DEPTH, rules.MAX_DEPTH + 1)]
    reserved = [b"\1" * 16 * count + bytes(16) for count in (rules.MAX_RESERVED, rules.MAX_RESERVED + 1)]
    sound = ROOT + END_NODE + END
    assert ["", "limit"] == [agree(assemble(ROOT + below)) for below in deep]
    assert ["", "limit"] == [agree(assemble(sound, reserve=entries)) for entries in reserved]
    assert "limit" == agree(assemble(ROOT + (begin("n") + END_NODE) * rules.MAX_NODES + END_NODE + END))
    assert "limit" == agree(assemble(sound, totalsize=rules.MAX_SIZE + 1))
    assert "" == agree(assemble(sound, totalsize=rules.MAX_SIZE) + bytes(rules.MAX_SIZE - len(assemble(sound))))


def test_limits_of_properties() -> None:
    """How many there may be, and at how many places of the strings block their names."""
    for more, expected in ((0, ""), (1, "limit")):
        count = rules.MAX_PROPERTY_NAMES + more
        each = b"".join(begin(f"{n}") + prop(2 * n) + END_NODE for n in range(count))
        assert expected == agree(assemble(ROOT + each + END_NODE + END, strings=b"x\0" * count))
        nodes, rest = divmod(rules.MAX_PROPERTIES + more, 1024)
        strings = b"".join(b"%d\0" % n for n in range(1000, 2024))
        many = b"".join(begin(f"{n}") + b"".join(prop(5 * k) for k in range(1024)) + END_NODE for n in range(nodes))
        many += begin("rest") + b"".join(prop(5 * k) for k in range(rest)) + END_NODE
        assert expected == agree(assemble(ROOT + many + END_NODE + END, strings=strings))


def test_the_facts_are_those_of_the_reader() -> None:
    """Limits and rule ids stand in the C header a second time."""
    lib = native.lib
    for name in ("SIZE", "DEPTH", "NODES", "PROPERTIES", "NAME", "PROPERTY_NAMES", "RESERVED"):
        assert getattr(rules, f"MAX_{name}") == getattr(lib, f"DS_FDT_MAX_{name}")
    assert tuple(rules.RULES) == CODES[lib.DS_FDT_NO_ROOT :]
    for code in CODES[1:]:
        assert code == CODES[getattr(lib, f"DS_FDT_{code.removeprefix('fdt-').upper().replace('-', '_')}")]


def test_scratch_memory() -> None:
    """The same memory serves again and again, whatever is left in it; too little of it is refused."""
    scratch = scratch_for(rules.MAX_SIZE)
    for seed in range(300):
        blob = trees.shuffled(seed)
        assert fdt_validate(blob) == fdt_validate(blob, scratch)
    blob = assemble(ROOT + END_NODE + END)
    with pytest.raises(UsageError, match="scratch"):
        fdt_validate(blob, scratch[:10])
    assert scratch_for(0).nbytes <= scratch_for(HEADER_SIZE).nbytes <= scratch.nbytes == scratch_for(1 << 40).nbytes
