# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The owner graph: which version covers which struct, what embeds and leads to what, and what the comments of headers say about it.

::

    kho-v4 --versions--> kho_vmalloc <--embeds (folios)-- memfd_luo_ser <--versions-- memfd-v2 <--carries-- luo_file_ser.data
                              ^
                              +--- says: KHO_FDT_COMPATIBLE, kexec_handover.h:110

A struct that two versions cover is foreign in one of them: a change of it must change both. A comment that makes a macro responsible which
no header defines is dangling: whoever changes the struct will find nothing to update.
"""

from __future__ import annotations

from devstate.compat.rules import ds308
from devstate.compat.versions import family, version_of
from devstate.compat.words import names_text
from devstate.finding import Severity
from devstate.frozen import frozen, replace
from devstate.layout.model import NodeLayout, StructType, walk_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from devstate.finding import Finding, Location
    from devstate.layout.claims import Claims, DeclaredStruct
    from devstate.layout.model import FieldLayout, Layout, TypeLayout

SIZES = ("size", "argsz", "struct_size")
"""What the first field of an extensible struct is called: how many bytes of it the writer knows."""

VERSIONS, EMBEDS, LEADS, CARRIES, SAYS = "versions", "embeds", "leads", "carries", "says"


@frozen
class Edge:
    """``source`` versions, embeds, leads to, carries or says ``target``; ``via`` is the field, or the place of a comment."""

    kind: str
    source: str
    target: str
    via: str = ""


@frozen
class Version:
    """A version: its string (of a format without one, the format's name), who owns the memory, where a reader finds it. ``kind`` is string,
    number (a field of the format), size (the first field says how long it is) or none."""

    name: str
    owner: str
    found_by: str | None
    kind: str = "string"


@frozen
class Graph:
    """Versions, the names of structs, and edges between them. ``undefined`` are the macros that comments name and no header has."""

    versions: tuple[Version, ...]
    structs: tuple[str, ...]
    edges: tuple[Edge, ...]
    undefined: tuple[str, ...] = ()

    def of(self, kind: str, source: str) -> list[Edge]:
        """The edges of one kind that leave a node."""
        return [edge for edge in self.edges if edge.kind == kind and edge.source == source]

    def to(self, kind: str, target: str) -> list[Edge]:
        """The edges of one kind that lead to a node."""
        return [edge for edge in self.edges if edge.kind == kind and edge.target == target]


def graph_of(formats: Sequence[Layout], claims: Claims | None = None) -> Graph:
    """The graph of some formats, and of what the comments of their headers say."""
    versions: dict[str, Version] = {}
    structs: dict[str, None] = {}
    edges: dict[Edge, None] = {}
    for layout in formats:
        name, kind = _version(layout)
        versions.setdefault(name, Version(name, layout.owner, layout.found_by, kind))
        if layout.found_by is not None:
            edges[Edge(CARRIES, layout.found_by, name)] = None
        inner = _inner_versions(layout)
        for version, struct in inner:
            versions.setdefault(version, Version(version, layout.owner, f"a node of {name}"))
            edges[Edge(VERSIONS, version, struct)] = None
        for struct_layout in layout.structs:
            structs[struct_layout.name] = None
            if all(struct_layout.name != struct for _, struct in inner):
                edges[Edge(VERSIONS, name, struct_layout.name)] = None
            for field in struct_layout.fields:
                edges |= dict.fromkeys(_edges(struct_layout.name, field))
    undefined = []
    for claim in () if claims is None else claims.claims:
        if claim.struct in structs:
            edges[Edge(SAYS, claim.struct, claim.version, str(claim.place))] = None
        if claims is not None and claims.macro(claim.version) is None:
            undefined.append(claim.version)
    return Graph(tuple(versions.values()), tuple(structs), tuple(edges), tuple(dict.fromkeys(undefined)))


def _version(layout: Layout) -> tuple[str, str]:
    """The name and kind of a format's version."""
    if layout.compatible is not None:
        return version_of(layout) or layout.compatible, "string"
    if layout.version is not None:
        return f"{layout.name} {layout.version[0]} {layout.version[1]}", "number"
    return layout.name, "size" if layout.carrier == "field:size" else "none"


def _edges(struct: str, field: FieldLayout) -> Iterator[Edge]:
    """What one field embeds and leads to."""
    yield from (Edge(EMBEDS, struct, name, field.name) for name in _named(field.type))
    if field.target is not None and field.target.element is not None:
        yield from (Edge(LEADS, struct, name, field.name) for name in _named(field.target.element))


def _named(kind: TypeLayout) -> list[str]:
    return [each.struct for each in walk_types(kind) if isinstance(each, StructType)]


def _inner_versions(layout: Layout) -> list[tuple[str, str]]:
    """(version, struct) for the structs that a node with a version of its own leads to."""
    if not isinstance(layout.root, NodeLayout):
        return []
    found: list[tuple[str, str]] = []
    pending: list[tuple[NodeLayout, str | None]] = [(child, None) for child in layout.root.children]
    for node, around in pending:
        version = node.compatible or around
        pending += [(child, version) for child in node.children]
        for field in node.properties if version is not None else ():
            starts = _named(field.target.element) if field.target is not None and field.target.element is not None else []
            found += [(version, name) for name in _reached(layout, starts)] if version is not None else []
    return list(dict.fromkeys(found))


def _reached(layout: Layout, starts: Iterable[str]) -> list[str]:
    """The structs that these embed and lead to, themselves included."""
    known = {struct.name: struct for struct in layout.structs}
    found = [name for name in dict.fromkeys(starts) if name in known]
    for name in found:
        for field in known[name].fields:
            found += [edge.target for edge in _edges(name, field) if edge.target in known and edge.target not in found]
    return found


def _from_root(layout: Layout) -> set[str]:
    """The structs that a reader comes to from the root."""
    if isinstance(layout.root, str):
        return set(_reached(layout, [layout.root]))
    nodes, starts = [layout.root], []
    for node in nodes:
        nodes += node.children
        for field in node.properties:
            starts += _named(field.type) + (_named(field.target.element) if field.target is not None and field.target.element else [])
    return set(_reached(layout, starts))


def shared(formats: Sequence[Layout]) -> Iterator[tuple[Finding, list[Layout]]]:
    """Structs that formats of several families have, among those that are written today: findings, each with those formats. The owner is
    the format whose root it is, or the one that declares it for others (it is not reached from its own root)."""
    holders: dict[str, list[Layout]] = {}
    for layout in formats:
        for struct in layout.structs if layout.until is None and layout.status != "posted" else ():
            holders.setdefault(struct.name, []).append(layout)
    for name, layouts in holders.items():
        if len({_family(layout) for layout in layouts}) < 2:
            continue
        owners = [each for each in layouts if each.root == name] or [each for each in layouts if name not in _from_root(each)]
        own = {_family(each) for each in owners}
        guests = [each.name for each in layouts if _family(each) not in own]
        if guests:
            belongs = f"it belongs to {names_text(each.name for each in owners)} and is part of" if owners else "it is part of"
            message = f"{belongs} {names_text(guests)}: a change of it must change the versions of all"
            yield ds308.RULE.finding(message, name, severity=Severity.INFO if owners else Severity.WARNING), layouts


def _family(layout: Layout) -> str:
    return family(layout.compatible or layout.name.partition("@")[0])


def claimed(claims: Claims) -> Iterator[Finding]:
    """What is wrong with the comments of headers: macros that are nowhere, structs that nothing covers or that are foreign where they are
    embedded. Each finding stands at its line."""
    yield from _dangling(claims)
    owners = owners_of(claims)
    yield from _uncovered(claims, owners)
    explicit = {claim.struct for claim in claims.claims}
    for struct in claims.structs:
        owner = owners.get(struct.name)
        for member in struct.members:
            other = owners.get(member.struct or "")
            if member.embeds and owner is not None and other is not None and other != owner:
                message = f"{member.struct} is covered by {other}, {struct.name} by {owner}: a change of {member.struct} must change both"
                severity = Severity.INFO if member.struct in explicit else Severity.WARNING
                yield _at(ds308.RULE.finding(message, f"{struct.name}.{member.name}", severity=severity), member.place)


def _uncovered(claims: Claims, owners: Mapping[str, str]) -> Iterator[Finding]:
    """Structs that no version covers, one finding for each file. A struct that begins with its own size is covered by that."""
    spoken = {(claim.place.source, claim.struct) for claim in claims.claims}
    files: dict[str | None, list[DeclaredStruct]] = {}
    for struct in claims.structs:
        source = struct.place.source
        sized = bool(struct.members) and struct.members[0].name in SIZES
        if struct.name not in owners and not sized and not {(source, ""), (source, struct.name)} & spoken:
            files.setdefault(source, []).append(struct)
    for structs in files.values():
        macros = _macros_of(claims, structs[0])
        several = f"its file has {names_text(macros)}" if macros else "its file has no version macro"
        others = f", nor {names_text(each.name for each in structs[1:])}" if len(structs) > 1 else ""
        yield _at(ds308.RULE.finding(f"no comment says which version covers it{others}; {several}", structs[0].name), structs[0].place)


def owners_of(claims: Claims) -> dict[str, str]:
    """The macro that covers each struct. By the comment above it, else by what its file says of everything, else the only one of its file,
    else that of the structs which embed it when they have one in common. A macro that is not defined covers nothing."""
    defined = {macro.name for macro in claims.macros}
    own = {claim.struct: claim.version for claim in reversed(claims.claims) if claim.struct and claim.version in defined}
    files = {claim.place.source: claim.version for claim in reversed(claims.claims) if not claim.struct and claim.version in defined}
    made: dict[str, str] = {}
    around: dict[str, set[str]] = {}
    for struct in claims.structs:
        macros = _macros_of(claims, struct)
        owner = own.get(struct.name) or files.get(struct.place.source) or (macros[0] if len(macros) == 1 else None)
        if owner is not None:
            made[struct.name] = owner
        for member in struct.members:
            if member.embeds:
                around.setdefault(member.struct or "", set()).add(struct.name)
    for name, embedders in around.items():
        common = {made.get(each) for each in embedders}
        found = next(iter(common))
        if name not in made and len(common) == 1 and found is not None:
            made[name] = found
    return made


def _macros_of(claims: Claims, struct: DeclaredStruct) -> list[str]:
    """The version macros of a struct's file."""
    return [each.name for each in claims.macros if each.place.source == struct.place.source and each.value is not None]


def _dangling(claims: Claims) -> Iterator[Finding]:
    """Comments that name a macro which is not there."""
    import difflib

    for claim in claims.claims:
        if claims.macro(claim.version) is None:
            close = difflib.get_close_matches(claim.version, [each.name for each in claims.macros], n=1, cutoff=0.5)
            hint = f"; is {close[0]} meant?" if close else ""
            message = f"a comment says that {claim.version} must change with it, and no header defines that{hint}"
            found = ds308.RULE.finding(message, claim.struct or claim.version, severity=Severity.ERROR)
            yield _at(found, claim.place)


def _at(finding: Finding, place: Location) -> Finding:
    return replace(finding, location=replace(place, path=finding.location.path))
