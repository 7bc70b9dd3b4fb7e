# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From what --to says to the formats to convert to: those of a kernel release, or single ones by their names."""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import replace
from devstate.handover.root import FOUND_BY
from devstate.handover.spec import Forms, forms_of
from devstate.layout.release import parse_release, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover
    from devstate.layout.registry import Registry

LUO = "KHO subtree LUO"
FILES = "luo_file_ser.data"


def targets(handover: Handover, wanted: list[str]) -> tuple[Forms, dict[str, str]]:
    """The forms of the handover, and the other formats by those that it carries, in which it is asked for. UsageError for a name that is
    not known, and for a format that nothing in the handover converts to.
    """
    registry = handover.registry
    assert handover.layout is not None  # it was read without a problem
    built = {file.format for file in handover.files if file.pages is not None or file.format is None}
    memfd = next((file.format for file in handover.files if file.format is not None and file.format in built), None)
    release = handover.metadata.previous_release if handover.metadata is not None else None
    forms = Forms(handover.layout.name, handover.luo.format if handover.luo is not None else None, memfd, release)
    own: dict[str, str] = {}
    for name in wanted:
        if name not in registry.summaries and not registry.names(name):
            if parse_release(name) is None:
                raise UsageError(f"{name!r} is no kernel release and no format; `devstate schemas` lists the formats")
            forms = forms_of(registry, name)
            continue
        target = form_called(registry, name)
        place = registry.summaries[target].found_by
        if place == FOUND_BY:
            forms = replace(forms, kho=target)
        elif place == LUO:
            forms = replace(forms, luo=target)
        elif place == FILES and memfd is not None and registry.chain(memfd, target) is not None:
            forms = replace(forms, memfd=target)
        else:
            own |= _own(handover, target)
    return forms, own


def form_called(registry: Registry, name: str) -> str:
    """The schema of this name, or of this compatible. UsageError when several forms have the string, or none has it."""
    if name in registry.summaries:
        return name
    names = registry.names(name)
    if not names:
        raise UsageError(f"no format is called {name!r}; `devstate schemas` lists them")
    if len(names) > 1:
        raise UsageError(f"{name!r} stands for several forms: {', '.join(names)}; name one of them")
    return names[0]


def _own(handover: Handover, target: str) -> dict[str, str]:
    """The formats of files and clients in the handover that converters lead from to ``target``."""
    met = [file.format for file in handover.files] + [subtree.format for subtree in handover.subtrees]
    found = {name: target for name in met if name is not None and handover.registry.chain(name, target) is not None}
    if not found:
        raise UsageError(f"{handover.source}: nothing in this handover can be converted to {target}")
    return found


def form_for_record(registry: Registry, source: str, wanted: str) -> str:
    """The schema that --to means for a record of ``source``: of that name, or what kernels of that release have in its place."""
    if wanted in registry.summaries or registry.names(wanted):
        return form_called(registry, wanted)
    release = parse_release(wanted)
    if release is None:
        raise UsageError(f"{wanted!r} is no kernel release and no format; `devstate schemas` lists the formats")
    place = registry.summaries[source].found_by
    names = [name for name in registry.found_by(place) if writes(registry.summaries[name], release)] if place is not None else []
    found = next((name for name in names if registry.chain(source, name) is not None), None)
    if found is None:
        there = ", ".join(names) or "nothing"
        raise UsageError(f"no converter leads from {source} to what kernels of {release} have in its place: {there}")
    return found
