# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Constraints: which values of a field a reader may trust, as data. The checker in Python and the generated C are both made from these.

::

    seals  Flags(U32, SEAL=0, SHRINK=1)     flags   mask 0x3: another bit is unknown
    flags  MustBeZero(U32)                  must    values (0,)
    type   Enum(U32, INTEL=1, SMMUV3=2)     enum    values (1, 2)
    order  About(maximum=63)                range   0..63
    name   Chars(64)                        text    a NUL is in it
    compatible of a root                    version texts (b"luo-v5\\0",)

A constraint that no value of the field's type can break is left out.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.layout.model import ArrayType, BytesType, IntType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

RULES = (
    "truncated", "count", "remainder", "limit", "version", "must", "flags", "enum", "range", "text", "memory", "cycle", "chain", "key",
    "address", "tree", "missing", "size", "twice", "type", "form",
)  # fmt: skip
"""Why a reader refuses: the bytes, the values, what links lead to, devicetrees, tagged maps. The generated C has the same words in the
same order."""


@frozen
class Constraint:
    """``rule`` is a word of RULES. Numbers are in ``low..high``, one of ``values``, or without bits outside of ``mask`` (negative
    when the sign bit of a signed number has a name); bytes begin with one of ``texts``.
    """

    rule: str
    low: int = 0
    high: int = 0
    values: tuple[int, ...] = ()
    mask: int = 0
    texts: tuple[bytes, ...] = ()

    def allows(self, value: int) -> bool:
        """Whether a number is fine."""
        if self.rule == "range":
            return self.low <= value <= self.high
        return not value & ~self.mask if self.rule == "flags" else value in self.values


def leaf(kind: TypeLayout) -> TypeLayout:
    """The element behind all arrays around it."""
    while isinstance(kind, ArrayType):
        kind = kind.element
    return kind


def span(field: FieldLayout) -> tuple[int, int]:
    """The least and the greatest number that a field, or an element of it, can hold."""
    kind = leaf(field.type)
    bits = field.width if field.width is not None else kind.size * 8 if isinstance(kind, IntType) else 0
    if isinstance(kind, IntType) and kind.signed and field.width is None:
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


def constraints(layout: Layout, struct: StructLayout, field: FieldLayout) -> tuple[Constraint, ...]:
    """What holds for a field, or for each element of an array, in the order in which it is judged."""
    kind = leaf(field.type)
    if isinstance(kind, BytesType):
        return (*_versions(layout, struct, field), *((Constraint("text"),) if kind.text and kind.size else ()))
    if not isinstance(kind, IntType):
        return ()
    low, high = span(field)
    found = list(_versions(layout, struct, field))
    if field.must is not None:
        found.append(Constraint("must", values=(field.must,)))
    if field.kind == "flags" and field.known_bits != high - low:
        # A named sign bit stands for all the bits above it that a negative number has.
        found.append(Constraint("flags", mask=field.known_bits - (1 << high.bit_length() + 1 if field.known_bits > high else 0)))
    if field.kind == "enum" and field.names:
        values = tuple(sorted({number for _, number in field.names}))
        found += [Constraint("enum", values=values)] if len(values) <= high - low else []
    minimum = low if field.minimum is None else max(low, field.minimum)
    maximum = high if field.maximum is None else min(high, field.maximum)
    if minimum > low or maximum < high:
        found.append(Constraint("range", minimum, maximum))
    return tuple(found)


def _versions(layout: Layout, struct: StructLayout, field: FieldLayout) -> tuple[Constraint, ...]:
    """The version that stands in a field of the root struct. Version rules that need more than the field are not judged here."""
    if struct.name != layout.root or layout.versions.kind == "features":
        return ()
    if layout.version is not None and layout.version[0] == field.name and isinstance(field.type, IntType):
        least = layout.versions.min_accepted
        own = layout.version[1]
        return (Constraint("version", own if least is None else least, own, tuple(range(own if least is None else least, own + 1))),)
    if layout.carrier == f"field:{field.name}" and layout.compatible is not None and isinstance(field.type, BytesType):
        names = (layout.compatible, *(layout.versions.accepts if layout.versions.kind == "equal" else ()))
        return (Constraint("version", texts=tuple((name.encode() + b"\0")[: field.type.size] for name in names)),)
    return ()
