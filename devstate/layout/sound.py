# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts from input: bytes to a layout that everything behind may trust, or an error. What stands in a handover is anybody's.

Three gates: the msgpack is bounded and plain; it is of the form of a layout; and the layout is one that lowering could have made: known
types, every byte declared once, structs made of structs before them, sizes and counts within limits. The fingerprint that names it fits.
"""

from __future__ import annotations

from devstate.errors import DecodeError, LimitError
from devstate.layout.baseline import fingerprint
from devstate.layout.model import ArrayType, BytesType, IntType, Layout, StructType, UnionType
from devstate.layout.plain import layout_from_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import FieldLayout, StructLayout, TargetLayout, TypeLayout

BYTES_MAX = 256 << 10
"""Bytes of one layout: the largest shipped one has 15 KiB."""

DEPTH_MAX = 24
"""Nesting of the plain form: a layout of arrays of unions of arrays has 14."""

STRUCTS_MAX = 64
FIELDS_MAX = 1024
"""Fields of all structs of one layout."""

SIZE_MAX = 1 << 20
"""Bytes of one struct: a hundred times the largest page-sized one."""

SLOTS_MAX = 1 << 16
"""Values of one struct, elements of arrays included: a page of 64 KiB has 8192 words."""

AREA_MAX = 1 << 32
"""Bytes of an area that a link leads to: far above any declared one."""

NAME_MAX = 64
NEST_MAX = 4
"""Arrays of arrays."""

_WORDS = {"", "flags", "enum"}
_ORDERS = {"native", "little", "big"}
_TEXTS = ("name", "variant", "status", "source", "doc", "carrier", "on_mismatch", "owner", "freed")


def layout_from_input(data: bytes, name: str) -> Layout:
    """The layout in ``data`` (msgpack), whose fingerprint must be ``name``. DecodeError or LimitError for anything else."""
    import msgpack

    if len(data) > BYTES_MAX:
        raise LimitError("an embedded layout is too large", expected=f"at most {BYTES_MAX} bytes", found=len(data))
    try:
        plain = msgpack.unpackb(data, raw=False, strict_map_key=True)
    except (ValueError, TypeError, KeyError, msgpack.UnpackException, RecursionError) as error:
        raise DecodeError(f"an embedded layout is not msgpack: {error or type(error).__name__}") from error
    _check_plain(plain)
    layout = layout_from_plain(plain)
    found = fingerprint(plain)
    if found != name:
        raise DecodeError("an embedded layout is not the one that its name says", expected=name, found=found)
    check_sound(layout)
    return layout


def _check_plain(plain: Any) -> None:
    """Refuse what no layout has: values of other types, text as keys alone, numbers beyond 64 bits, nesting without end."""
    if not isinstance(plain, dict):
        raise DecodeError("an embedded layout is no map", found=type(plain).__name__)
    pending = [(plain, 1)]
    for each, depth in pending:
        if depth > DEPTH_MAX:
            raise LimitError("an embedded layout is nested too deeply", expected=f"at most {DEPTH_MAX}")
        if isinstance(each, dict):
            if not all(isinstance(key, str) for key in each):
                raise DecodeError("an embedded layout has a key that is no text")
            pending += [(value, depth + 1) for value in each.values()]
        elif isinstance(each, list):
            pending += [(value, depth + 1) for value in each]
        elif not isinstance(each, str | int | None):
            raise DecodeError("an embedded layout has a value of a strange type", found=type(each).__name__)


def check_sound(layout: Layout) -> None:
    """DecodeError, with the field's path, for a layout that lowering would not have made. Only layouts whose root is a struct."""
    for name in _TEXTS:
        _need(isinstance(getattr(layout, name), str), f"{name} is no text", "")
    environment = layout.environment
    _need(environment.page_size in (4096, 16384, 65536) and environment.byte_order in ("little", "big"), "an unknown environment", "")
    _need(layout.encoding in ("packed", "tagged"), "an unknown encoding", "")
    structs = layout.structs
    _need(isinstance(structs, tuple) and 0 < len(structs) <= STRUCTS_MAX, f"1..{STRUCTS_MAX} structs", "")
    _need(all(isinstance(each.fields, tuple) for each in structs), "fields are a list", "")
    _need(sum(len(each.fields) for each in structs) <= FIELDS_MAX, f"at most {FIELDS_MAX} fields", "")
    made = _Sound(tagged=layout.encoding == "tagged")
    for struct in structs:
        made.struct(struct)
    _need(isinstance(layout.root, str) and layout.root in made.structs, "the root is none of the structs", "")


