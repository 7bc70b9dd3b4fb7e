# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From the facts in headers to formats: one for each version string, with the structs that it stands for.

A struct belongs to the version that the comment above it names ("if this structure is modified, X must be updated"); else to the only
version of its file; else to the one that shares most words with it; else to the one that its file's text names. What belongs to none is
a format of its own when a schema without a string has it as its root, and else one of the layout ``structs``, whose version is unknown.
"""

from __future__ import annotations

import re

from devstate.frozen import frozen, replace
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, FieldLayout, Layout, NodeLayout, StructLayout
from devstate.source.header_answer import HeaderFacts, Macro
from devstate.source.header_names import numbers_of, with_names
from devstate.source.header_tree import is_version, tree_of
from devstate.source.headers import read_headers
from devstate.source.known import REST, bare, closure, family, informed, root_of, template, unversioned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.layout.registry import Registry

_COMMON = {"COMPATIBLE", "COMPAT", "FDT", "PROP", "NODE", "NAME", "LUO", "FH", "ABI", "SER", "HEADER", "KHO", ""}
_NAMED = re.compile(r"\b([A-Z][A-Z0-9_]*_COMPAT(?:IBLE)?)\b")


def open_headers(
    path: str,
    environment: Environment,
    *,
    shown: str | None = None,
    type_name: str | None = None,
    registry: Registry,
    include: tuple[str, ...] = (),
    defines: tuple[str, ...] = (),
) -> Declared:
    """What headers declare. Errors as read_headers()."""
    facts = read_headers(path, environment, shown=shown, type_name=type_name, include=include, defines=defines)
    made = _Formats(facts, environment, registry)
    formats = made.all()
    places = dict(facts.places)
    for layout in formats:
        macro = made.macro_of.get(layout.name)
        place = places.get(macro or "") or places.get(layout.root if isinstance(layout.root, str) else "")
        if place is not None:
            places.setdefault(layout.name, place)
    missing = () if formats else (f"{shown or path} declares no struct and no version",)
    return Declared(shown or path, "headers", environment, formats, tuple(places.items()), missing, made.owners(), facts.aliases)


@frozen
class Group:
    """What belongs to one version: the macro, the structs, the files."""

    macro: Macro
    structs: tuple[StructLayout, ...]
    files: frozenset[str]


class _Formats:
    """One run: facts become formats."""

    def __init__(self, facts: HeaderFacts, environment: Environment, registry: Registry) -> None:
        self.facts, self.environment, self.registry = facts, environment, registry
        structs, self.used = with_names(facts.structs, facts.macros)
        self.structs = {struct.name: struct for struct in structs}
        self.home = dict(facts.home)
        self.comments = dict(facts.comments)
        self.texts = {file.shown: file.text for file in facts.files}
        self.versions: dict[str, Macro] = {}
        self.named: dict[str, str] = {}  # each macro -> the first one with the same text: the others are only names for it
        first: dict[str, str] = {}
        for macro in facts.macros:
            if is_version(macro):
                self.named[macro.name] = first.setdefault(str(macro.value), macro.name)
                if self.named[macro.name] == macro.name:
                    self.versions[macro.name] = macro
        self.inner: dict[str, str] = {}
        self.macro_of: dict[str, str] = {}
        self.trees: dict[str, NodeLayout] = {}

    def all(self) -> tuple[Layout, ...]:
        """Every format; those with a version string first."""
        for macro in self.versions.values():
            self.plant(macro)
        roots = [macro for macro in self.versions.values() if macro.name not in self.inner]
        taken: dict[str, list[StructLayout]] = {macro.name: [] for macro in roots}
        rest = []
        for name in self.home:
            owner = self.owner(name, roots)
            if owner is None:
                rest.append(self.structs[name])
            else:
                taken[owner].append(self.structs[name])
        made = [self.format(Group(macro, tuple(taken[macro.name]), self.files(macro, taken[macro.name]))) for macro in roots]
        return tuple(made + self.without_string(rest))

    def files(self, macro: Macro, structs: Iterable[StructLayout]) -> frozenset[str]:
        return frozenset({macro.file, *(self.home[struct.name] for struct in structs)})

    # Which struct belongs to which version

    def plant(self, macro: Macro) -> None:
        """Find the tree whose root carries a version, and note which versions are inside it."""
        if macro.name in self.inner:
            return
        known = template(self.registry, str(macro.value), (), self.environment)[0]
        root = known.root if known is not None and isinstance(known.root, NodeLayout) else None
        tree, inner = tree_of([each for each in self.facts.macros if each.file == macro.file], macro, root)
        if tree is None and root is not None and not self.has_root(macro):
            tree, inner = self.transplanted(root, macro)
        if tree is not None:
            self.trees[macro.name] = tree
            self.inner |= dict.fromkeys(inner, macro.name)

    def has_root(self, macro: Macro) -> bool:
        """Whether a struct of the file carries its version itself: then the format is no tree any more."""
        mine = [self.structs[name] for name, file in self.home.items() if file == macro.file]
        return any(struct.fields[:1] and struct.fields[0].name == "compatible" for struct in mine)

    def transplanted(self, root: NodeLayout, macro: Macro) -> tuple[NodeLayout, set[str]]:
        """The published tree, as its properties are in no macro, with the version strings of the header."""
        others = {family(str(each.value)): each for each in self.versions.values() if each is not macro and each.file == macro.file}
        inner = {}
        children = []
        for child in root.children:
            own = others.get(family(child.compatible or ""))
            if own is not None:
                inner[own.name] = macro.name
            children.append(child if own is None else replace(child, compatible=str(own.value)))
        return replace(root, compatible=str(macro.value), children=tuple(children)), set(inner)

    def owner(self, struct: str, roots: list[Macro]) -> str | None:
        """The version that a struct belongs to; None when it belongs to none that is declared here."""
        named = _NAMED.search(self.comments.get(struct, ""))
        if named is not None and named[1] in self.named:
            return self.inner.get(self.named[named[1]], self.named[named[1]])
        file = self.home[struct]
        own = [macro.name for macro in roots if macro.file == file]
        if len(own) == 1:
            return own[0]
        if own:
            shared = {name: len(_words(name) & _words(struct)) for name in own}
            return max(own, key=lambda name: shared[name])
        said = next((self.named[each] for each in _NAMED.findall(self.texts.get(file, "")) if each in self.named), None)
        return None if said is None else self.inner.get(said, said)

    def owners(self) -> tuple[tuple[str, str], ...]:
        """(struct, macro) for each comment that names one, declared or not."""
        named = [(name, _NAMED.search(comment)) for name, comment in self.comments.items() if "updated" in comment or "modified" in comment]
        return tuple((name, found[1]) for name, found in named if found is not None)

    # Formats

    def format(self, group: Group) -> Layout:
        """The format of one version string."""
        version = str(group.macro.value)
        known, exact = template(self.registry, version, group.structs, self.environment)
        structs = dict(self.structs)
        if known is not None:
            structs = {name: informed(struct, known, exact=exact) for name, struct in structs.items()}
        own = closure([struct.name for struct in group.structs], structs)
        root: str | NodeLayout = self.trees.get(group.macro.name, "")
        if not isinstance(root, NodeLayout):
            names = {struct.name for struct in group.structs}
            root = known.root if known is not None and known.root in names else root_of(tuple(each for each in own if each.name in names))
        limits, constants = numbers_of(self.facts, set(group.files), self.used)
        self.macro_of[version] = group.macro.name
        made = Layout(
            name=version, compatible=version, variant="", status=known.status if known is not None and exact else "project",
            source=group.macro.file, doc="" if known is None else known.doc, root=root, structs=own, environment=self.environment,
            carrier=_carrier(root, own), owner=group.macro.name, limits=limits, constants=constants,
        )  # fmt: skip
        if known is None:
            return made
        made = replace(made, found_by=known.found_by, on_mismatch=known.on_mismatch, freed=known.freed)
        return replace(made, versions=known.versions, replaces=known.replaces, since=known.since) if exact else made

    def without_string(self, rest: list[StructLayout]) -> list[Layout]:
        """Formats that carry a number, or nothing; what is left is one layout."""
        made = []
        for struct in list(rest):
            summary = unversioned(self.registry, struct.name)
            if summary is None:
                continue
            known = self.registry.layout(summary.name, self.environment)
            made.append(self.numbered(struct, known))
            rest = [each for each in rest if each.name not in {inner.name for inner in made[-1].structs}]
        if rest:
            structs = closure([struct.name for struct in rest], self.structs)
            limits, constants = numbers_of(self.facts, {self.home[struct.name] for struct in rest}, self.used)
            made.append(bare(REST, "", structs, self.environment, self.home[rest[0].name], limits, constants))
        return made

    def numbered(self, struct: StructLayout, known: Layout) -> Layout:
        """A format that a published schema knows by its root struct. The number in it is that of the header, when the header has one."""
        structs = {name: informed(each, known, exact=True) for name, each in self.structs.items()}
        version = known.version
        if version is not None:
            own = [each for each in self.facts.macros if each.file == self.home[struct.name]]
            version = (version[0], int(next((each.value for each in own if _is_number(each)), version[1]) or 0))
            root = structs[struct.name]
            fields = [replace(field, must=version[1]) if field.name == version[0] else field for field in root.fields]
            structs[struct.name] = replace(root, fields=tuple(fields))
        limits, constants = numbers_of(self.facts, {self.home[struct.name]}, self.used)
        return replace(
            known, structs=closure([struct.name], structs), root=struct.name, version=version, source=self.home[struct.name],
            environment=self.environment, limits=limits, constants=constants,
        )  # fmt: skip


def _carrier(root: str | NodeLayout, structs: tuple[StructLayout, ...]) -> str:
    if isinstance(root, NodeLayout):
        return "fdt"
    fields: tuple[FieldLayout, ...] = next((struct.fields for struct in structs if struct.name == root), ())
    return "field:compatible" if any(field.name == "compatible" for field in fields) else "string"


def _is_number(macro: Macro) -> bool:
    return isinstance(macro.value, int) and macro.name.upper().endswith("_VERSION")


def _words(name: str) -> set[str]:
    return {*name.upper().split("_")} - _COMMON
