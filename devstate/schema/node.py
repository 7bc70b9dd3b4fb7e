# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Formats whose outer form is a flattened devicetree: nodes with properties.

The tree itself is standard (big-endian structure); a property's payload is whatever type its field says, usually a raw
native integer. ``/compatible`` is not listed: it is the schema's or node's ``compatible``.
"""

from __future__ import annotations

from devstate.errors import SchemaError
from devstate.schema.base import About, Field, checked_fields, checked_type


class Property(Field):
    """A field whose name is a devicetree property, which may have dashes and commas: made by ``prop("blob-size", U64)``."""

    def __init__(self, field: Field, name: str) -> None:
        super().__init__(field.type, "property", field.about)
        self.name = name

    def __mul__(self, other: object) -> Property:
        return Property(Field(self.type, "property", other if isinstance(other, About) else About(str(other))), self.name)


def prop(name: str, kind: object, about: About | str = "") -> Property:
    """A property ``name`` whose payload has the type ``kind``; ``*`` is any property not listed, named by the client."""
    return Property(("property" / checked_type(name, kind)) * about, name)


class Node:
    """A devicetree node. ``name`` is fixed, or ``*`` when the client chooses it; ``compatible`` is the node's own, if any.

    ``optional`` says whether the reading kernel does without it.
    """

    def __init__(
        self,
        name: str,
        *properties: Property,
        compatible: str | None = None,
        children: tuple[Node, ...] = (),
        optional: bool = False,
        doc: str = "",
    ) -> None:
        checked_fields(name or "/", properties)
        if any(not isinstance(child, Node) for child in children):
            raise SchemaError("children are nodes", path=name)
        self.name = name
        self.properties = properties
        self.compatible = compatible
        self.children = children
        self.optional = optional
        self.doc = doc