def _need(fine: bool, what: str, path: str) -> None:
    if not fine:
        raise DecodeError(f"an embedded layout is not sound: {what}", path=path or None)


def _is_number(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier() and value.isascii() and len(value) <= NAME_MAX and not value.startswith("_")


class _Sound:
    """The structs that were found sound so far: name to (layout, values in it)."""

    def __init__(self, *, tagged: bool) -> None:
        self.structs: dict[str, tuple[StructLayout, int]] = {}
        self.tagged = tagged

    def struct(self, struct: StructLayout) -> None:
        """One struct, made of those before it."""
        _need(_is_name(struct.name) and struct.name not in self.structs, "a struct has a name of its own", str(struct.name)[:NAME_MAX])
        path = struct.name
        fine = _is_number(struct.size, 0, SIZE_MAX) and type(struct.flexible) is bool and type(struct.packed) is bool
        _need(fine and isinstance(struct.doc, str) and _is_number(struct.align, 1, 16), "size, alignment, flags or doc of a struct", path)
        at = slots = 0
        names: dict[str, FieldLayout] = {}
        unit: FieldLayout | None = None
        bits = 0
        for number, field in enumerate(struct.fields):
            name, where = field.name, f"{path}.{str(field.name)[:NAME_MAX]}"
            _need(_is_name(name) or (name == f"_pad{field.offset}" and field.gap is True), "the name of a field", where)
            _need(name not in names, "two fields have this name", where)
            _need(not self.tagged or field.gap or all(field.tag != each.tag for each in names.values()), "two fields have this tag", where)
            self.field(field, where)
            shares = unit is not None and field.width is not None and (field.offset, field.size) == (unit.offset, unit.size)
            if not shares:
                _need(bits == 0, "the bits before it are not all of their unit", where)
                _need(field.offset == at, f"expected at offset {at}", where)
                size, values = self.size(field.type, where, names, last=number == len(struct.fields) - 1)
                _need(field.size == size, f"{size} bytes by its type", where)
                at, slots = at + size, slots + values
                unit = field if field.width is not None else None
                bits = (1 << field.size * 8) - 1 if field.width is not None else 0
            if field.width is not None:
                mask = (1 << field.width) - 1 << (field.shift or 0)
                _need(bits & mask == mask, "bits that another field has", where)
                bits &= ~mask
            names[name] = field
        _need(bits == 0, "bits that no field has", path)
        _need(struct.flexible == self.is_flexible(struct), "whether it is flexible", path)
        fine = struct.size >= at if struct.flexible else struct.size == at  # what is flexible counts with its fixed part, and padding
        _need(fine and slots <= SLOTS_MAX, f"the fields take {at} bytes and {slots} values", path)
        self.structs[struct.name] = struct, slots

    def is_flexible(self, struct: StructLayout) -> bool:
        """Whether the last field is a flexible array, or a struct that ends in one."""
        kind = struct.fields[-1].type if struct.fields else None
        if isinstance(kind, ArrayType):
            return kind.count is None
        return isinstance(kind, StructType) and self.structs[kind.struct][0].flexible

    def field(self, field: FieldLayout, path: str) -> None:
        """What a field says beside its type."""
        _need(_is_number(field.offset, 0, SIZE_MAX) and _is_number(field.size, 0, SIZE_MAX), "offset or size", path)
        _need(all(isinstance(each, str) for each in (field.doc, field.kind)) and field.kind in _WORDS, "doc or kind", path)
        _need(all(each is None or isinstance(each, str) for each in (field.unit, field.hint, field.phase)), "unit, hint or phase", path)
        _need(field.target is None or _is_target(field.target), "what it leads to", path)
        tagged = field.gap or _is_number(field.tag, 1, 0xFFFF)
        fine = tagged and field.target is None and not isinstance(field.type, UnionType) if self.tagged else field.tag is None
        _need(fine, "the tag of a field", path)
        numbers = (field.must, field.minimum, field.maximum, field.default, field.tag)
        _need(all(each is None or _is_number(each, -(1 << 63), (1 << 64) - 1) for each in numbers), "a limit", path)
        _need(isinstance(field.names, tuple) and all(_is_pair(each) for each in field.names), "names of values", path)
        _need(field.kind != "flags" or all(0 <= bit < 64 for _, bit in field.names), "a bit beyond 64", path)
        _need(field.kind == "" or isinstance(field.type, IntType), "names of values that are no numbers", path)
        if field.width is not None or field.shift is not None:
            kind = field.type
            fine = isinstance(kind, IntType) and kind.order == "native" and not kind.signed and kind.size == field.size
            fine = fine and _is_number(field.width, 1, field.size * 8) and _is_number(field.shift, 0, field.size * 8)
            _need(fine and (field.shift or 0) + (field.width or 0) <= field.size * 8, "a bit-field", path)

    def size(self, kind: TypeLayout, path: str, names: dict[str, FieldLayout], *, last: bool, nest: int = 0) -> tuple[int, int]:
        """(bytes, values) of a type. ``names`` are the fields before it; only the last field may be flexible."""
        if isinstance(kind, IntType):
            _need(kind.size in (1, 2, 4, 8) and type(kind.signed) is bool and kind.order in _ORDERS, "an integer", path)
            return kind.size, 1
        if isinstance(kind, BytesType):
            _need(_is_number(kind.size, 0, SIZE_MAX) and type(kind.text) is bool and type(kind.reserved) is bool, "bytes", path)
            return kind.size, 1
        if isinstance(kind, StructType):
            _need(kind.struct in self.structs, "a struct that does not stand before it", path)
            struct, slots = self.structs[kind.struct]
            _need(last or not struct.flexible, "a flexible struct inside", path)
            return (0 if struct.flexible else struct.size), slots
        if isinstance(kind, ArrayType):
            return self.array(kind, path, names, last=last and nest == 0, nest=nest)
        _need(isinstance(kind, UnionType), "an unknown type", path)
        assert isinstance(kind, UnionType)  # for the type checker
        self.union(kind, path, names)
        return kind.size, 1

    def array(self, kind: ArrayType, path: str, names: dict[str, FieldLayout], *, last: bool, nest: int) -> tuple[int, int]:
        """An array of a known length, or the flexible one at the end."""
        _need(nest < NEST_MAX, f"at most {NEST_MAX} arrays in each other", path)
        size, slots = self.size(kind.element, path, {}, last=False, nest=nest + 1)
        _need(kind.stride == size > 0, "the stride is the size of an element", path)
        if kind.count is None:
            counter = names.get(kind.counted_by) if isinstance(kind.counted_by, str) else None
            counted = kind.counted_by is None or (counter is not None and isinstance(counter.type, IntType))
            _need(last and counted, "a flexible array", path)
            return 0, 0
        _need(_is_number(kind.count, 0, SIZE_MAX) and kind.counted_by is None, "the length of an array", path)
        _need(kind.count * size <= SIZE_MAX, "the length of an array", path)
        return kind.count * size, kind.count * slots

    def union(self, kind: UnionType, path: str, names: dict[str, FieldLayout]) -> None:
        """Arms that fit, and a tag that is a number beside it."""
        _need(_is_number(kind.size, 0, SIZE_MAX) and isinstance(kind.arms, tuple) and len(kind.arms) <= FIELDS_MAX, "a union", path)
        tag = names.get(kind.tag) if isinstance(kind.tag, str) else None
        _need(kind.tag is None or (tag is not None and isinstance(tag.type, IntType)), "the tag of a union", path)
        for arm in kind.arms:
            _need(_is_name(arm.name) and (arm.value is None or type(arm.value) is int), "an arm", path)
            size, _ = self.size(arm.type, f"{path}.{arm.name}", {}, last=False)
            _need(size <= kind.size, "an arm that is larger than its union", f"{path}.{arm.name}")


def _is_target(target: TargetLayout) -> bool:
    numbers = (target.size, target.depth)
    fine = isinstance(target.kind, str) and (target.count is None or isinstance(target.count, str))
    return fine and all(each is None or _is_number(each, 0, AREA_MAX) for each in numbers)


def _is_pair(each: object) -> bool:
    return isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str) and type(each[1]) is int
