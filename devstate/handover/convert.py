# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""convert: a handover as another kernel would have written it. What it carries stays where it is, what leads there is built anew.

::

    Handover --spec_of--> Spec --converters--> Spec in the other forms, what is lost --build--> Arena

Folios, regions, blobs of other clients and what stands behind handles of unknown formats keep their addresses: their owners know them by
these. The root keeps its address too, and files their records and page lists. New metadata goes between what is preserved,
or behind it, outside of scratch: a capture does not say where else a machine has memory.
"""

from __future__ import annotations

from devstate.codec.convert import chain_of
from devstate.frozen import frozen, replace
from devstate.handover.build import LUO, MEMBLOCK, METADATA, build
from devstate.handover.convert_room import kept_blocks, window
from devstate.handover.convert_spec import Carrying
from devstate.handover.reach import content_edges, present
from devstate.handover.rebuild import spec_of
from devstate.handover.spec import Forms
from devstate.memory.arena import Arena

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstate.handover.build import Built
    from devstate.handover.convert_spec import Dropped
    from devstate.handover.model import Handover
    from devstate.handover.spec import Spec
    from devstate.layout.converter import Step

NO_FORMATS: Mapping[str, str] = {}


@frozen
class Conversion:
    """A plan: the spec that will be built, the converters on the way, what is lost, and what is said anew. :func:`carry_out` builds it.

    ``given`` are the forms that it had, ``own`` the formats of files and clients that are converted by themselves, by the one they had;
    ``moved`` are the paths of files and clients whose records are made anew.
    """

    handover: Handover
    spec: Spec
    steps: tuple[Step, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...] = ()
    moved: frozenset[str] = frozenset()
    given: Forms = Forms("")
    own: Mapping[str, str] = NO_FORMATS


def convert(handover: Handover, forms: Forms, own: Mapping[str, str] | None = None) -> Conversion:
    """What becomes of the handover in ``forms``, and files and clients of other formats in those that ``own`` names by theirs.

    UsageError when no converters lead there; EncodeError for a damaged handover, and for what cannot be carried at all.
    """
    spec, own = spec_of(handover), own or {}
    pairs = [(spec.forms.kho, forms.kho), (spec.forms.luo, forms.luo), (spec.forms.memfd, forms.memfd), *own.items()]
    steps = [step for one, other in pairs if one and other for step in chain_of(handover.registry, one, other)]
    carrying = Carrying(handover, spec, forms, own)
    made = carrying.spec
    pins = {place: pa for place, pa in spec.pins.items() if _stays(place, handover, spec, carrying)}
    per_list = spec.per_list if made.forms.kho == spec.forms.kho else _per_list(handover)
    made = replace(made, pins=pins, per_list=per_list, preserved=())
    losses, notes, moved = tuple(carrying.dropped), tuple(carrying.notes), frozenset(carrying.moved)
    return Conversion(handover, made, tuple(steps), losses, notes, moved, spec.forms, own)


def carry_out(conversion: Conversion) -> Built:
    """Build it, contents included. EncodeError for what a form's limits do not hold, such as too many files for an area."""
    handover, spec = conversion.handover, conversion.spec
    assert handover.memory is not None  # spec_of() asked
    kept = kept_blocks(handover, conversion.moved, luo=spec.forms.luo is not None)
    arena = Arena(*window(handover), page_size=spec.page_size, byteorder=spec.byte_order)
    others = present(handover.memory, kept.edges)
    for region in others:
        arena.alloc(region.size, at=region.start)
    built = build(replace(spec, preserved=kept.runs), arena, handover.registry)
    contents = content_edges(handover) if spec.forms.luo is not None else kept.regions
    for region in others:
        arena.write(region.start, handover.memory.read(region.start, region.size))
    for region in present(handover.memory, contents):
        arena.back(region.start, handover.memory.read(region.start, region.size))
    return built


def _stays(place: str, handover: Handover, was: Spec, carrying: Carrying) -> bool:
    """Whether something is built at the address where it was."""
    parts, now = place.split("/"), carrying.spec
    same_luo = now.forms.luo is not None and now.forms.luo == was.forms.luo
    if place in ("kho", "scratch") or parts[0] == MEMBLOCK:
        return True
    if parts[0] == "subtree":
        names = {each.name for each in now.subtrees} - carrying.moved
        there = {*names, MEMBLOCK, *([METADATA] * (now.forms.release is not None)), *([LUO] * same_luo)}
        return place.removeprefix("subtree/") in there
    if now.forms.luo is None or parts[0] == "kho":
        return False
    return same_luo or any(place == file.path or place.startswith(f"{file.path}/") for file in handover.files)


def _per_list(handover: Handover) -> int | None:
    """Entries in a page of a page list that is not the last; None when no list has two pages."""
    lists = [file.pages for file in handover.files if file.pages is not None]
    return max((each.lengths[0] for each in lists if len(each.lengths) > 1), default=None)
