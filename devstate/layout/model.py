# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The layout: what bytes a schema stands for, as plain frozen data. Everything behind the schemas sees only this.

A :class:`Layout` is for one :class:`Environment` (page size and byte order). Sizes and offsets are bytes from the start of the
struct; nothing is left to compute but the order of native integers, which is the environment's.
"""

from __future__ import annotations

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    ByteOrder = Literal["little", "big"]

PAGE_SIZES = (4096, 16384, 65536)
"""The page sizes that kernels with KHO can be built for."""


@frozen
class Environment:
    """What a layout depends on besides the schema: the page size and byte order of the kernel that wrote the state."""

    page_size: int = 4096
    byte_order: ByteOrder = "little"


@frozen
class IntType:
    """An integer of ``size`` bytes; ``order`` is ``native``, ``little`` or ``big``."""

    size: int
    signed: bool = False
    order: str = "native"


@frozen
class BytesType:
    """``size`` bytes; ``text`` when they hold a NUL-terminated string, ``reserved`` when the writer leaves them zero."""

    size: int
    text: bool = False
    reserved: bool = False


@frozen
class StructType:
    """A struct of the same layout, embedded."""

    struct: str


@frozen
class ArrayType:
    """``count`` elements ``stride`` bytes apart. ``count`` None: a flexible array, counted by the field ``counted_by`` or by the area."""

    element: TypeLayout
    stride: int
    count: int | None = None
    counted_by: str | None = None


@frozen
class Arm:
    """One arm of a union: alive when the tag has ``value`` (None: any)."""

    name: str
    value: int | None
    type: TypeLayout


@frozen
class UnionType:
    """A union of ``size`` bytes whose live arm is chosen by the field ``tag``."""

    size: int
    arms: tuple[Arm, ...]
    tag: str | None = None


TypeLayout = IntType | BytesType | StructType | ArrayType | UnionType


@frozen
class TargetLayout:
    """What a 64-bit link leads to. ``kind`` is a word of devstate.schema.links; the rest depends on it.

    ``element`` one entry's type; ``count`` the sibling that counts entries (for ``handle``: the sibling that names the format);
    ``size`` bytes of the area (for ``chunks``: of one bitmap); ``depth`` levels of a tree, leaves included.
    """

    kind: str
    element: TypeLayout | None = None
    count: str | None = None
    size: int | None = None
    depth: int | None = None


@frozen
class FieldLayout:
    """One field. ``size`` is 0 for a flexible array. ``shift``/``width`` locate a bit-field inside the ``type.size`` bytes at ``offset``.

    ``names`` are bit names (``kind`` flags) or value names (``kind`` enum); ``must`` is the only value a reader accepts.
    ``default`` is the value of an optional property that is absent; ``tag`` the number of a field of a tagged map. ``gap`` marks padding
    that the compiler put in, named ``_pad<offset>``.
    """

    name: str
    offset: int
    size: int
    type: TypeLayout
    doc: str = ""
    shift: int | None = None
    width: int | None = None
    kind: str = ""
    names: tuple[tuple[str, int], ...] = ()
    must: int | None = None
    target: TargetLayout | None = None
    unit: str | None = None
    hint: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    phase: str | None = None
    optional: bool = False
    gap: bool = False
    default: int | None = None
    tag: int | None = None

    @property
    def known_bits(self) -> int:
        """Mask of the bits that have a name."""
        return sum({1 << bit for _, bit in self.names}) if self.kind == "flags" else 0


@frozen
class StructLayout:
    """A struct: ``size`` is C's sizeof, where a flexible array counts as nothing; ``flexible`` says that it ends in one."""

    name: str
    size: int
    align: int
    packed: bool
    fields: tuple[FieldLayout, ...]
    flexible: bool = False
    doc: str = ""

    def field(self, name: str) -> FieldLayout:
        """The field called ``name``; KeyError when there is none (a programming error: names come from the layout)."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name}")


@frozen
class VersionLayout:
    """How a reader decides by the version whether it takes what was written: data, so that no rule knows a format.

    ``kind`` is one of

    - ``equal``      the strings (or numbers) are the same; ``accepts`` lists others that the reader decodes as well
    - ``ordered``    numbers; it reads ``min_accepted`` up to its own, and newer ones whose ``min_reader`` is not above its own
    - ``composite``  strings of parts with ``;`` between them, equal part by part; ``accepts`` lists parts that are taken as well
    - ``several``    one handover carries ``writes`` as well as its own version; the reader takes any that it knows
    - ``features``   bits; it reads what needs (``needs``) no feature that it does not know (``knows``)
    """

    kind: str = "equal"
    accepts: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    min_accepted: int | None = None
    min_reader: int | None = None
    knows: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@frozen
class NodeLayout:
    """A devicetree node: its properties (offset 0 each), its children. ``name`` ``*`` is any name the client chose."""

    name: str
    properties: tuple[FieldLayout, ...]
    compatible: str | None = None
    children: tuple[NodeLayout, ...] = ()
    optional: bool = False
    doc: str = ""


@frozen
class Layout:
    """One schema in one environment. The fields that are not about bytes are those of devstate.schema.Schema.

    ``root`` is the name of a struct in ``structs``, or a NodeLayout. ``limits`` are most that a reader takes; ``constants`` are other
    numbers that writer and reader must share. ``encoding`` is ``packed``, or ``tagged`` for msgpack maps, where offsets mean nothing.
    """

    name: str
    compatible: str | None
    variant: str
    status: str
    source: str
    doc: str
    root: str | NodeLayout
    structs: tuple[StructLayout, ...]
    environment: Environment
    replaces: str | None = None
    since: str | None = None
    until: str | None = None
    found_by: str | None = None
    carrier: str = "umbrella"
    version: tuple[str, int] | None = None
    on_mismatch: str = "accepted"
    owner: str = ""
    freed: str = ""
    limits: tuple[tuple[str, int], ...] = ()
    constants: tuple[tuple[str, int], ...] = ()
    versions: VersionLayout = VersionLayout()
    encoding: str = "packed"

    def struct(self, name: str | None = None) -> StructLayout:
        """The struct called ``name``, or the root struct. KeyError when the layout has none of that name."""
        wanted = self.root if name is None else name
        for struct in self.structs:
            if struct.name == wanted:
                return struct
        raise KeyError(f"{self.name} has no struct {wanted}")

    def limit(self, name: str) -> int:
        """A named limit of the format; KeyError when the schema does not state it."""
        return dict(self.limits)[name]

    def size_of(self, kind: TypeLayout) -> int:
        """Bytes that a type takes (a flexible array: 0)."""
        if isinstance(kind, StructType):
            return self.struct(kind.struct).size
        if isinstance(kind, ArrayType):
            return (kind.count or 0) * kind.stride
        return kind.size


def walk_types(kind: TypeLayout) -> tuple[TypeLayout, ...]:
    """``kind`` and every type inside it, outermost first (structs are named, not entered)."""
    found = [kind]
    for each in found:
        if isinstance(each, ArrayType):
            found.append(each.element)
        elif isinstance(each, UnionType):
            found.extend(arm.type for arm in each.arms)
    return tuple(found)
