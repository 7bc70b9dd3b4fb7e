# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""decode: bytes to records, through a layout. Nothing of construct is involved; see ``codec.reference`` for the decoder that is.

Errors say where: ``source``, ``pa`` (the physical address of ``data[0]``), the byte offset in ``data``, the field path.
Time and memory are linear in the bytes that are there, whatever the counts in them claim.
"""

from __future__ import annotations

from itertools import chain

from devstate.codec.piece import Row
from devstate.codec.plan import Plan, format_of, piece_of, plan_of
from devstate.codec.record import Record, fields
from devstate.errors import DecodeError, LimitError, TruncatedError, UsageError
from devstate.layout.model import ArrayType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from devstate.codec.piece import Piece
    from devstate.layout.model import Layout, StructLayout, TypeLayout
    from devstate.memory.physmem import PhysMemory

    Data: TypeAlias = bytes | bytearray | memoryview

ELEMENTS_MAX = 1 << 24
"""Most elements of one flexible array or of one call of decode_array: the limit of the schema language, 128 MiB of u64."""

CHUNK = 64
"""Records unpacked in one step: enough to hide what a step costs, few enough for the cache."""


def decode(
    layout: Layout,
    data: Data,
    struct: str | None = None,
    *,
    offset: int = 0,
    source: str | None = None,
    pa: int | None = None,
    exact: bool = False,
) -> Record:
    """The record at ``offset`` in ``data``: the root struct of ``layout``, or the one called ``struct``.

    Bytes behind it are left alone, or refused when ``exact``. TruncatedError when the data ends early, LimitError above
    ELEMENTS_MAX, DecodeError when an area is not filled by whole elements, UsageError for a struct that the layout does not have.
    """
    plan = plan_of(layout, struct)
    view = _bytes(data)
    try:
        record, end = _read(plan, view, offset)
        if exact and end != len(view):
            found = f"{len(view) - offset} bytes"
            raise DecodeError("bytes behind the end of the record", offset=end, expected=f"{end - offset} bytes", found=found)
    except DecodeError as error:
        raise error.at(source=source, pa=pa, path=plan.struct.name) from None
    return record


def decode_array(
    layout: Layout, struct: str | None, data: Data, count: int, *, offset: int = 0, source: str | None = None, pa: int | None = None
) -> list[Record]:
    """``count`` records of a struct of fixed size, one behind the other from ``offset``. Errors as in :func:`decode`."""
    plan = plan_of(layout, struct)
    view = memoryview(_bytes(data))
    try:
        if plan.flexible or plan.size == 0:
            raise DecodeError("no array of these", expected="a struct of a fixed size above 0", found=plan.struct.name)
        room = len(view) - offset
        if offset < 0 or not 0 <= count * plan.size <= room:
            expected = f"{count} records of {plan.size} bytes"
            raise TruncatedError("too few bytes for the array", offset=offset, expected=expected, found=f"{room} bytes")
        if count > ELEMENTS_MAX:
            raise LimitError("too many records", offset=offset, expected=f"at most {ELEMENTS_MAX}", found=count)
    except DecodeError as error:
        raise error.at(source=source, pa=pa, path=plan.struct.name) from None
    return _many(layout, plan, view[offset : offset + count * plan.size])


def decode_at(layout: Layout, memory: PhysMemory, pa: int, struct: str | None = None, *, size: int | None = None) -> Record:
    """The record at physical address ``pa``. ``size`` is the bytes of the area that holds it; None: what the struct itself needs.

    NotInMemoryError when the capture does not have the bytes. UsageError for a struct that only its area counts, without a size.
    """
    plan = plan_of(layout, struct)
    if size is None:
        size = _extent(plan, memory, pa)
    return decode(layout, memory.read(pa, size), struct, source=memory.source, pa=pa)


def arm(layout: Layout, record: Record, field: str) -> tuple[str, Any] | None:
    """The live arm of the union ``field``, as its name and value; None when the tag has no value that the layout knows.

    The first arm is live in a union without a tag. Records, tuples and ints are as in any other field.
    """
    values = dict(fields(record))
    union = record._layout.field(field).type
    if not isinstance(union, UnionType):
        raise DecodeError("not a union", path=f"{record._layout.name}.{field}")
    for each in union.arms:
        if union.tag is None or each.value is None or each.value == values[union.tag]:
            return each.name, _one(layout, each.type, values[field])
    return None


def _one(layout: Layout, kind: TypeLayout, data: bytes) -> Any:
    piece = piece_of(layout, kind)
    return piece.take(format_of(layout, piece).unpack_from(data), 0)


def _bytes(data: Data) -> Data:
    """``data`` so that its length is bytes."""
    if isinstance(data, bytes | bytearray):
        return data
    view = memoryview(data)
    if view.itemsize == 1 and view.ndim == 1:
        return view
    return view.cast("B") if view.nbytes else memoryview(b"")


def _read(plan: Plan, data: Data, offset: int) -> tuple[Record, int]:
    """The record at ``offset`` and where it ends."""
    end = offset + plan.size
    if offset < 0 or end > len(data):
        raise _truncated(plan, len(data), offset)
    values = plan.values(plan.format.unpack_from(data, offset), 0)
    if not plan.flexible:
        return plan.record(values), end
    last: Any
    try:
        if plan.nested is not None:
            last, end = _read(plan.nested, data, end)
        else:
            last, end = _elements(plan, values, data, end)
    except DecodeError as error:
        raise error.at(path=plan.struct.fields[-1].name) from None
    return plan.record([*values, last]), end


def _elements(plan: Plan, values: Any, data: Data, start: int) -> tuple[tuple[Any, ...], int]:
    """The elements of the flexible array that starts at ``start``, and where they end."""
    element = plan.element
    assert element is not None  # _read asks only for plans that have one
    room = len(data) - start
    count = room // element.size if plan.counter is None else values[plan.counter]
    if count < 0 or count * element.size > room:
        expected = f"{count} elements of {element.size} bytes"
        raise TruncatedError("the array does not fit", offset=start, expected=expected, found=f"{room} bytes")
    end = start + count * element.size
    if plan.counter is None and end != len(data):
        expected = f"a multiple of {element.size} bytes"
        raise DecodeError("the area ends inside an element", offset=end, expected=expected, found=f"{room} bytes")
    if count > ELEMENTS_MAX:
        raise LimitError("too many elements", offset=start, expected=f"at most {ELEMENTS_MAX}", found=count)
    return tuple(_many(plan.layout, element, memoryview(data)[start:end])), end


def _many(layout: Layout, piece: Piece, data: memoryview) -> list[Any]:
    """Everything in ``data``, whose length is a multiple of the piece's size.

    Where the slots are the values, they are unpacked a chunk of records at a time and dealt out by zip, which makes no tuple of its
    own for each record: half the time of one unpack a record.
    """
    if piece.take is not tuple.__getitem__ and not (isinstance(piece, Plan) and piece.flat):
        take = piece.take
        return [take(slots, 0) for slots in format_of(layout, piece).iter_unpack(data)]
    chunks = len(data) // (piece.size * CHUNK)
    head = format_of(layout, Row(piece, CHUNK)).iter_unpack(data[: chunks * CHUNK * piece.size]) if chunks else ()
    slots = chain.from_iterable(chain(head, format_of(layout, piece).iter_unpack(data[chunks * CHUNK * piece.size :])))
    return list(map(piece.record, zip(*[slots] * piece.width, strict=False))) if isinstance(piece, Plan) else list(slots)


def _extent(plan: Plan, memory: PhysMemory, pa: int) -> int:
    """Bytes of the record at ``pa``, as its own counts say."""
    size = plan.size
    while plan.nested is not None:
        plan = plan.nested
        size += plan.size
    if plan.element is None:
        return size
    if plan.counter is None:
        raise UsageError(f"{plan.struct.name} is counted by its area: say how many bytes that has")
    values = plan.values(plan.format.unpack(memory.read(pa + size - plan.size, plan.size)), 0)
    count: int = values[plan.counter]
    if not 0 <= count <= ELEMENTS_MAX:
        path = plan.struct.name
        raise LimitError("too many elements", source=memory.source, pa=pa, path=path, expected=f"0..{ELEMENTS_MAX}", found=count)
    return size + count * plan.element.size


def _truncated(plan: Plan, length: int, offset: int) -> TruncatedError:
    """The error for the first field that is not whole."""
    room = length - offset if 0 <= offset <= length else 0
    at, path, kind = _first_cut(plan.layout, plan.struct, room)
    size = plan.layout.size_of(kind)
    return TruncatedError("the data ends early", offset=offset + at, path=path, expected=f"{size} bytes", found=f"{room - at} bytes")


def _first_cut(layout: Layout, struct: StructLayout, room: int) -> tuple[int, str, TypeLayout]:
    """Offset, path and type of the innermost value of ``struct`` that ``room`` bytes do not hold whole."""
    at, path = 0, ""
    kind: TypeLayout = StructType(struct.name)
    while isinstance(kind, StructType | ArrayType):
        if isinstance(kind, StructType):
            field = next(each for each in layout.struct(kind.struct).fields if at + each.offset + each.size > room)
            at, path, kind = at + field.offset, f"{path}.{field.name}", field.type
        else:
            index = (room - at) // kind.stride
            at, path, kind = at + index * kind.stride, f"{path}[{index}]", kind.element
    return at, path.removeprefix("."), kind
