# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reader on blobs made token by token: what it sees, what it refuses and where, each rule and each limit."""

from __future__ import annotations

import gc
import mmap
import weakref

import pytest

from devstate.errors import DecodeError, FdtError, LimitError
from devstate.fdt import ALL_RULES, RULES, Fdt, Node, Property, read, rules
from devstate.fdt.writer import PRESERVE, write

from .trees import BEGIN, COMPATIBLE, EMPTY, END, END_NODE, IBLE, NOP, REG, ROOT, SLASH, STRINGS, assemble, begin, prop

BLOB = bytes.fromhex(
    "d00dfeed" "000000b7" "00000048" "000000a8" "00000028" "00000011" "00000010" "00000001" "0000000f" "00000060"  # header
    "0000000000010000" "0000000000002000"  # 0x28 reserve map: address, size
    "0000000000000000" "0000000000000000"  # 0x38 its end
    "00000001" "00000000"  #                 0x48 begin ""
    "00000003" "00000007" "00000000"  #      0x50 property, 7 bytes, "compatible"
    "6b686f2d763400" "00"  #                 0x5c "kho-v4", padding
    "00000004"  #                            0x64 NOP
    "00000003" "00000000" "0000000b"  #      0x68 property, empty, "reg"
    "00000001" "4c554f00"  #                 0x74 begin "LUO"
    "00000003" "00000002" "0000000b"  #      0x7c property, 2 bytes, "reg"
    "aabb0000"  #                            0x88
    "00000002"  #                            0x8c end of LUO
    "00000001" "6e403100"  #                 0x90 begin "n@1"
    "00000004"  #                            0x98 NOP
    "00000002"  #                            0x9c end of n@1
    "00000002"  #                            0xa0 end of the root
    "00000009"  #                            0xa4 end
    "636f6d70617469626c6500" "72656700"  #   0xa8 "compatible", "reg"
)  # fmt: skip

SOUND = ROOT + prop(COMPATIBLE, b"x\0") + begin("a") + prop(REG, b"1") + END_NODE + END_NODE + END


def refused(blob: bytes, allow: frozenset[str] = frozenset()) -> DecodeError:
    """The error that reading gives."""
    with pytest.raises(DecodeError) as caught:
        read(blob, allow=allow)
    return caught.value


def test_tree() -> None:
    """Names, values, order, reserve map and boot CPU, from bytes written out above."""
    fdt = read(BLOB)
    luo = Node("LUO", {"reg": b"\xaa\xbb"})
    assert Fdt(Node("", {"compatible": b"kho-v4\0", "reg": b""}, [luo, Node("n@1", {})]), [(0x10000, 0x2000)], 1) == fdt
    assert ["compatible", "reg"] == list(fdt.root.properties)
    assert BLOB == fdt.blob
    assert 0xA8 == (fdt.header and fdt.header.off_dt_strings)


def test_places() -> None:
    """Spans of nodes and offsets of values count from the start of the blob."""
    fdt = read(BLOB)
    assert [("/", 0x48, 0x5C), ("/LUO", 0x74, 0x1C), ("/n@1", 0x90, 0x10)] == [(path, node.offset, node.size) for path, node in fdt.walk()]
    assert Property("reg", b"\xaa\xbb", 0x88) == fdt.root.children[0].property("reg")
    assert Property("reg", b"", 0x74) == fdt.root.property("reg")
    assert Property("compatible", b"kho-v4\0", 0x5C) == fdt.root.property("compatible")


def test_any_buffer() -> None:
    """A page with a blob at its start reads as the blob; what is changed in the page afterwards does not reach the tree."""
    page = mmap.mmap(-1, 4096)
    page[: len(BLOB)] = BLOB
    for buffer in (bytes(page), bytearray(page), memoryview(page), page):
        fdt = read(buffer)
        assert BLOB == fdt.blob
        assert read(BLOB) == fdt
    page[0x5C] = 0
    assert ("kho-v4",) == fdt.root.compatible


def test_a_tree_is_freed_at_once() -> None:
    """Nothing in a tree refers back to what refers to it, so a scan of much memory does not pile trees up."""
    fdt = read(BLOB)
    structure = weakref.ref(fdt.root.structure)
    gc.disable()
    try:
        del fdt
        assert structure() is None
    finally:
        gc.enable()


def test_every_prefix_is_refused() -> None:
    """A blob that ends early is no blob, wherever it ends."""
    for length in range(len(BLOB)):
        error = refused(BLOB[:length])
        assert isinstance(error, FdtError)
        assert error.offset in (0, length)


