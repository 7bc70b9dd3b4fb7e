# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The operator's question: may this host jump from kernel A to kernel B?

Component by component: what A writes there, whether B reads it, and what B does if not. The components are taken in the order in
which the reading kernel comes to them, because what is ignored is never walked and after a panic nothing is read.
"""

from __future__ import annotations

import enum

from devstate.finding import Outcome, Reaction
from devstate.frozen import frozen
from devstate.layout.model import Environment, NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.manifest import Format, Manifest
    from devstate.layout.model import Layout
    from devstate.layout.registry import Registry

ROOT = "kho_data.fdt_addr (x86) or /chosen linux,kho-fdt"
FILES = "luo_file_ser.data"
CHOSEN = "/chosen"
SETUP_DATA = "setup_data type 10"
"""Places as the schemas call them: KHO's root, the handlers' records, the two carriers that lead to the root."""

TITLES = {ROOT: "KHO root", FILES: "preserved files", CHOSEN: "carrier /chosen", SETUP_DATA: "carrier setup_data"}


class Verdict(enum.IntEnum):
    """What that means for the jump."""

    OK = 0
    DEGRADED = 1
    BLOCK = 2

    def __str__(self) -> str:
        return self.name


@frozen
class Carried:
    """What a host really carries: the schema names that were met, by place. ``None`` in place of one means: everything."""

    formats: tuple[tuple[str, str], ...]

    def at(self, place: str) -> set[str]:
        """The schema names met at a place."""
        return {name for where, name in self.formats if where == place}


@frozen
class Component:
    """One component's part of the prediction. ``reasons`` are (code, text); ``advice`` says what could be done, and changes no verdict."""

    name: str
    verdict: Verdict
    outcome: Outcome
    reaction: str
    reasons: tuple[tuple[str, str], ...]
    advice: tuple[str, ...] = ()


