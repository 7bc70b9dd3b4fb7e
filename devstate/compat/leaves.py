# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Leaves: a struct with everything that is embedded in it, as one row of things that are read whole.

::

    luo_session_ser   name char[64] @0        -> leaf name                 bits 0..511
                      file_set_ser  @64       -> leaf file_set_ser.files   bits 512..575
                                                 leaf file_set_ser.count   bits 576..639

Arrays of structs and unions stay one leaf each: what is inside is compared by itself. Bits are counted through memory, bit k of byte n
being ``8 * n + k``, so that a bit-field has its true place in either byte order.
"""

from __future__ import annotations

from devstate.errors import LimitError
from devstate.frozen import frozen
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

    Span = tuple[int, int]
    Shape = tuple[object, ...]

ENDLESS = 1 << 62
"""Where a flexible array ends: behind everything."""

LEAVES_MAX = 1 << 16
"""Leaves of one struct: the largest struct of a kernel has some thousands, and a baseline that embeds itself has no end."""

_RESERVED = frozenset({"reserved", "rsv", "rsvd", "resv", "pad", "padding", "unused", "spare", "filler", "hole", "mbz"})
_RESERVED_ENDS = ("_pad", "_padding", "_rsvd")


@frozen
class Leaf:
    """One leaf, ``field``; ``path`` leads to it from the outermost struct, ``at`` is its byte there.

    ``owners`` are the structs that declare each step of the path, the outermost first. ``role`` is data, reserved (written as zero, or
    so it is called) or gap. ``position`` orders leaves as C declares them.
    """

    path: str
    owners: tuple[str, ...]
    field: FieldLayout
    at: int
    spans: tuple[Span, ...]
    position: int
    role: str

    @property
    def struct(self) -> str:
        """The struct that declares it."""
        return self.owners[-1]

    @property
    def start(self) -> int:
        """Its first bit."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """The bit behind its last one."""
        return self.spans[-1][1]

    @property
    def is_bits(self) -> bool:
        """Whether it is a bit-field."""
        return self.field.width is not None


@frozen
class Leaves:
    """All leaves of a struct in the order of C. ``size`` is in bits, ENDLESS behind a flexible array; ``links`` are the fields that lead
    somewhere, as path, declaring struct and field: leaves, and embedded structs that are a link as a whole (kho_vmalloc)."""

    struct: StructLayout
    leaves: tuple[Leaf, ...]
    size: int
    links: tuple[tuple[str, str, FieldLayout], ...]


def leaves_of(layout: Layout, struct: StructLayout) -> Leaves:
    """The leaves of ``struct``. LimitError when it has too many, or embeds itself. A struct that the layout does not
    have is one leaf."""
    found: list[Leaf] = []
    links: list[tuple[str, str, FieldLayout]] = []
    known = {each.name: each for each in layout.structs}
    flexible = False
    stack: list[tuple[Iterator[FieldLayout], tuple[str, ...], str, int]] = [(iter(struct.fields), (struct.name,), "", 0)]
    while stack:
        fields, owners, prefix, base = stack[-1]
        field = next(fields, None)
        if field is None:
            stack.pop()
            continue
        path = prefix + field.name
        if field.target is not None:
            links.append((path, owners[-1], field))
        kind = field.type
        inner = known.get(kind.struct) if isinstance(kind, StructType) else None
        if inner is not None:
            if len(stack) > 64:
                raise LimitError("structs are embedded too deep", path=f"{layout.name}.{struct.name}", expected="at most 64 levels")
            stack.append((iter(inner.fields), (*owners, inner.name), f"{path}.", base + field.offset))
            continue
        spans = spans_of(field, base, layout.environment.byte_order)
        flexible |= spans[-1][1] == ENDLESS
        found.append(Leaf(path, owners, field, base + field.offset, spans, position_of(field, base, layout), role_of(field)))
        if len(found) > LEAVES_MAX:
            raise LimitError("a struct has too many fields", path=f"{layout.name}.{struct.name}", expected=f"at most {LEAVES_MAX}")
    return Leaves(struct, tuple(found), ENDLESS if flexible else struct.size * 8, tuple(links))


def spans_of(field: FieldLayout, base: int, byte_order: str) -> tuple[Span, ...]:
    """Where the bits of a field are, as half-open spans in rising order."""
    start = (base + field.offset) * 8
    if isinstance(field.type, ArrayType) and field.type.count is None:
        return ((start, ENDLESS),)
    if field.width is None or field.shift is None:
        return ((start, start + field.size * 8),)
    if byte_order == "little":
        return ((start + field.shift, start + field.shift + field.width),)
    spans: list[Span] = []
    low, end = field.shift, field.shift + field.width
    while low < end:  # value bits that share a byte; the byte of the lowest comes last in memory
        high = min(end, low - low % 8 + 8)
        byte = start + (field.size - 1 - low // 8) * 8
        spans.insert(0, (byte + low % 8, byte + low % 8 + high - low))
        low = high
    return tuple(spans)


def position_of(field: FieldLayout, base: int, layout: Layout) -> int:
    """Where C would count the field, in bits: bit-fields of big-endian machines are declared from the top of their unit."""
    start = (base + field.offset) * 8
    if field.width is None or field.shift is None:
        return start
    return start + (field.shift if layout.environment.byte_order == "little" else field.size * 8 - field.shift - field.width)


def role_of(field: FieldLayout) -> str:
    """``gap``, ``reserved`` or ``data``."""
    if field.gap:
        return "gap"
    kind = field.type
    if (isinstance(kind, BytesType) and kind.reserved) or field.must == 0:
        return "reserved"
    plain = isinstance(innermost(kind), IntType | BytesType) and not field.names and field.target is None
    return "reserved" if plain and is_reserved_name(field.name) else "data"


def is_reserved_name(name: str) -> bool:
    """Whether programmers call fields so that nobody uses."""
    low = name.lower()
    return low.strip("_0123456789") in _RESERVED or low.rstrip("_0123456789").endswith(_RESERVED_ENDS)


def innermost(kind: TypeLayout) -> TypeLayout:
    """The element of an array, however many dimensions it has; any other type itself."""
    while isinstance(kind, ArrayType):
        kind = kind.element
    return kind


def count_of(kind: TypeLayout) -> int | None:
    """Elements in all dimensions: 1 when it is no array, None when its end is open."""
    count = 1
    while isinstance(kind, ArrayType):
        if kind.count is None:
            return None
        count *= kind.count
        kind = kind.element
    return count


def stride_of(layout: Layout, kind: TypeLayout) -> int:
    """Bytes of one innermost element; 0 for a struct that the layout does not have and that stands in no array."""
    stride = 0
    while isinstance(kind, ArrayType):
        stride, kind = kind.stride, kind.element
    if isinstance(kind, StructType):
        inner = struct_of(layout, kind)
        return stride if inner is None else inner.size
    return layout.size_of(kind)


def struct_of(layout: Layout, kind: TypeLayout) -> StructLayout | None:
    """The struct that a type is, or is an array of; None for another type, and for one that the layout does not have."""
    kind = innermost(kind)
    return next((each for each in layout.structs if each.name == kind.struct), None) if isinstance(kind, StructType) else None


def element_shape(layout: Layout, kind: TypeLayout) -> Shape:
    """How one element is read: equal shapes at equal places read equal values. What structs and unions hold is not part of it."""
    kind = innermost(kind)
    if isinstance(kind, IntType):
        order = layout.environment.byte_order if kind.order == "native" else kind.order
        return ("byte",) if kind.size == 1 and not kind.signed else ("int", kind.size, kind.signed, order if kind.size > 1 else "")
    if isinstance(kind, BytesType):
        return ("byte",)
    return ("struct",) if isinstance(kind, StructType) else ("union",)


def shape_of(layout: Layout, leaf: Leaf) -> Shape:
    """How a leaf is read as a whole, its length included. Bits that are whole bytes are the integer of that size."""
    field = leaf.field
    if field.width is not None:
        signed = isinstance(field.type, IntType) and field.type.signed
        if field.width not in (8, 16, 32, 64) or leaf.start % 8:
            return ("bits", field.width, signed)
        return (*element_shape(layout, IntType(field.width // 8, signed)), "", (), 1)
    pointer = field.target is not None and field.target.kind == "kernel"
    if is_float(field):
        return ("float", layout.size_of(innermost(field.type)), "", inner_counts(field.type)[:-1], count_of(field.type))
    return (*element_shape(layout, field.type), "pointer" if pointer else "", inner_counts(field.type), length_of(layout, leaf))


def is_float(field: FieldLayout) -> bool:
    """Whether a field is a floating-point number, which a layout has as bytes."""
    return field.hint == "float" and isinstance(innermost(field.type), BytesType)


def inner_counts(kind: TypeLayout) -> tuple[int | None, ...]:
    """Elements of every dimension of an array but the outermost: what makes one index another place. Rows of raw bytes are such, too."""
    counts: list[int | None] = []
    while isinstance(kind, ArrayType):
        kind = kind.element
        if isinstance(kind, ArrayType):
            counts.append(kind.count)
        elif isinstance(kind, BytesType):
            counts.append(kind.size)
    return tuple(counts)


def shapes_of(layout: Layout, leaf: Leaf, other: Layout, its: Leaf) -> tuple[Shape, Shape]:
    """The shapes of two leaves. Where one is an integer, a union that is nothing but such integers is one too."""
    one, two = shape_of(layout, leaf), shape_of(other, its)
    if "enum" in (leaf.field.kind, its.field.kind):  # the compiler chooses a sign for an enum, by all its values
        one, two = _unsigned(one), _unsigned(two)
    if (one[0] == "union") == (two[0] == "union"):
        return one, two
    kinds = [plain(innermost(each.field.type)) for each in (leaf, its)]
    if not all(isinstance(kind, IntType) for kind in kinds):
        return one, two
    return (*element_shape(layout, kinds[0]), *one[-3:-1], count_of(leaf.field.type)), (
        *element_shape(other, kinds[1]),
        *two[-3:-1],
        count_of(its.field.type),
    )


def _unsigned(shape: Shape) -> Shape:
    """A shape of integers or bits without what it says of the sign."""
    if shape[0] == "bits":
        return shape[:2]
    return ("byte", *shape[4:]) if shape[:2] == ("int", 1) else (*shape[:2], False, *shape[3:]) if shape[0] == "int" else shape


def plain(kind: TypeLayout) -> TypeLayout:
    """The one integer that a union without a tag stands for when all its arms are that (phys or pointer); any other type itself."""
    if isinstance(kind, UnionType) and kind.tag is None and len(kind.arms) > 1 and isinstance(kind.arms[0].type, IntType):
        first = kind.arms[0].type
        return first if first.size == kind.size and all(arm.type == first for arm in kind.arms) else kind
    return kind


def length_of(layout: Layout, leaf: Leaf) -> int | None:
    """Elements of an array, bytes of raw bytes or of a union, None for an open end."""
    kind = innermost(leaf.field.type)
    count = count_of(leaf.field.type)
    return count if count is None or not isinstance(kind, BytesType | UnionType) else count * kind.size
