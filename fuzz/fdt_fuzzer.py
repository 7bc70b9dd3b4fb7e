# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as a flattened devicetree: reading ends in a tree or an error of ours, and a tree writes back to the same bytes."""

from __future__ import annotations

from devstate.errors import DecodeError, EncodeError, FdtError, LimitError
from devstate.fdt import ALL_RULES, Fdt, Node, header, read, read_partial, totalsize
from devstate.fdt.header import HEADER_SIZE, LAST_COMPATIBLE, VERSION, Header
from devstate.fdt.writer import CANONICAL, IN_PLACE, PRESERVE, SEQUENTIAL, write

try:
    import libfdt
except ImportError:
    libfdt = None

STRINGS = b"preserved-memory-map\0compatible\0xreg\0a/b\0\0"


def one_input(data: bytes) -> None:
    """The property. Whatever is raised here is a bug. The bytes are a blob, and then the structure block of a sound one."""
    _check(data)
    _check(framed(data))


def framed(structure: bytes) -> bytes:
    """A blob around a structure block, so that fuzzing does not end at the header."""
    start = HEADER_SIZE + 16
    end = start + len(structure)
    head = Header(end + len(STRINGS), start, end, HEADER_SIZE, VERSION, LAST_COMPATIBLE, 0, len(STRINGS), len(structure))
    return head.pack() + bytes(16) + structure + STRINGS


def _check(data: bytes) -> None:
    lenient = _read(data, ALL_RULES)
    _agrees_with_libfdt(data, lenient)
    if lenient is not None:
        assert lenient.blob is not None
        assert write(lenient, PRESERVE) == data[: len(lenient.blob)]
        assert totalsize(data) == len(lenient.blob)
        _writes_back(lenient)
    strict = _read(data, frozenset())
    assert strict is None or strict == lenient
    _partial(data, strict)


def _read(data: bytes, allow: frozenset[str]) -> Fdt | None:
    try:
        return read(data, allow=allow)
    except FdtError as error:
        assert error.rule not in allow
        _has_a_place(error)
    except LimitError as error:
        _has_a_place(error)
    return None


def _has_a_place(error: DecodeError) -> None:
    assert error.offset is not None
    assert error.offset >= 0
    assert error.where() in str(error)


def _agrees_with_libfdt(data: bytes, lenient: Fdt | None) -> None:
    """With no rule in force, what is read is what libfdt accepts, but for old versions and for our limits."""
    if libfdt is None or not data:
        return
    accepted = libfdt.fdt_check_full(bytearray(data), len(data)) == 0
    if lenient is not None:
        assert accepted
    elif accepted and int.from_bytes(data[0x14:0x18], "big") >= VERSION:
        try:
            read(data, allow=ALL_RULES)
        except LimitError:
            return
        raise AssertionError("libfdt accepts this blob")


def _writes_back(fdt: Fdt) -> None:
    """Whatever was read can be written in each style, and is the same tree then; sorted once more it stays the same."""
    try:
        blob = write(fdt, SEQUENTIAL)
    except EncodeError as error:
        # A shared strings block may have to be written longer than it was.
        assert "too large" in error.message
        return
    assert read(blob, allow=ALL_RULES) == fdt
    assert read(write(fdt, IN_PLACE), allow=ALL_RULES) == fdt
    once = write(fdt, CANONICAL)
    again = read(once, allow=ALL_RULES)
    assert write(again, CANONICAL) == once


def _partial(data: bytes, strict: Fdt | None) -> None:
    """A partial read finds a problem exactly when a strict one refuses; all its nodes are inside of the bytes."""
    try:
        fdt, problems = read_partial(data)
    except DecodeError:
        assert strict is None
        return
    assert (strict is None) == bool(problems)
    assert strict is None or strict == fdt
    assert fdt.blob is not None
    size = len(fdt.blob)
    for _, node in fdt.walk():
        if node.offset is not None:
            assert 0 <= node.offset <= node.offset + node.size <= size
            for name, value in node.properties.items():
                found = node.property(name)
                assert found is not None
                assert found.offset is not None
                assert fdt.blob[found.offset : found.offset + len(value)] == value


def seeds() -> list[bytes]:
    """Small blobs that between them have everything."""
    leaf = Node("kexec-metadata", {"blob-size": bytes(8), "preserved-data": bytes(range(8))})
    deep = Node("a", {"reg": b"", "xreg": b"12345", "g": b"x\0"}, [Node("b", {"reg": b"9"}, [Node("c", {})])])
    root = Node("", {"compatible": b"kho-v4\0", "preserved-memory-map": bytes(8)}, [deep, leaf])
    trees = [Fdt(Node("", {})), Fdt(root), Fdt(root, [(0x1000, 0x2000), (1 << 63, 1)], 3)]
    blobs = [write(tree, style) for tree in trees for style in (SEQUENTIAL, IN_PLACE)]
    nops = bytearray(blobs[-1])
    at = nops.find(b"\0\0\0\3", header(nops).off_dt_struct)
    nops[at : at + 4 * 5] = b"\0\0\0\4" * 5
    heads = [header(blob) for blob in blobs]
    inside = [blob[head.off_dt_struct : head.off_dt_strings] for blob, head in zip(blobs, heads, strict=True)]
    return [*blobs, *inside, bytes(nops)]


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