def test_every_flipped_bit() -> None:
    """It is caught, or reads as a tree that preserve writes as exactly these bytes; padding is all that a tree does not show."""
    silent = set()
    for bit in range(8 * len(BLOB)):
        blob = bytearray(BLOB)
        blob[bit // 8] ^= 1 << bit % 8
        try:
            fdt = read(blob)
        except DecodeError:
            continue
        assert bytes(blob) == write(fdt, PRESERVE)
        if fdt == read(BLOB) and fdt.header == read(BLOB).header:
            silent.add(bit // 8)
    end_of_map, padding = set(range(0x38, 0x40)), {0x4D, 0x4E, 0x4F, 0x63, 0x8A, 0x8B}
    assert end_of_map | padding == silent


@pytest.mark.parametrize(
    ("structure", "token", "path", "text"),
    [
        (b"", 0, None, "ends without FDT_END"),
        (ROOT[:6], 6, "/", "ends without FDT_END; expected 00000009; found the end of the block"),
        (ROOT[:4] + b"abcd", 4, None, "node name has no end in the structure block"),
        (begin("root") + END_NODE + END, 4, None, "the root node has a name; expected an empty name; found 'root'"),
        (ROOT, 8, "/", "ends without FDT_END"),
        (ROOT + b"\0\0\0", 8, "/", "ends without FDT_END; expected 00000009; found 000000"),
        (ROOT + prop(REG, b"1"), 24, "/", "ends without FDT_END; expected 00000009; found the end of the block"),
        (ROOT + END_NODE, 12, None, "the root node is not followed by FDT_END; expected 00000009; found the end of the block"),
        (ROOT + END_NODE + NOP + END, 12, None, "the root node is not followed by FDT_END; expected 00000009; found 00000004"),
        (ROOT + END_NODE + ROOT + END_NODE + END, 12, None, "the root node is not followed by FDT_END"),
        (ROOT + begin("a") + END, 16, "/a", "FDT_END inside of a node"),
        (END_NODE + END, 0, None, "FDT_END_NODE outside of a node"),
        (ROOT + b"\0\0\0\x05" + END_NODE + END, 8, "/", "unknown token; expected 1, 2, 3, 4 or 9; found 0x5"),
        (ROOT + begin("a") + begin("b") + prop(REG)[:8], 24, "/a/b", "property is cut by the end of the structure block"),
        (ROOT + prop(REG, bytes(8))[:-4], 8, "/", "property overruns the structure block; expected at most 16 bytes; found 20"),
        (ROOT + prop(REG) + prop(REG + 1, b"1") + prop(REG)[:4] + bytes(3), 36, "/", "property is cut"),
        (ROOT + begin("a") + prop(REG, b"12345678") + END_NODE + begin("b") + prop(REG, b"12345678")[:16], 48, "/b", "overruns"),
        (ROOT + b"\0\0\0\3\xff\xff\xff\xff\0\0\0\0" + END_NODE + END, 8, "/", "property overruns the structure block"),
        (ROOT + prop(len(STRINGS)) + END_NODE + END, 16, "/", "name is outside the strings block; expected below 0x14; found 0x14"),
        (ROOT + prop(0xFFFFFFFF) + END_NODE + END, 16, "/", "property name is outside the strings block"),
    ],
)  # fmt: skip
def test_malformed(structure: bytes, token: int, path: str | None, text: str) -> None:
    """What no reader could accept: the error has the place of the token, the node's path, and no rule; nothing allows it."""
    for allow in (frozenset(), ALL_RULES):
        error = refused(assemble(structure), allow)
        assert isinstance(error, FdtError)
        assert (0x38 + token, path, None) == (error.offset, error.path, error.rule)
        assert text in str(error)


def test_property_name_without_end() -> None:
    """The last string of the block has no NUL: the block ends there, even if the blob goes on."""
    blob = assemble(ROOT + prop(COMPATIBLE) + END_NODE + END, b"compatible\0tail\0", size_dt_strings=15)
    assert {"compatible": b""} == read(blob).root.properties
    error = refused(assemble(ROOT + prop(11) + END_NODE + END, b"compatible\0tail\0", size_dt_strings=15))
    assert "property name has no end in the strings block" in str(error)


def test_reserve_map() -> None:
    """Entries up to a size of 0 (the address there is free); a map that runs into the end of the blob is refused."""
    entries = b"".join(value.to_bytes(8, "big") for value in (1 << 63, 4096, 7, 1, 99, 0))
    assert ((1 << 63, 4096), (7, 1)) == read(assemble(SOUND, reserve=entries)).reserve_map
    blob = assemble(SOUND)
    at = len(blob) + -len(blob) % 8
    assert () == read(assemble(SOUND, STRINGS + bytes(at - len(blob) + 16), off_mem_rsvmap=at, size_dt_strings=len(STRINGS))).reserve_map
    at = len(blob) - len(blob) % 8 - 8
    error = refused(assemble(SOUND, off_mem_rsvmap=at), ALL_RULES)
    assert ("reserve map has no end", at) == (error.message, error.offset)


TWICE = ROOT + begin("a") + prop(REG, b"1") + NOP + prop(REG, b"2") + END_NODE + END_NODE + END
TWO = ROOT + begin("a") + END_NODE + begin("a") + END_NODE + END_NODE + END
SHARED = ROOT + prop(4 + REG) + END_NODE + END
"""A structure block whose last word is the start of the strings block."""

BROKEN_RULES = {
    rules.NO_ROOT: (assemble(END), 0x38, None),
    rules.ROOT_NOT_FIRST: (assemble(NOP + SOUND), 0x3C, None),
    rules.STRAY_PROPERTY: (assemble(prop(REG) + SOUND), 0x38, None),
    rules.PROPERTY_AFTER_SUBNODE: (assemble(ROOT + begin("a") + END_NODE + prop(REG) + END_NODE + END), 0x4C, "/"),
    rules.DUPLICATE_PROPERTY: (assemble(TWICE), 0x5C, "/a"),
    rules.DUPLICATE_NODE: (assemble(TWO), 0x4C, "/"),
    rules.SLASH_IN_NAME: (assemble(ROOT + begin("a/b") + END_NODE + END_NODE + END), 0x40, "/"),
    rules.EMPTY_NAME: (assemble(ROOT + begin("") + END_NODE + END_NODE + END), 0x40, "/"),
    rules.TRAILING_STRUCT: (assemble(SOUND + bytes(4)), 0x38 + len(SOUND), None),
    rules.MISALIGNED_BLOCK: (assemble(SOUND, reserve=bytes(18)), 0x08, None),
    rules.OVERLAPPING_BLOCKS: (assemble(SHARED, off_dt_strings=0x34 + len(SHARED), size_dt_strings=4 + len(STRINGS)), 0x0C, None),
}


def test_each_rule_has_a_text_and_a_case() -> None:
    """The list that is printed is the list that is tested."""
    assert set(RULES) == set(BROKEN_RULES) == ALL_RULES
    assert all(text.endswith(".") for text in RULES.values())


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str) -> None:
    """Each rule fires at its place with its id; switched off, and only then, the blob reads, and is preserved."""
    blob, offset, path = BROKEN_RULES[rule]
    for allow in (frozenset(), ALL_RULES - {rule}):
        error = refused(blob, allow)
        assert isinstance(error, FdtError)
        assert (rule, offset, path) == (error.rule, error.offset, error.path)
    fdt = read(blob, allow={rule})
    assert blob == write(fdt, PRESERVE)


def test_rules_on_property_names() -> None:
    """The rules on names hold for properties, too."""
    for name, rule in ((SLASH, rules.SLASH_IN_NAME), (EMPTY, rules.EMPTY_NAME)):
        error = refused(assemble(ROOT + prop(name) + END_NODE + END))
        assert isinstance(error, FdtError)
        assert (rule, 0x40) == (error.rule, error.offset)


def test_misaligned_reserve_map() -> None:
    """The other half of that rule."""
    error = refused(assemble(SOUND, reserve=bytes(24), off_mem_rsvmap=44))
    assert isinstance(error, FdtError)
    assert (rules.MISALIGNED_BLOCK, 0x10) == (error.rule, error.offset)


def test_what_is_seen_where_a_rule_is_off() -> None:
    """Of two properties the first, as libfdt looks up; of two nodes both, the first by path; without a root an empty one."""

    def tree(rule: str) -> Fdt:
        return read(BROKEN_RULES[rule][0], allow=ALL_RULES)

    assert {"reg": b"1"} == tree(rules.DUPLICATE_PROPERTY).root.children[0].properties
    assert ["a", "a"] == [node.name for node in tree(rules.DUPLICATE_NODE).root.children]
    assert 0x40 == getattr(tree(rules.DUPLICATE_NODE).node("/a"), "offset", None)
    assert {"reg": b""} == tree(rules.PROPERTY_AFTER_SUBNODE).root.properties
    assert 0x58 == getattr(tree(rules.PROPERTY_AFTER_SUBNODE).root.property("reg"), "offset", None)
    assert Fdt(Node("", {})) == tree(rules.NO_ROOT)
    assert ("x",) == tree(rules.STRAY_PROPERTY).root.compatible


def test_names_share_tails_and_heads_repeat() -> None:
    """A name may start inside of another one; a head seen before is checked again where it stands."""
    structure = ROOT + prop(IBLE, b"1") + prop(COMPATIBLE, b"1") + begin("a") + prop(IBLE, b"2") + prop(COMPATIBLE, b"2") + END_NODE
    fdt = read(assemble(structure + END_NODE + END))
    assert {"ible": b"1", "compatible": b"1"} == fdt.root.properties
    assert {"ible": b"2", "compatible": b"2"} == fdt.root.children[0].properties


def numbered(count: int, each: bytes = END_NODE) -> bytes:
    """A root with that many children, each with a name of its own and with ``each`` inside."""
    return ROOT + b"".join(BEGIN + f"{number:07x}".encode() + b"\0" + each for number in range(count)) + END_NODE + END


def test_limit_of_depth() -> None:
    """MAX_DEPTH nodes on one path are read, one more is refused, and no depth is a RecursionError."""

    def nested(depth: int) -> bytes:
        return assemble(ROOT + begin("n") * (depth - 1) + END_NODE * depth + END)

    assert rules.MAX_DEPTH == len(list(read(nested(rules.MAX_DEPTH)).walk()))
    error = refused(nested(rules.MAX_DEPTH + 1))
    assert isinstance(error, LimitError)
    assert (0x38 + 8 * rules.MAX_DEPTH, "/" + "/".join("n" * (rules.MAX_DEPTH - 1))) == (error.offset, error.path)
    assert isinstance(refused(nested(100_000)), LimitError)


def test_limit_of_nodes() -> None:
    """MAX_NODES, root included, and one more."""
    assert rules.MAX_NODES - 1 == len(read(assemble(numbered(rules.MAX_NODES - 1))).root.children)
    assert "too many nodes" in refused(assemble(numbered(rules.MAX_NODES))).message


def test_limit_of_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAX_PROPERTIES and one more; the limit is lowered to make it quick."""
    monkeypatch.setattr(rules, "MAX_PROPERTIES", 100)
    below = (begin("n") + prop(REG) + prop(COMPATIBLE)) * 50 + END_NODE * 51 + END
    assert 51 == len(list(read(assemble(ROOT + below)).walk()))
    error = refused(assemble(ROOT + prop(REG) + below))
    assert isinstance(error, LimitError)
    assert "too many properties" in error.message


def test_limit_of_names() -> None:
    """Names of MAX_NAME bytes and one more; MAX_PROPERTY_NAMES different ones and one more."""
    name = "n" * rules.MAX_NAME
    blob = assemble(ROOT + prop(0) + begin(name) + END_NODE + END_NODE + END, name.encode() + b"\0")
    assert [name] == list(read(blob).root.properties)
    assert name == read(blob).root.children[0].name
    for longer in (
        assemble(ROOT + begin(name + "n") + END_NODE + END_NODE + END),
        assemble(ROOT + prop(0) + END_NODE + END, name.encode() + b"n\0"),
    ):
        error = refused(longer)
        assert isinstance(error, LimitError)
        assert "name is too long" in error.message
    strings = b"".join(b"%03x\0" % number for number in range(rules.MAX_PROPERTY_NAMES + 1))
    many = [prop(4 * number) for number in range(rules.MAX_PROPERTY_NAMES + 1)]
    assert rules.MAX_PROPERTY_NAMES == len(read(assemble(ROOT + b"".join(many[:-1]) + END_NODE + END, strings)).root.properties)
    assert "too many property names" in refused(assemble(ROOT + b"".join(many) + END_NODE + END, strings)).message


def test_limit_of_reserve_map() -> None:
    """MAX_RESERVED entries and one more."""
    entry = (1).to_bytes(8, "big") * 2
    assert rules.MAX_RESERVED == len(read(assemble(SOUND, reserve=entry * rules.MAX_RESERVED + bytes(16))).reserve_map)
    assert "reserve map is too long" in refused(assemble(SOUND, reserve=entry * (rules.MAX_RESERVED + 1) + bytes(16))).message


def test_limit_of_size() -> None:
    """A blob of MAX_SIZE is read; the header of one more is refused before anything is copied."""
    room = rules.MAX_SIZE - len(assemble(ROOT + prop(REG) + END_NODE + END))
    blob = assemble(ROOT + prop(REG, bytes(room)) + END_NODE + END)
    assert rules.MAX_SIZE == len(blob)
    assert room == len(read(blob).root.properties["reg"])
    assert isinstance(refused(assemble(ROOT + prop(REG, bytes(room + 4)) + END_NODE + END)), LimitError)


def test_hostile_names_stay_linear() -> None:
    """Each property names another tail of one long string: refused at the name limit, not after gigabytes of names."""
    strings = b"n" * 100_000 + b"\0"
    structure = ROOT + b"".join(prop(number) for number in range(50_000)) + END_NODE + END
    assert isinstance(refused(assemble(structure, strings)), LimitError)


def test_source_is_in_the_error() -> None:
    """The name of the input, offset and path, in one line."""
    with pytest.raises(FdtError) as caught:
        read(assemble(ROOT + begin("LUO") + b"\0\0\0\5" + END_NODE + END_NODE + END), source="cut.dtb")
    assert "cut.dtb: offset 0x48: /LUO: unknown token; expected 1, 2, 3, 4 or 9; found 0x5" == str(caught.value)
