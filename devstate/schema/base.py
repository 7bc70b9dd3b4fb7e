# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What every type of the schema language shares: ``"name" / TYPE * "doc"`` makes a :class:`Field`.

A type is a construct, so a schema parses and builds bytes by itself (the reference decoder). It takes its environment from
the parameters ``page_size`` and ``byte_order`` of ``parse``/``build``, never from the machine that runs devstate.
"""

from __future__ import annotations

from typing import Any

import construct

from devstate.errors import SchemaError

HINTS = ("dec", "hex", "pa", "pfn", "bytes", "bdf", "text", "flags", "time", "errno")
"""How a value may be shown. ``bdf`` is a PCI bus:device.function in 16 bits, ``pa`` a physical address."""

PHASES = ("boot", "preserve", "freeze", "serialize", "incoming")
"""When a field gets its value: at boot, when the object is preserved, when it is frozen, when everything is serialized just
before the jump, or in the new kernel (which then uses the handed-over memory as live state)."""


TAG_MAX = (1 << 16) - 1
"""Greatest number of a field of a tagged map: more than one format will ever use, three bytes on the wire."""

RESERVED_NAMES = frozenset({"_", "_params", "_layout", "_names"})
"""What construct's context and devstate's records call their own parts; ``_pad<offset>`` is a gap."""


class About:
    """Everything about a field but its type: doc text, unit, value range, display hint, write phase, presence.

    ``minimum``/``maximum`` are what the reading kernel accepts; ``optional`` is for devicetree properties, and fields of a tagged map, that
    may be absent, which then mean ``default``. ``tag`` is the number of a field of a tagged map, 1..TAG_MAX.
    """

    def __init__(
        self,
        doc: str = "",
        *,
        unit: str | None = None,
        hint: str | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
        phase: str | None = None,
        optional: bool = False,
        default: int | None = None,
        tag: int | None = None,
    ) -> None:
        if hint is not None and hint not in HINTS:
            raise SchemaError(f"unknown display hint {hint!r}; known: {', '.join(HINTS)}")
        if phase is not None and phase not in PHASES:
            raise SchemaError(f"unknown write phase {phase!r}; known: {', '.join(PHASES)}")
        if minimum is not None and maximum is not None and minimum > maximum:
            raise SchemaError(f"the range {minimum}..{maximum} is empty")
        if tag is not None and not 1 <= tag <= TAG_MAX:
            raise SchemaError(f"a tag is 1..{TAG_MAX}, not {tag}")
        if default is not None and not optional:
            raise SchemaError("only what may be absent has a default")
        self.doc = doc
        self.unit = unit
        self.hint = hint
        self.minimum = minimum
        self.maximum = maximum
        self.phase = phase
        self.optional = optional
        self.default = default
        self.tag = tag


class Type(construct.Construct):
    """A type of the closed vocabulary. Subclasses say their alignment in C and how many bytes they take."""

    default_hint: str | None = None

    def __rtruediv__(self, name: str) -> Field:
        return Field(self, name, About())

    def __mul__(self, other: object) -> Any:
        raise SchemaError('name the field before its doc: "name" / TYPE * "doc"')

    def check(self, path: str) -> None:
        """Refuse, with the field's path, what cannot be lowered: called when the struct around the type is loaded."""

    def align(self) -> int:
        """Alignment in bytes that a C compiler gives this type in a struct that is not packed (LP64)."""
        raise NotImplementedError

    def size_in(self, page_size: int) -> int | None:
        """Size in bytes at this page size; None for a type that ends in a flexible array."""
        raise NotImplementedError

    def fixed_in(self, page_size: int, path: str) -> int:
        """Size in bytes of a type that must have one (an element, an arm); SchemaError with ``path`` for a flexible one or a bit-field."""
        try:
            size = self.size_in(page_size)
        except SchemaError as error:
            raise SchemaError(error.message, path=path) from error
        if size is None:
            raise SchemaError("a flexible array or struct is the last field of a struct or nothing", path=path)
        return size

    def element_size(self, page_size: int) -> int:
        """Size in bytes as the element of an array: at least one, so that bytes limit how many there are."""
        size = self.fixed_in(page_size, "[]")
        if size == 0:
            raise SchemaError("the elements of an array take at least one byte", path="[]")
        return size

    def _sizeof(self, context: Any, path: str) -> int:
        size = self.size_in(context._params.page_size)
        if size is None:
            raise construct.SizeofError("a flexible array has no fixed size", path=path)
        return size


class Field(construct.Renamed):
    """A named type with what there is to say about it."""

    name: str

    def __init__(self, subcon: Type, name: str, about: About) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise SchemaError("a field name is a C identifier", path=str(name))
        if name in RESERVED_NAMES or (name.startswith("_pad") and name[4:].isdigit()):
            raise SchemaError("this name is taken: by gaps, or by the decoders", path=name)
        if not isinstance(subcon, Type):
            raise SchemaError(f"{type(subcon).__name__} is not a type of devstate.schema", path=name)
        super().__init__(subcon, newname=name, newdocs=about.doc)
        self.about = about

    @property
    def type(self) -> Type:
        kind: Type = self.subcon
        return kind

    def __mul__(self, other: object) -> Field:
        if isinstance(other, str):
            return Field(self.subcon, self.name, About(other))
        if isinstance(other, About):
            return Field(self.subcon, self.name, other)
        raise SchemaError("a field takes a doc text or About(...)", path=self.name)

    def __rtruediv__(self, name: str) -> Field:
        raise SchemaError(f"this field already has the name {self.name!r}", path=name)


def checked_fields(owner: str, fields: tuple[object, ...]) -> tuple[Field, ...]:
    """``fields`` if each is a named type of the vocabulary and no name stands twice; SchemaError with the path otherwise."""
    seen: set[str] = set()
    for position, field in enumerate(fields):
        where = f"{owner}.{getattr(field, 'name', None) or position}"
        if not isinstance(field, Field):
            raise SchemaError(f'expected "name" / TYPE of devstate.schema, found {type(field).__name__}', path=where)
        if field.name in seen:
            raise SchemaError("this name stands twice", path=where)
        field.type.check(where)
        seen.add(field.name)
    return fields  # type: ignore[return-value]  # just checked


def checked_type(owner: str, kind: object) -> Type:
    """``kind`` if it is a type of the vocabulary; SchemaError otherwise."""
    if not isinstance(kind, Type):
        raise SchemaError(f"{type(kind).__name__} is not a type of devstate.schema", path=owner)
    return kind
