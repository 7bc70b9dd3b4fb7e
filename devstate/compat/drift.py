# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Drift: one struct as a schema has it, as headers declare it, as a compiler laid it out (BTF), and as texts describe it. Each pair.

::

    schema --- header        bytes: places, sizes, signs, bit-fields, lengths of arrays
      |   \\   /  |           names and meanings are the schema's own; what only one side has is no drift
      |     X    |
    BTF ---- text            version strings in examples, kernel-doc of members: "text says kho-v3, macro kho-v4"

The layouts are compared as if no version told them apart, which between two pictures of one build none does.
"""

from __future__ import annotations

from devstate.compat.change import UNKNOWN
from devstate.compat.compare import compare
from devstate.compat.rules import ds502
from devstate.compat.versions import split_number, version_of
from devstate.compat.words import names_text
from devstate.finding import Location, Outcome, Severity
from devstate.frozen import frozen, replace
from devstate.layout.model import StructType, walk_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from devstate.compat.change import Change
    from devstate.finding import Finding
    from devstate.layout.claims import Claims, Mention
    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout

BYTES = frozenset({
    "removed", "inserted", "appended", "moved", "packing", "resized", "retyped", "bits", "length", "stride", "reserved-used", "union",
    "header", "encoding",
})  # fmt: skip
"""Kinds of change that are about bytes."""


@frozen
class Picture:
    """One source's idea of some structs: ``word`` is what to call it (schema, header, BTF)."""

    word: str
    declared: Declared

    def structs(self) -> dict[str, Layout]:
        """The layouts that have each struct, by its name; the first one counts."""
        found: dict[str, Layout] = {}
        for layout in self.declared.formats:
            for struct in layout.structs:
                found.setdefault(struct.name, layout)
        return found


def drift(pictures: Sequence[Picture]) -> Iterator[Finding]:
    """Every difference in bytes between two pictures of one struct, each at its place in the second one, or in the first."""
    for index, one in enumerate(pictures):
        for other in pictures[index + 1 :]:
            known = one.structs()
            for name, layout in other.structs().items():
                if name in known:
                    yield from _differences(name, (one, known[name]), (other, layout))


def common(pictures: Sequence[Picture]) -> int:
    """Structs that at least two pictures have."""
    counts: dict[str, int] = {}
    for picture in pictures:
        for name in picture.structs():
            counts[name] = counts.get(name, 0) + 1
    return sum(count > 1 for count in counts.values())


def _differences(name: str, one: tuple[Picture, Layout], other: tuple[Picture, Layout]) -> Iterator[Finding]:
    old, new = (_alone(layout, name) for _, layout in (one, other))
    where = f"{one[0].word} and {other[0].word}"
    for change in compare(old, new).changes:
        if change.kind in BYTES and _is_real(change):
            finding = ds502.drift(change, where)
            places = (each[0].declared.place(change.subject) for each in (other, one))
            place = next((each for each in places if each is not None), Location(other[0].declared.origin))
            yield replace(finding, location=replace(place, path=change.subject, offset=change.offset))


def _is_real(change: Change) -> bool:
    """Whether bytes mean something else: a change that hurts neither side is one of words."""
    return change.worst is not Outcome.OK


def _alone(layout: Layout, name: str) -> Layout:
    """One struct of a layout, with what it embeds, and without any version."""
    known = {struct.name: struct for struct in layout.structs}
    wanted = [name]
    for each in wanted:
        for field in known[each].fields if each in known else ():
            wanted += [inner.struct for inner in walk_types(field.type) if isinstance(inner, StructType) and inner.struct not in wanted]
    structs = tuple(
        replace(struct, fields=tuple(replace(field, target=None, names=(), kind="", must=None) for field in struct.fields))
        for struct in layout.structs
        if struct.name in wanted
    )
    bare = replace(layout, compatible=None, version=None, carrier=UNKNOWN, limits=(), constants=(), replaces=None)
    return replace(bare, name=name, root=name, structs=structs)


def versions_in_texts(mentions: Iterable[Mention], strings: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Texts that name a version which is not the one that is declared. ``strings`` are (version, who says so)."""
    current: dict[str, list[tuple[str, str]]] = {}
    for version, who in strings:
        head, number = split_number(version)
        if number is not None:
            current.setdefault(head, []).append((version, who))
    for mention in dict.fromkeys(mentions):
        known = current.get(split_number(mention.text)[0], [])
        if known and all(version != mention.text for version, _ in known):
            says = names_text(dict.fromkeys(f"{who} is {version}" for version, who in known))
            found = ds502.RULE.finding(f"the text says {mention.text}, {says}", mention.text, severity=Severity.WARNING)
            yield replace(found, location=replace(mention.place, path=mention.text))


def structs_in_texts(named: Iterable[Mention], known: Iterable[str]) -> Iterator[Finding]:
    """Texts that name a serialised struct which no source has. Of words that are not like any known struct nobody knows what they are."""
    import difflib

    there = sorted(set(known))
    for mention in dict.fromkeys(named):
        close = difflib.get_close_matches(mention.text, there, n=1, cutoff=0.75)
        if mention.text not in there and close:
            message = f"the text names struct {mention.text}, which nothing declares; is {close[0]} meant?"
            yield _text_finding(message, mention.text, mention.place)


def kernel_doc(claims: Claims) -> Iterator[Finding]:
    """Structs whose kernel-doc and members are not the same."""
    for struct in claims.structs:
        members = {member.name for member in struct.members}
        documented = dict(struct.documented)
        for name, place in documented.items():
            if name not in members:
                yield _text_finding(f"kernel-doc explains @{name}, and there is no such member", f"{struct.name}.{name}", place)
        for member in struct.members if documented else ():
            if member.name not in documented and not member.by_macro:
                yield _text_finding("kernel-doc does not explain it", f"{struct.name}.{member.name}", member.place)


def _text_finding(message: str, subject: str, place: Location) -> Finding:
    finding = ds502.RULE.finding(message, subject, severity=Severity.WARNING)
    return replace(finding, location=replace(place, path=subject))


def strings_of(formats: Iterable[Layout]) -> list[tuple[str, str]]:
    """(version, who says so) of the formats that are written today."""
    return [(str(version_of(each)), f"the schema {each.name}") for each in formats if each.compatible is not None and each.until is None]


__all__ = ["Picture", "common", "drift", "kernel_doc", "strings_of", "structs_in_texts", "versions_in_texts"]
