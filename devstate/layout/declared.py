# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What one source declares: the formats of a schema package, the structs of a directory of headers, a build, an object file.

Whatever the source was, a comparison sees the same thing: layouts for one environment, and where in the user's own files each part
of them stands. A source that knows no versions (BTF, DWARF) gives each struct that was asked for as a layout whose carrier is ``unknown``.
"""

from __future__ import annotations

from devstate.finding import Location
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.converter import Step
    from devstate.layout.model import Environment, Layout


@frozen
class Declared:
    """``origin`` is the source as the user named it; ``kind`` one of schemas, baselines, headers, build, object, manifest, machine.

    ``places`` are (subject, location), where a subject is a layout's name, ``STRUCT``, ``STRUCT.FIELD``, a constant or a macro; ``missing``
    says what could not be found out: evidence that is not there is never a pass. ``owners`` are (struct, macro): the version that the
    comment above a struct says must change with it, whether there is such a macro or not. ``steps`` are the converters declared there.
    """

    origin: str
    kind: str
    environment: Environment
    formats: tuple[Layout, ...]
    places: tuple[tuple[str, Location], ...] = ()
    missing: tuple[str, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()

    def place(self, subject: str) -> Location | None:
        """Where a subject stands: its own line, or that of the longest part of its name that has one; None when no part has."""
        known = dict(self.places)
        while subject and subject not in known:
            subject = subject.rpartition(".")[0]
        return known.get(subject)
