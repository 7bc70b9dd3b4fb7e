# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reading kernel. Without a word from the user it is taken to be of the same release as the writer, which kexec-metadata names
(7.1 on); when nobody names a release, every known format is taken to be accepted.
"""

from __future__ import annotations

from devstate.layout.release import accepted, parse_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover
    from devstate.layout.release import Release


def reading_release(handover: Handover, given: str | None) -> Release | None:
    """The release of the reading kernel: the one that the user gave, else the writer's own, unless that cannot be the writer."""
    if given is not None:
        return parse_release(given)
    release = parse_release(handover.metadata.previous_release) if handover.metadata is not None else None
    return release if release is not None and can_have_written(handover, release) else None


def can_have_written(handover: Handover, release: Release) -> bool:
    """Whether ``release`` may be the writer's: its kernels write the root or LUO's state that was met. One of both may be damaged."""
    luo = handover.luo
    places = [(handover.layout.found_by if handover.layout is not None else None, handover.compatible)]
    places += [("KHO subtree LUO", luo.compatible)] if luo is not None else []
    met = [(accepted(handover.registry, found_by, release), compatible) for found_by, compatible in places if found_by is not None]
    return len(met) < 2 or any(compatible in known for known, compatible in met)
