# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two versions of a tagged map: what each reader makes of what the other wrote. The codec is the judge of every verdict."""

from __future__ import annotations

from typing import Any

import pytest

from devstate.codec.tagged import decode_tagged, encode_tagged
from devstate.compat.compare import compare
from devstate.errors import DecodeError
from devstate.finding import Outcome
from devstate.layout.lower import lower
from devstate.layout.model import Layout
from devstate.schema import S16, U8, U16, U32, About, Array, Chars, FlexArray, Raw, Schema, Struct

OK, REFUSED = Outcome.OK, Outcome.REFUSED
NUMBER = "number" / U16 * About(tag=1)


def layout(*fields: Any, encoding: str = "tagged") -> Layout:
    """A layout with these fields."""
    root = Struct("cfg", *fields, packed=True)
    return lower(Schema(name="cfg", doc="d", source="s", status="project", root=root, encoding=encoding))


def queue(*fields: Any) -> Any:
    """A list of structs with these fields, as tag 5."""
    return "queues" / FlexArray(Struct("queue", *fields, packed=True)) * About(tag=5)


def most(shape: Any, kind: Any, field: Any) -> Any:
    """The value of a type that is hardest to take: greatest, longest, with everything in it."""
    if hasattr(kind, "struct"):
        return {each.name: most(shape, each.type, each) for each in shape.struct(kind.struct).fields}
    if hasattr(kind, "element"):
        return [most(shape, kind.element, field)] * (2 if kind.count is None else kind.count)
    if hasattr(kind, "signed"):
        return -(1 << kind.size * 8 - 1) if kind.signed else (1 << kind.size * 8) - 1
    return b"x" * (kind.size - 1) + b"\0" if kind.text else b"y" * kind.size


CASES = [
    ("same", (NUMBER,), (NUMBER,), OK, OK, False),
    ("a field that may be absent came", (NUMBER,), (NUMBER, "x" / U8 * About(tag=2, optional=True)), OK, OK, False),
    ("a field that is needed came", (NUMBER,), (NUMBER, "x" / U8 * About(tag=2)), REFUSED, OK, True),
    ("a field that is needed went", (NUMBER, "x" / U8 * About(tag=2)), (NUMBER,), OK, REFUSED, True),
    ("in another place", (NUMBER, "x" / U8 * About(tag=2)), ("x" / U8 * About(tag=2), NUMBER), OK, OK, False),
    ("another name", (NUMBER,), ("count" / U16 * About(tag=1),), OK, OK, False),
    ("wider", (NUMBER,), ("number" / U32 * About(tag=1),), OK, REFUSED, True),
    ("signed", (NUMBER,), ("number" / S16 * About(tag=1),), REFUSED, REFUSED, True),
    ("longer text", ("t" / Chars(8) * About(tag=1),), ("t" / Chars(9) * About(tag=1),), OK, REFUSED, True),
    ("longer bytes", ("t" / Raw(8) * About(tag=1),), ("t" / Raw(9) * About(tag=1),), REFUSED, REFUSED, True),
    ("number to text", (NUMBER,), ("number" / Chars(8) * About(tag=1),), REFUSED, REFUSED, True),
    ("another length", ("a" / Array(2, U8) * About(tag=1),), ("a" / Array(3, U8) * About(tag=1),), REFUSED, REFUSED, True),
    ("any length", ("a" / Array(2, U8) * About(tag=1),), ("a" / FlexArray(U8) * About(tag=1),), OK, REFUSED, True),
    ("inside a list", (queue(NUMBER),), (queue(NUMBER, "x" / U8 * About(tag=2)),), REFUSED, OK, True),
    ("inside a list, may be absent", (queue(NUMBER),), (queue(NUMBER, "x" / U8 * About(tag=2, optional=True)),), OK, OK, False),
]


@pytest.mark.parametrize(("old", "new", "read_old", "read_new", "wire"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_verdicts(old: tuple[Any, ...], new: tuple[Any, ...], read_old: Outcome, read_new: Outcome, wire: bool) -> None:
    """As the comparison says, and as the codec does with the hardest value of either side."""
    before, after = layout(*old), layout(*new)
    changes = compare(before, after).changes
    assert read_old == max((each.read_old for each in changes), default=OK)
    assert read_new == max((each.read_new for each in changes), default=OK)
    assert wire == any(each.wire for each in changes)
    for writer, reader, expected in ((before, after, read_old), (after, before, read_new)):
        root = writer.struct()
        data = encode_tagged(writer, {field.name: most(writer, field.type, field) for field in root.fields})
        try:
            decode_tagged(reader, data)
            found = OK
        except DecodeError:
            found = REFUSED
        assert expected == found or (expected, found) == (REFUSED, OK)


def test_another_encoding() -> None:
    """A map where bytes were: a reader of maps refuses bytes, a reader of bytes takes a map for some."""
    changes = compare(layout("number" / U16, encoding="packed"), layout(NUMBER)).changes
    assert [("encoding", REFUSED, Outcome.MISREAD)] == [(each.kind, each.read_old, each.read_new) for each in changes]
