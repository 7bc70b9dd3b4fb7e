# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tagged maps: fields are found by their tags, so places mean nothing, what is unknown is kept, and what does not fit is refused.

A field that came or went matters to a reader that cannot do without it. A number may become wider, a text longer: then only a reader of
the old form refuses what it has no room for. Nothing is ever misread but a tag that was given another meaning.
"""

from __future__ import annotations

from devstate.compat.draft import Draft
from devstate.compat.meanings import meanings
from devstate.compat.words import type_text
from devstate.finding import Outcome
from devstate.layout.constraints import span
from devstate.layout.model import ArrayType, BytesType, FieldLayout, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.compare import Walk
    from devstate.layout.model import StructLayout, TypeLayout

    Outcomes = tuple[Outcome, Outcome]

OK, REFUSED, MISREAD = Outcome.OK, Outcome.REFUSED, Outcome.MISREAD


def compare_maps(walk: Walk) -> None:
    """Note in ``walk`` what changed between two layouts of which at least one is a tagged map."""
    if walk.old.encoding != walk.new.encoding:
        outcomes = [REFUSED if side.encoding == "tagged" or side.carrier.startswith("field:") else MISREAD for side in (walk.new, walk.old)]
        words = [f"{side.encoding}: {side.root}" for side in (walk.old, walk.new)]
        walk.drafts.append(Draft("encoding", walk.new.name, outcomes[0], outcomes[1], words[0], words[1], (walk.root,)))
        return
    pending = [(walk.old.struct(), walk.new.struct())]
    for old, new in pending:
        walk.reached[0].add(old.name)
        walk.reached[1].add(new.name)
        for one, other in Pair(walk, old, new).run():
            pair = walk.old.struct(one), walk.new.struct(other)
            if pair not in pending:
                pending.append(pair)


class Pair:
    """One pair of structs."""

    def __init__(self, walk: Walk, old: StructLayout, new: StructLayout) -> None:
        self.walk, self.old, self.new = walk, old, new
        self.inner: list[tuple[str, str]] = []

    def run(self) -> list[tuple[str, str]]:
        """Note the changes; the names of the structs inside that are to be compared as well."""
        before, after = ({field.tag: field for field in struct.fields if not field.gap} for struct in (self.old, self.new))
        for tag, field in before.items():
            if tag not in after:
                self.note("presence", (OK, OK if field.optional else REFUSED), field, None, _text(field), f"no tag {tag}")
        for tag, field in after.items():
            if tag not in before:
                self.note("presence", (OK if field.optional else REFUSED, OK), None, field, f"no tag {tag}", _text(field))
            else:
                self.both(before[tag], field)
        return self.inner

    def note(self, kind: str, outcomes: Outcomes, old: FieldLayout | None, new: FieldLayout | None, old_text: str, new_text: str) -> Draft:
        """Take in a change of a field."""
        field = new or old
        name = field.name if field is not None else ""
        draft = Draft(kind, f"{self.new.name}.{name}", *outcomes, old_text, new_text, (self.walk.root,)).of_fields(old, new)
        self.walk.drafts.append(draft.at(self.new.name, name, self.old.name, self.new.name, "one"))
        draft.wire = outcomes != (OK, OK)  # a field that both can do without needs no new version: that is what tags are for
        return draft

    def both(self, old: FieldLayout, new: FieldLayout) -> None:
        """A field that both have."""
        outcomes = self.fits(old, new, old.type, new.type)
        if outcomes != (OK, OK):
            kind = "resized" if type(old.type) is type(new.type) else "retyped"
            self.note(kind, outcomes, old, new, type_text(old.type), type_text(new.type))
        elif old.name != new.name:
            self.note("renamed", (OK, OK), old, new, old.name, new.name)
        if old.optional != new.optional:
            outcomes = (REFUSED, OK) if old.optional else (OK, REFUSED)
            words = {True: "may be absent", False: "required"}
            self.note("presence", outcomes, old, new, words[old.optional], words[new.optional])
        for meaning in meanings(old, new):
            draft = Draft.of_meaning(meaning, f"{self.new.name}.{new.name}", (self.walk.root,)).of_fields(old, new)
            self.walk.drafts.append(draft.at(self.new.name, new.name, self.old.name, self.new.name, "one"))

    def fits(self, old: FieldLayout, new: FieldLayout, one: TypeLayout, other: TypeLayout) -> Outcomes:
        """What the new reader makes of any old value, and the old reader of any new one."""
        if isinstance(one, StructType) and isinstance(other, StructType):
            self.inner.append((one.struct, other.struct))
            return OK, OK
        if isinstance(one, IntType) and isinstance(other, IntType):
            (low, high), (least, greatest) = span(old), span(new)
            return _taken(least <= low and high <= greatest), _taken(low <= least and greatest <= high)
        if isinstance(one, BytesType) and isinstance(other, BytesType) and one.text == other.text:
            return _taken(one.size <= other.size if one.text else one.size == other.size), _taken(
                other.size <= one.size if one.text else one.size == other.size
            )
        if isinstance(one, ArrayType) and isinstance(other, ArrayType):
            inner = self.fits(old, new, one.element, other.element)
            counts = _taken(other.count in (None, one.count)), _taken(one.count in (None, other.count))
            return max(inner[0], counts[0]), max(inner[1], counts[1])
        return REFUSED, REFUSED


def _taken(fits: bool) -> Outcome:
    return OK if fits else REFUSED


def _text(field: FieldLayout) -> str:
    return f"tag {field.tag}, {type_text(field.type)}" + (" that may be absent" if field.optional else " that the reader needs")
