# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The statements that judge the values of one struct: exactly, one after the other, or all at once for a loop over many.

::

    if (it->seals & 0xffffffc0U)                                                    exact: says which field, where, what was found
            return devstate_refuse(fault, DEVSTATE_FLAGS, at + 16, it->seals, "seals");

    bad |= (it->seals & 0xffffffc0U) != 0;                                          quick: no branch, so a compiler makes vectors of it
"""

from __future__ import annotations

from devstate.frozen import frozen, replace
from devstate.gen.names import condition, index, literal, member, parameters, quoted
from devstate.gen.types import value
from devstate.layout.constraints import constraints, leaf, span
from devstate.layout.model import ArrayType, BytesType, FieldLayout, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.constraints import Constraint
    from devstate.layout.model import Layout, StructLayout, TypeLayout


@frozen
class Place:
    """Where the statements are: ``path`` is the value in C, ``name`` in words, ``at + offset`` its place; siblings begin with ``base``."""

    path: str = "it->"
    name: str = ""
    at: str = "at"
    offset: int = 0
    depth: int = 1
    loops: int = 0
    base: str = "it->"

    @property
    def indent(self) -> str:
        """The tabs before a statement."""
        return "\t" * self.depth

    @property
    def spot(self) -> str:
        """The offset as an expression."""
        return f"{self.at} + {self.offset}" if self.offset else self.at


class Judge:
    """Writes the statements for the structs of one layout. ``quick`` chooses the second form."""

    def __init__(self, layout: Layout, *, quick: bool) -> None:
        self.layout = layout
        self.quick = quick

    def struct(self, struct: StructLayout, place: Place | None = None) -> list[str]:
        """The statements for every field of a struct at ``place``."""
        place = place or Place()
        lines = []
        for field in struct.fields:
            if not field.gap:
                path, name = place.path + member(field.name), place.name + field.name
                here = replace(place, path=path, name=name, offset=place.offset + field.offset, base=place.path)
                lines += self.type(struct, field, field.type, here)
        return lines

    def type(self, struct: StructLayout, field: FieldLayout, kind: TypeLayout, place: Place) -> list[str]:
        """The statements for one type of a field, arrays and structs in it included."""
        if isinstance(kind, ArrayType):
            return self.array(struct, field, kind, place)
        if isinstance(kind, StructType):
            return self.struct(self.layout.struct(kind.struct), replace(place, path=f"{place.path}.", name=f"{place.name}."))
        if isinstance(kind, UnionType):
            return self.union(struct, kind, place)
        return [line for each in constraints(self.layout, struct, field) for line in self.one(field, kind, each, place)]

    def array(self, struct: StructLayout, field: FieldLayout, kind: ArrayType, place: Place) -> list[str]:
        """A loop; nothing when there is nothing to judge in an element."""
        each = index(place.loops)
        count = "count" if kind.count is None else str(kind.count)
        inner = self.type(
            struct,
            field,
            kind.element,
            replace(
                place,
                path=f"{place.path}[{each}]",
                name=f"{place.name}[]",
                at=f"{place.at} + {each} * {kind.stride}",
                depth=place.depth + 1,
                loops=place.loops + 1,
            ),
        )
        if not inner or kind.count == 0:
            return []
        return [f"{place.indent}for (u64 {each} = 0; {each} < {count}; {each}++) {{", *inner, f"{place.indent}}}"]

    def union(self, struct: StructLayout, kind: UnionType, place: Place) -> list[str]:
        """The live arm, where a tag says which one that is."""
        tag = struct.field(kind.tag) if kind.tag is not None else None
        if tag is None or not isinstance(tag.type, IntType):
            return []
        low, high = span(tag)
        lines: list[str] = []
        judged = False
        head = "if"
        for arm in kind.arms:
            if arm.value is not None and not low <= arm.value <= high:
                continue
            field = FieldLayout(arm.name, 0, self.layout.size_of(arm.type), arm.type)
            name = member(arm.name)
            here = replace(place, path=f"{place.path}.{name}", name=f"{place.name}.{arm.name}", depth=place.depth + 1)
            inner = self.type(struct, field, arm.type, here)
            judged = judged or bool(inner)
            found = value(f"{place.base}{member(tag.name)}", tag, tag.type)
            test = "true" if arm.value is None else f"{found} == {literal(arm.value, tag.type.size, signed=tag.type.signed)}"
            lines += [f"{place.indent}{head} ({test}) {{", *(inner or [f"{place.indent}\t/* nothing to judge */"])]
            head = "} else if"
            if arm.value is None:
                break
        return [*lines, f"{place.indent}}}"] if judged else []

    def one(self, field: FieldLayout, kind: TypeLayout, rule: Constraint, place: Place) -> list[str]:
        """One constraint of one value."""
        number = value(place.path, field, kind) if isinstance(kind, IntType) else ""
        terms, either = self.text_terms(rule, place.path, kind) if isinstance(kind, BytesType) else number_terms(field, rule, number)
        if self.quick:
            compared = any(sign in terms[0].replace("->", "") for sign in ("==", "!=", "<", ">"))
            parts = [f"({term})" for term in terms] if len(terms) > 1 else [terms[0] if compared else f"({terms[0]}) != 0"]
            return condition(place.indent, parts, "|" if either else "&", "bad |= ", ";")
        given = ["fault", f"DEVSTATE_{rule.rule.upper()}", place.spot, f"(u64){number}" if number else "0", f'"{place.name}"']
        return [
            *condition(place.indent, terms, "||" if either else "&&", "if (", ")"),
            *parameters(f"{place.indent}\treturn devstate_refuse", given, ";"),
        ]

    def text_terms(self, rule: Constraint, path: str, kind: BytesType) -> tuple[list[str], bool]:
        """As :func:`number_terms`, for texts."""
        if rule.rule == "text":
            # Padded with NULs, so the last byte tells of nearly all; the exact form looks again.
            return [f"{path}[{kind.size - 1}] != 0" if self.quick else f"!memchr({path}, 0, {kind.size})"], False
        shown = [(quoted(text.rstrip(b"\0").decode()), len(text)) for text in rule.texts]
        return [f"memcmp({path}, {text}, {size})" + (" != 0" if self.quick else "") for text, size in shown], False


def number_terms(field: FieldLayout, rule: Constraint, number: str) -> tuple[list[str], bool]:
    """The parts of the expression that is true when a number is not allowed, and whether any (not all) of them must be true."""
    low, high = span(field)
    kind = leaf(field.type)
    size, signed = (kind.size, kind.signed and field.width is None) if isinstance(kind, IntType) else (8, False)
    if rule.rule == "flags":
        return [f"{number} & {literal(((1 << high.bit_length() + signed) - 1) & ~rule.mask, size)}"], False
    values = rule.values
    if rule.rule != "range" and values[-1] - values[0] != len(values) - 1:
        return [f"{number} != {literal(each, size, signed=signed)}" for each in values], False
    least, greatest = (rule.low, rule.high) if rule.rule == "range" else (values[0], values[-1])
    if least == greatest:
        return [f"{number} != {literal(least, size, signed=signed)}"], False
    bounds = [f"{number} < {literal(least, size, signed=signed)}"] if least > low else []
    return bounds + ([f"{number} > {literal(greatest, size, signed=signed)}"] if greatest < high else []), True
