# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which format of one source is which of the other: by name; else what replaces it; else the newest ones of one family.

::

    old   memfd-v1                     memfd-v1 is held to what it was: a published format is frozen
    new   memfd-v1   memfd-v2          memfd-v2, the newest, is what the new kernel makes of what the old one wrote as memfd-v1
"""

from __future__ import annotations

from devstate.compat.change import UNKNOWN
from devstate.compat.versions import family
from devstate.frozen import frozen, replace
from devstate.layout.model import StructLayout, StructType, walk_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.layout.declared import Declared
    from devstate.layout.model import FieldLayout, Layout, TypeLayout


@frozen
class FormatPair:
    """Two layouts to compare; ``new`` None when nothing on the new side stands for ``old``. ``ancestors`` are what ``old`` replaced."""

    old: Layout
    new: Layout | None
    ancestors: tuple[Layout, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """The names of both."""
        return self.old.name, "" if self.new is None else self.new.name


def pairs_of(old: Iterable[Layout], new: Iterable[Layout]) -> list[FormatPair]:
    """Every pair, in the order of the new side. A format that only the new side has and that follows nothing is in none."""
    before, after = {each.name: each for each in old}, {each.name: each for each in new}
    if len(before) == len(after) == 1 and not _apart(next(iter(before.values())), next(iter(after.values()))):
        return [_pair(next(iter(before.values())), next(iter(after.values())), before)]
    pairs = [_pair(before[name], layout, before) for name, layout in after.items() if name in before]
    paired = {name for name in before if name in after}
    old_heads = _heads(before.values())
    for layout in _heads(after.values()):
        if layout.name in before:
            continue
        one = _predecessor(layout, old_heads, after)
        if one is not None:
            pairs.append(_pair(one, layout, before))
            paired.add(one.name)
    for layout in old_heads:
        if layout.name not in paired and not any(_are_kin(layout, each) for each in after.values()):
            pairs.append(FormatPair(layout, None))
    return pairs


def _pair(old: Layout, new: Layout, before: dict[str, Layout]) -> FormatPair:
    """A pair whose sides both have versions, or neither: what no source knows tells nobody apart."""
    if UNKNOWN in (old.carrier, new.carrier) and old.carrier != new.carrier:
        old, new = _as_built(old), _as_built(new)
    old, new = _filled(old, new), _filled(new, old)
    ancestors: list[Layout] = []
    at: Layout | None = old
    while at is not None and at.replaces is not None:
        wanted, known = at.replaces, {old.name, *(each.name for each in ancestors)}
        at = next((each for each in before.values() if wanted in (each.compatible, each.name) and each.name not in known), None)
        ancestors += [] if at is None else [at]
    return FormatPair(old, new, tuple(ancestors))


def _filled(layout: Layout, other: Layout) -> Layout:
    """A format of which a source knows the version and no struct at all, where the other side has one: it hands over no bytes."""
    if layout.root != "" or layout.structs or layout.carrier == UNKNOWN or not isinstance(other.root, str) or not other.root:
        return layout
    return replace(layout, root=other.root, structs=(StructLayout(other.root, 0, 1, True, ()),))


def _as_built(layout: Layout) -> Layout:
    """What a compiler would know of a layout: no version, and no value that a reader insists on."""
    structs = tuple([replace(each, fields=tuple([replace(field, must=None) for field in each.fields])) for each in layout.structs])
    return replace(layout, compatible=None, version=None, carrier=UNKNOWN, structs=structs)


def _heads(formats: Iterable[Layout]) -> list[Layout]:
    """The formats that nothing on the same side replaces: what a kernel of that side writes."""
    known = list(formats)
    replaced = {each.replaces for each in known if each.replaces is not None}
    live = [each for each in known if each.compatible not in replaced and each.name not in replaced] or known
    current = [each for each in live if each.until is None]
    return [each for each in live if each.until is None or not any(_are_kin(each, other) for other in current)]


def _predecessor(layout: Layout, old_heads: list[Layout], after: dict[str, Layout]) -> Layout | None:
    """The old format that a new one follows: along what it says it replaces, else the last one of its family."""
    wanted, seen = layout.replaces, {layout.name}
    while wanted is not None:
        found = next((each for each in old_heads if wanted in (each.compatible, each.name)), None)
        if found is not None:
            return found
        step = next((each for each in after.values() if wanted in (each.compatible, each.name) and each.name not in seen), None)
        wanted = None if step is None else step.replaces
        seen |= {"" if step is None else step.name}
    kin = [each for each in old_heads if _are_kin(each, layout)]
    return kin[-1] if kin else None


def _are_kin(one: Layout, other: Layout) -> bool:
    """Whether two formats are versions of one: readers look for them at one place, and they are called alike."""
    if one.name == other.name or _follows(one, other) or _follows(other, one):
        return True
    if _apart(one, other):
        return False
    names = [family(each.compatible or each.name.partition("@")[0]) for each in (one, other)]
    return names[0] == names[1]


def _apart(one: Layout, other: Layout) -> bool:
    """Whether readers look for two formats at different places."""
    return one.found_by != other.found_by and None not in (one.found_by, other.found_by)


def _follows(one: Layout, other: Layout) -> bool:
    return one.replaces is not None and one.replaces in (other.compatible, other.name)


WRITTEN = ("schemas", "baselines", "manifest")
"""Kinds of sources that list formats, versions or not."""

FILES = (".py", ".h", ".c", ".json")
"""How the name of a source ends that is one file."""


def would_show(old: Declared, new: Declared, layout: Layout) -> bool:
    """Whether the new side is one that would have a format of the old side, if it still were there: else its absence says nothing.

    A list of formats shows all; but one file of it is not the whole. Headers show what their files declare, a build what has a string,
    where the strings of the build are known.
    """
    if new.kind == "headers" and old.kind == "headers":
        return new.origin.endswith(FILES) == old.origin.endswith(FILES)
    if new.kind in WRITTEN and old.kind in WRITTEN:
        return not new.origin.endswith(FILES) or old.origin.endswith(FILES) or len(old.formats) == 1
    if layout.compatible is None or new.kind == "object":
        return False
    if new.kind == "headers":
        files = {(place.source or "").rpartition("/")[2] for _, place in new.places}
        return layout.source.partition(" ")[0].rpartition("/")[2] in files
    return new.kind != "build" or any(each.compatible is not None for each in new.formats)


def only_type(declared: Declared, name: str) -> Declared:
    """What a source says of one struct: its formats that have it, cut down to it and what it leads to.

    What has no such struct, and no typedef of one, says so in ``missing``.
    """
    if all(struct.name != name for each in declared.formats for struct in each.structs):
        name = dict(declared.aliases).get(name, name)
    formats = tuple([_rooted(each, name) for each in declared.formats if any(struct.name == name for struct in each.structs)])
    missing = declared.missing if formats else (*declared.missing, f"{declared.origin} has no struct {name}")
    return replace(declared, formats=formats, missing=missing)


def _rooted(layout: Layout, name: str) -> Layout:
    """A layout whose root is one of its structs, with the structs that this one needs."""
    known = {struct.name: struct for struct in layout.structs}
    wanted = [name]
    for each in wanted:
        for field in known[each].fields if each in known else ():
            wanted += [inner for inner in _structs_of(field) if inner not in wanted]
    kept = tuple([struct for struct in layout.structs if struct.name in wanted])
    same = layout.root == name
    return replace(
        layout, root=name, structs=kept, version=layout.version if same else None, limits=layout.limits if same else (),
        constants=layout.constants if same else (),
    )  # fmt: skip


def _structs_of(field: FieldLayout) -> Iterator[str]:
    """The structs that a field holds or leads to."""
    kinds: list[TypeLayout] = [field.type]
    if field.target is not None and field.target.element is not None:
        kinds.append(field.target.element)
    for kind in kinds:
        yield from (each.struct for each in walk_types(kind) if isinstance(each, StructType))
