# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From composites to struct layouts: what C embeds is named or flattened, padding is made visible, bit-fields get their unit.

- members of an unnamed struct belong to the struct around it, as in C; an unnamed union is a field that goes by the name of its first
  member; a struct type without a name is called after where it stands (``luo_ser.hdr``)
- a union is a field with arms; a union that is a root is a struct with that one field
- innermost structs come first, as in a lowered schema

Everything is iterative and bounded. The names of structs that are two different things get ``@2``, ``@3`` behind them.
"""

from __future__ import annotations

from devstate.errors import LimitError
from devstate.finding import Location
from devstate.frozen import replace
from devstate.layout.model import (
    Arm,
    ArrayType,
    BytesType,
    FieldLayout,
    IntType,
    StructLayout,
    StructType,
    TargetLayout,
    TypeLayout,
    UnionType,
)
from devstate.source.composite import Composite, Member, ValueType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from devstate.source.composite import CompositeSource

MAX_NESTING = 32
"""Unnamed structs and unions inside each other: the kernel resolves as many types."""

MAX_FIELDS = 1 << 16
"""Fields of one struct, unnamed ones inside it flattened: the largest of a kernel has some thousands."""

MAX_STRUCTS = 1 << 17
"""Structs of one source: a vmlinux of a distribution has some 20,000."""

POINTER = TargetLayout("kernel")


class Laying:
    """One run: collects the structs that it meets, and in ``places`` where they and their fields are declared. ``big``: the machine is
    big-endian."""

    def __init__(self, source: CompositeSource, *, big: bool = False) -> None:
        self.source, self.big = source, big
        self.names: dict[Hashable, str] = {}
        self.taken: set[str] = set()
        self.structs: dict[Hashable, StructLayout] = {}
        self.inner: dict[Hashable, list[Hashable]] = {}
        self.made: dict[Hashable, Composite] = {}
        self.places: dict[str, Location] = {}
        self.left = 0
        self.aligns: dict[Hashable, int] = {}

    def run(self, roots: Iterable[tuple[Hashable, str]]) -> tuple[StructLayout, ...]:
        """The layouts of the roots, (key, name), and of everything that they embed; innermost first."""
        wanted = list(roots)
        for key, name in wanted:
            self.name(key, name)
        done: dict[Hashable, None] = {}
        for key, _ in wanted:
            stack = [(key, iter(self.edges(key)))]
            open_keys = {key}
            while stack:
                at, edges = stack[-1]
                step = next((each for each in edges if each not in done and each not in open_keys), None)
                if step is None:
                    stack.pop()
                    done[at] = None
                else:
                    open_keys.add(step)
                    stack.append((step, iter(self.edges(step))))
        return tuple([self.structs[key] for key in done])

    def edges(self, key: Hashable) -> list[Hashable]:
        """The structs that a struct embeds; laying it out at the first call."""
        if key not in self.structs:
            if len(self.structs) == MAX_STRUCTS:
                raise LimitError("too many structs", expected=f"at most {MAX_STRUCTS}")
            self.inner[key] = []
            self.structs[key] = self.lay_out(key)
        return self.inner[key]

    def name(self, key: Hashable, wanted: str) -> str:
        """The name of the struct with this key: the wanted one, unless another struct has it."""
        if key not in self.names:
            name, number = wanted, 1
            while name in self.taken:
                number += 1
                name = f"{wanted}@{number}"
            self.names[key] = name
            self.taken.add(name)
        return self.names[key]

    def composite(self, key: Hashable) -> Composite:
        """What the source says."""
        if key not in self.made:
            self.made[key] = self.source.composite(key)
        return self.made[key]

    def lay_out(self, key: Hashable) -> StructLayout:
        """One struct, or a union as a struct with one field."""
        composite, name = self.composite(key), self.names[key]
        self.left = MAX_FIELDS
        whole = (Member("", 0, ValueType("union", composite.size, inner=key)),)
        members = whole if composite.keyword == "union" else composite.members
        flat = self.flatten(members, name, "struct")
        self.note(name, composite, composite.line)
        for member in flat:
            self.note(f"{name}.{member.name}", composite, member.line)
        fields = [self.field(key, name, member, composite.size) for member in flat]
        fields = with_gaps(fields, composite.size)
        packed = composite.packed if composite.packed is not None else self.is_packed(composite.size, flat)
        align = composite.align or (1 if packed else max((self.align(member.type) for member in flat), default=1))
        flexible = bool(fields) and is_open(fields[-1].type)
        return StructLayout(name, composite.size, align, packed, tuple(fields), flexible, composite.doc)

    def note(self, subject: str, composite: Composite, line: int | None) -> None:
        """Keep where something is declared, when the source says it."""
        if composite.file is not None and line is not None:
            self.places.setdefault(subject, Location(composite.file, line=line))

    # Members

    def flatten(self, members: Iterable[Member], path: str, keyword: str) -> list[Member]:
        """Members with those of unnamed structs among them; in a union, with the arms of unnamed unions. What is left without a name and
        is no struct or union is padding, and drops out."""
        flat: list[Member] = []
        stack = [(iter(members), 0)]
        while stack:
            level, base = stack[-1]
            member = next(level, None)
            if member is None:
                stack.pop()
                continue
            self.left -= 1
            if self.left < 0 or len(stack) > MAX_NESTING:
                raise LimitError("a struct is too large", path=path, expected=f"at most {MAX_FIELDS} fields, {MAX_NESTING} levels")
            at = base + member.bit_offset
            if member.name:
                flat.append(replace(member, bit_offset=at) if base else member)
            elif member.type.kind == keyword and not member.type.dims and member.type.inner is not None:
                stack.append((iter(self.composite(member.type.inner).members), at))
            elif member.type.kind in ("struct", "union") and not member.type.dims:
                first = self.first_name(member.type.inner, path)
                if first:
                    flat.append(replace(member, name=first, bit_offset=at))
        return flat

    def first_name(self, key: Hashable, path: str) -> str:
        """The name of the first member in there that has one; empty when none has."""
        pending = [key]
        for _ in range(MAX_FIELDS):
            if not pending:
                return ""
            for member in reversed(self.composite(pending.pop()).members):
                if member.name:
                    pending.append(member)
                elif member.type.kind in ("struct", "union") and not member.type.dims:
                    pending.append(member.type.inner)
            while pending and isinstance(pending[-1], Member):
                return str(pending[-1].name)
        raise LimitError("unnamed structs have no end", path=path, expected=f"at most {MAX_FIELDS} members")

    def field(self, key: Hashable, owner: str, member: Member, room: int) -> FieldLayout:
        """One field of the struct called ``owner``, which has ``room`` bytes."""
        kind = member.type
        made = self.type(key, f"{owner}.{member.name}", member, 0)
        target = POINTER if kind.kind == "pointer" else None
        if member.width is not None:
            return self.bits(member, room)
        size = 0 if is_open(made) else kind.size
        for dim in kind.dims:
            size *= dim or 0
        about = "enum" if kind.kind == "enum" else ""
        hint = "float" if kind.kind == "float" else None
        at = member.bit_offset // 8
        return FieldLayout(member.name, at, size, made, member.doc, kind=about, names=kind.names, target=target, hint=hint)

    def bits(self, member: Member, room: int) -> FieldLayout:
        """A bit-field in its storage unit: that of its type where it fits, else the fewest bytes around it."""
        kind, at, width = member.type, member.bit_offset, member.width or 0
        unit = kind.size
        start = at // (8 * unit) * unit
        if at + width > 8 * (start + unit) or start + unit > room:
            start = at // 8
            unit = max(1, -(-(at + width - 8 * start) // 8))
        shift = at - 8 * start
        if self.big:
            shift = 8 * unit - shift - width
        about = "enum" if kind.kind == "enum" else ""
        made = IntType(unit, kind.signed, kind.order)
        return FieldLayout(member.name, start, unit, made, member.doc, shift, width, kind=about, names=kind.names)

    def type(self, key: Hashable, path: str, member: Member, depth: int) -> TypeLayout:
        """A member's type. Structs inside are noted as edges of ``key``."""
        kind = member.type
        dims = list(kind.dims)
        size = kind.size
        if kind.text and dims and dims[-1] is not None:
            made: TypeLayout = BytesType(dims[-1], text=True)
            size = dims.pop() or 0
        elif kind.kind == "struct":
            made = StructType(self.embed(key, kind.inner, path))
        elif kind.kind == "union":
            made = self.union(key, path, kind.inner, depth)
        elif kind.kind == "float":
            made = BytesType(kind.size)
        else:
            made = IntType(kind.size, kind.signed, kind.order)
        for dim in reversed(dims):
            made = ArrayType(made, size, dim, member.counted_by if dim is None else None)
            size *= dim or 0
        return made

    def embed(self, key: Hashable, inner: Hashable, path: str) -> str:
        """Note that ``key`` embeds ``inner``; the name of that."""
        self.inner[key].append(inner)
        return self.name(inner, self.composite(inner).name or path)

    def union(self, key: Hashable, path: str, inner: Hashable, depth: int) -> UnionType:
        """A union with its arms. An arm that is a bit-field becomes a struct of its own."""
        if depth == MAX_NESTING:
            raise LimitError("unions are nested too deeply", path=path, expected=f"at most {MAX_NESTING} levels")
        composite = self.composite(inner)
        arms = []
        for member in self.flatten(composite.members, path, "union"):
            self.note(f"{path}.{member.name}", composite, member.line)
            if member.width is None:
                arms.append(Arm(member.name, None, self.type(key, f"{path}.{member.name}", member, depth + 1)))
                continue
            own = ("bits", inner, member.name)
            self.made[own] = Composite("", "struct", composite.size, (member,), 1, True)
            arms.append(Arm(member.name, None, StructType(self.embed(key, own, f"{path}.{member.name}"))))
        return UnionType(composite.size, tuple(arms))

    # What a source may not say

    def is_packed(self, size: int, members: Iterable[Member]) -> bool:
        """Whether a compiler would only lay it out like this when it is told to pack it."""
        natural = 1
        for member in members:
            align = self.align(member.type)
            natural = max(natural, align)
            if member.width is None and member.bit_offset % (8 * align):
                return True
        return size % natural != 0

    def align(self, kind: ValueType) -> int:
        """The alignment of a type: that of a number is its size, that of a struct its largest member's, of a packed one 1."""
        if kind.kind not in ("struct", "union"):
            return min(kind.size, 16) if kind.size & (kind.size - 1) == 0 else 1
        stack = [kind.inner]
        while stack:
            key = stack[-1]
            inner = self.composite(key)
            waits = [
                member.type.inner
                for member in inner.members
                if member.type.kind in ("struct", "union") and member.type.inner not in self.aligns and member.type.inner not in stack
            ]
            if key not in self.aligns and inner.align is None and waits:
                if len(stack) > MAX_NESTING:
                    raise LimitError("structs are nested too deeply", path=inner.name, expected=f"at most {MAX_NESTING} levels")
                stack.append(waits[0])
                continue
            self.aligns[key] = inner.align if inner.align is not None else self.natural(inner)
            stack.pop()
        return self.aligns[kind.inner]

    def natural(self, composite: Composite) -> int:
        """The alignment that a composite shows: 1 when a member of it stands where its own alignment would not let it."""
        largest = 1
        for member in composite.members:
            kind = member.type
            single = kind.size if kind.size & (kind.size - 1) == 0 else 1
            align = self.aligns.get(kind.inner, 1) if kind.kind in ("struct", "union") else max(1, min(single, 16))
            if member.width is None and member.bit_offset % (8 * align):
                return 1
            largest = max(largest, align)
        return 1 if composite.size % largest else largest


def with_gaps(fields: list[FieldLayout], size: int) -> list[FieldLayout]:
    """The fields in the order of their bytes, with what lies between them and behind the last one as fields of their own."""
    made: list[FieldLayout] = []
    end = 0
    for field in fields:
        if field.offset > end:
            made.append(gap(end, field.offset))
        made.append(field)
        end = max(end, field.offset + field.size)
    if size > end and not (made and is_open(made[-1].type)):
        made.append(gap(end, size))
    return made


def gap(start: int, end: int) -> FieldLayout:
    """Padding that only the compiler's rules put there."""
    return FieldLayout(f"_pad{start}", start, end - start, BytesType(end - start, reserved=True), gap=True)


def is_open(kind: TypeLayout) -> bool:
    """Whether a type is an array without an end, or a union that has one as an arm."""
    if isinstance(kind, UnionType):
        return any(isinstance(arm.type, ArrayType) and arm.type.count is None for arm in kind.arms)
    return isinstance(kind, ArrayType) and kind.count is None
