# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reading kernel. Without a word from the user it is taken to be of the same release as the writer, which kexec-metadata names
(7.1 on); when nobody names a release, every known format is taken to be accepted.
"""

from __future__ import annotations

from devstate.layout.release import parse_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover
    from devstate.layout.release import Release


def reading_release(handover: Handover, given: str | None) -> Release | None:
    """The release of the reading kernel: the one that the user gave, else the writer's own."""
    text = given if given is not None else handover.metadata.previous_release if handover.metadata is not None else None
    return None if text is None else parse_release(text)