@frozen
class Prediction:
    """The whole of it. ``incomplete`` says what could not be found out: then the verdict is not a pass."""

    components: tuple[Component, ...]
    incomplete: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all components."""
        return max((each.verdict for each in self.components), default=Verdict.OK)


def predict(
    old: Manifest, new: Manifest, registry: Registry, *, page_size: int = 4096, carried: Carried | None = None, devicetree: bool = False
) -> Prediction:
    """What kernel ``new`` does with the handover of ``old``. With ``carried``, only what the host really has counts.

    ``devicetree``: the root is reached through /chosen, as on arm64, and not through x86's setup_data.
    """
    components: list[Component] = []
    stopped: Component | None = None
    places = sorted(old.places(), key=lambda place: (place not in (SETUP_DATA, CHOSEN), place != ROOT, place == FILES, place))
    for place in places:
        if place == (SETUP_DATA if devicetree else CHOSEN):
            continue
        met = None if carried is None or place in (SETUP_DATA, CHOSEN) else carried.at(place)
        written = [each for each in old.at(place) if met is None or each.name in met]
        if not written:
            continue
        component = _component(place, written, new, registry, page_size)
        if stopped is not None:
            reason = ("not-reached", f"the kernel does not come to it: {stopped.name} is {stopped.reaction}")
            component = Component(component.name, Verdict.BLOCK, Outcome.REFUSED, stopped.reaction, (reason,))
        elif component.verdict is Verdict.BLOCK and (place in (ROOT, CHOSEN, SETUP_DATA) or component.reaction == str(Reaction.PANIC)):
            stopped = component
        components.append(component)
    missing = (*(f"{old.name}: {each}" for each in old.missing), *(f"{new.name}: {each}" for each in new.missing))
    wanted, other = (CHOSEN, SETUP_DATA) if devicetree else (SETUP_DATA, CHOSEN)
    for side in (old, new):
        if other in side.places() and wanted not in side.places():
            missing += (f"{side.name}: it leads to the root by {other}, not by {wanted}: it is of another kind of machine",)
    return Prediction(tuple(components), missing)


def _component(place: str, written: list[Format], new: Manifest, registry: Registry, page_size: int) -> Component:
    read = new.at(place)
    judged = [_judge(each, read, registry, page_size) for each in written]
    outcome, reaction = max(((each[0], each[1]) for each in judged), key=lambda pair: (pair[0], Reaction[_key(pair[1])]))
    harmless = outcome is Outcome.OK
    verdict = Verdict.OK if harmless else Verdict.DEGRADED if reaction == str(Reaction.ACCEPTED) else Verdict.BLOCK
    advice = () if harmless else tuple(line for each in written for line in _convertible(each, read, registry))
    return Component(_title(place), verdict, outcome, reaction, tuple(each[2] for each in judged), advice)


def _convertible(written: Format, read: tuple[Format, ...], registry: Registry) -> Iterator[str]:
    """That converters lead to what the new kernel reads under another string. No kernel runs them."""
    if any(each.compatible == written.compatible for each in read):
        return
    for each in read:
        steps = registry.chain(written.name, each.name)
        if steps:
            loses = [name for step in steps for name in step.loses]
            lost = f", and may lose {', '.join(dict.fromkeys(loses))}" if loses else ""
            yield f"`devstate convert` brings {written.name} to {each.name}{lost}; no kernel does it"
            return


def _judge(written: Format, read: tuple[Format, ...], registry: Registry, page_size: int) -> tuple[Outcome, str, tuple[str, str]]:
    """(outcome, reaction, reason) for one format."""
    accepted, silent = str(Reaction.ACCEPTED), str(Reaction.SILENT_WRONG)
    if not read:
        reaction = accepted if written.mismatch == accepted else str(Reaction.IGNORED)
        return Outcome.REFUSED, reaction, ("no-reader", f"{written.name} is written, and nothing reads this place")
    if any(each.name == written.name and _equal(each, written, page_size) for each in read):
        return Outcome.OK, accepted, ("same-format", f"{written.name} is read as it is written")
    twins = [
        each for each in read if each.compatible == written.compatible and (each.compatible is not None or each.place == written.place)
    ]
    if not twins:
        wanted = ", ".join(each.compatible or each.name for each in read)
        return Outcome.REFUSED, written.mismatch, ("string-differs", f"{written.compatible or written.name} is written, {wanted} is read")
    if any(_equal(each, written, page_size) for each in twins):
        return Outcome.OK, accepted, ("same-bytes", f"{written.name} has the bytes of {twins[0].name}")
    if _renamed_only(written, twins[0], registry, page_size):
        return Outcome.OK, accepted, ("names-differ", f"{written.name} and {twins[0].name} differ in names only: the bytes are the same")
    missing = _missing_nodes(written, twins[0], registry, page_size)
    if missing:
        return (
            Outcome.REFUSED,
            written.mismatch,
            ("node-missing", f"{twins[0].name} asks for {missing}, which {written.name} does not write"),
        )
    if missing is not None:
        return Outcome.OK, accepted, ("superset", f"{written.name} has all that {twins[0].name} asks for")
    compared = _compared(written, twins[0], registry, page_size)
    if compared is not None and compared[0] in (Outcome.OK, Outcome.SHORT):
        return compared[0], accepted if compared[0] is Outcome.OK else silent, ("compared", compared[1])
    return Outcome.MISREAD, silent, ("changed-without-bump", f"{written.name} and {twins[0].name} share a string and differ in their bytes")


def _equal(one: Format, other: Format, page_size: int) -> bool:
    prints = dict(one.fingerprints).get(page_size)
    return prints is not None and prints == dict(other.fingerprints).get(page_size)


def _compared(written: Format, reading: Format, registry: Registry, page_size: int) -> tuple[Outcome, str] | None:
    """What comparing both layouts says of the new kernel as the reader, and the worst finding; None when a layout is not known, or when
    both are published (then what is above has told)."""
    if not written.layouts and not reading.layouts:
        return None
    from devstate.compat.compare import compare
    from devstate.compat.judge import judge

    layouts = []
    for each in (written, reading):
        own = dict(each.layouts).get(page_size)
        if own is None and each.name in registry.summaries:
            own = registry.layout(each.name, Environment(page_size))
        if own is None:
            return None
        layouts.append(own)
    verdict = judge(compare(*layouts), "read-old")
    return Outcome(int(verdict.read_old)), verdict.findings[0].message if verdict.findings else "nothing on the wire changed"


def _renamed_only(one: Format, other: Format, registry: Registry, page_size: int) -> bool:
    """Whether two struct forms have the same fields at the same places under other names."""
    if one.name not in registry.summaries or other.name not in registry.summaries:
        return False
    layouts = [registry.layout(each.name, Environment(page_size)) for each in (one, other)]
    if not all(isinstance(layout.root, str) and len(layout.structs) == 1 for layout in layouts):
        return False
    shapes = [
        [(field.offset, field.size, field.type, field.shift, field.width, field.target) for field in layout.struct().fields]
        for layout in layouts
    ]
    return shapes[0] == shapes[1]


def _missing_nodes(written: Format, reading: Format, registry: Registry, page_size: int) -> str | None:
    """For two devicetree forms: the first node or property that the reader needs and the writer has not, "" when it has all of
    them and what they share is equal; None when nodes are not what tells the forms apart.
    """
    if written.name not in registry.summaries or reading.name not in registry.summaries:
        return None
    old, new = (registry.layout(each.name, Environment(page_size)) for each in (written, reading))
    if not isinstance(old.root, NodeLayout) or not isinstance(new.root, NodeLayout):
        return None
    missing = _missing_in(old.root, new.root, "")
    if missing:
        return missing
    return "" if _shared_equal(old, new) else None


def _missing_in(old: NodeLayout, new: NodeLayout, path: str) -> str:
    names = {field.name for field in old.properties}
    for field in new.properties:
        if not field.optional and field.name not in names:
            return f"{path}/{field.name}"
    children = {child.name: child for child in old.children}
    for child in new.children:
        if child.name not in children:
            if not child.optional:
                return f"{path}/{child.name}"
            continue
        found = _missing_in(children[child.name], child, f"{path}/{child.name}")
        if found:
            return found
    return ""


def _shared_equal(old: Layout, new: Layout) -> bool:
    """Whether what both devicetree forms have is equal: properties with their targets, structs of one name."""
    structs = {struct.name: struct for struct in old.structs}
    if any(structs.get(struct.name, struct) != struct for struct in new.structs):
        return False
    pairs = [(old.root, new.root)]
    for one, other in pairs:
        if not isinstance(one, NodeLayout) or not isinstance(other, NodeLayout):
            return False
        fields = {field.name: field for field in one.properties}
        if any(fields.get(field.name, field) != field for field in other.properties):
            return False
        children = {child.name: child for child in one.children}
        pairs += [(children[child.name], child) for child in other.children if child.name in children]
    return True


def _title(place: str) -> str:
    if place in TITLES:
        return TITLES[place]
    return place.removeprefix("KHO subtree ")


def _key(reaction: str) -> str:
    return reaction.upper().replace("-", "_")
