# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What published schemas know that no compiler says: where a format is found, what its fields lead to, what a reader does.

A source gives structs and strings. The schema of the same string, or of the same family when the string is new, adds the rest; where the
two speak of the same bytes, the source is right.
"""

from __future__ import annotations

from devstate.frozen import replace
from devstate.layout.model import ArrayType, BytesType, IntType, Layout, StructType, walk_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.layout.model import Environment, FieldLayout, StructLayout
    from devstate.layout.registry import Registry, Summary

UNKNOWN = "unknown"
"""The carrier of a layout of which nobody knows the version."""

REST = "structs"
"""The name of the layout that holds what belongs to no format."""

_ABOUT = ("target", "must", "unit", "hint", "minimum", "maximum", "phase", "optional", "default")


def family(text: str) -> str:
    """What the versions of one format share: ``luo`` of ``luo-v5`` and ``luo-v6;block-v1``."""
    return text.partition(";")[0].rstrip("0123456789").rstrip("v").rstrip("-_,@")


def template(registry: Registry, version: str, structs: Iterable[StructLayout], environment: Environment) -> tuple[Layout | None, bool]:
    """The published layout to learn from, and whether it is of this very version: of its forms the one that is most like ``structs``;
    of an unknown version the newest form of the family. None when nothing is known."""
    exact = registry.names(version)
    names = exact or _of_family(registry, family(version))
    if not names:
        return None, False
    sizes = {struct.name: struct.size for struct in structs}
    layouts = [registry.layout(name, environment) for name in names]
    return max(layouts, key=lambda layout: sum(sizes.get(each.name) == each.size for each in layout.structs)), bool(exact)


def _of_family(registry: Registry, wanted: str) -> list[str]:
    found = [each for each in registry.summaries.values() if each.compatible is not None and family(each.compatible) == wanted]
    live = [each for each in found if each.until is None and each.status == "mainline"] or found[-1:]
    return [each.name for each in live]


def unversioned(registry: Registry, root: str) -> Summary | None:
    """The published format without a string whose root struct has this name; None when there is none."""
    fits = [each for each in registry.summaries.values() if each.compatible is None and each.structs and root in each.structs]
    return next((each for each in fits if each.structs[-1] == root and each.until is None), None)


def informed(struct: StructLayout, layout: Layout, *, exact: bool) -> StructLayout:
    """A struct whose fields know what the fields of that name in ``layout`` know; of another version only where they lead."""
    other = next((each for each in layout.structs if each.name == struct.name), None)
    if other is None:
        return struct
    known = {field.name: field for field in other.fields}
    fields = [_taught(field, known.get(field.name), exact=exact) for field in struct.fields]
    if other.flexible and not struct.flexible and other.size == struct.size:  # what follows a header is often in no declaration
        return replace(struct, fields=(*fields, other.fields[-1]), flexible=True)
    return replace(struct, fields=tuple(fields))


def _taught(field: FieldLayout, other: FieldLayout | None, *, exact: bool) -> FieldLayout:
    if other is None or other.size != field.size or field.gap:
        return field
    told = {name: getattr(other, name) for name in (_ABOUT if exact else _ABOUT[:1])}
    if field.target is not None:
        del told["target"]
    bytes_alike = isinstance(other.type, BytesType) and isinstance(field.type, ArrayType) and field.type.element == IntType(1)
    if exact and bytes_alike:
        told["type"] = other.type
    if not field.names and other.names and exact:
        told |= {"kind": other.kind, "names": other.names}
    return replace(field, **told)


def closure(roots: Iterable[str], structs: dict[str, StructLayout]) -> tuple[StructLayout, ...]:
    """The structs with these names and all that they embed or lead to, as far as they are known, in the order of ``structs``."""
    wanted = [name for name in roots if name in structs]
    seen = set(wanted)
    for name in wanted:
        for field in structs[name].fields:
            for kind in [field.type] if field.target is None or field.target.element is None else [field.type, field.target.element]:
                inner = {each.struct for each in walk_types(kind) if isinstance(each, StructType)} - seen
                seen |= inner
                wanted += [each for each in sorted(inner) if each in structs]
    return tuple([struct for name, struct in structs.items() if name in wanted])


def inside(structs: Iterable[StructLayout]) -> set[str]:
    """The names of all structs that another one embeds."""
    return {each.struct for struct in structs for field in struct.fields for each in walk_types(field.type) if isinstance(each, StructType)}


def root_of(structs: tuple[StructLayout, ...]) -> str:
    """The struct that nothing embeds and that comes last; the empty name when there is none."""
    embedded = inside(structs)
    return next((each.name for each in reversed(structs) if each.name not in embedded), "")


def bare(
    name: str,
    root: str,
    structs: tuple[StructLayout, ...],
    environment: Environment,
    source: str,
    limits: tuple[tuple[str, int], ...] = (),
    constants: tuple[tuple[str, int], ...] = (),
) -> Layout:
    """Structs of which nobody knows the version, as one layout."""
    return Layout(
        name=name, compatible=None, variant="", status="project", source=source, doc="", root=root, structs=structs,
        environment=environment, carrier=UNKNOWN, limits=limits, constants=constants,
    )  # fmt: skip
