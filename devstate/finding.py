# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What rules and passes return: located, plain, frozen data. Nothing in here prints."""

from __future__ import annotations

import enum

from devstate.frozen import frozen


class Severity(enum.IntEnum):
    """How bad a finding is; ordered, so that ``--fail-on`` can compare."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


class Reaction(enum.IntEnum):
    """What the kernel that reads a handover does when it meets a thing; the higher, the earlier it decides about the whole.

    A handover's prediction is the highest reaction of its findings: what is ignored is not walked, what dies in the walk does not
    panic later. What shows itself counts before what does not: an errno somewhere is the class of a handover that is silently wrong, too.
    """

    ACCEPTED = 0
    """no visible effect"""
    SILENT_WRONG = 1
    """accepted, but content, size or a file is wrong or missing"""
    REGION_WRONG = 2
    """a reserved region is lost or different"""
    RETRIEVE_FAILS = 3
    """an errno for one session or file"""
    OOPS = 4
    """the kernel faults while it retrieves"""
    OPEN_FAILS = 5
    """every open of /dev/liveupdate fails with EIO"""
    PANIC = 6
    """the early initcall panics"""
    DIES_EARLY = 7
    """it hangs or dies before the console"""
    IGNORED = 8
    """the machine boots as if nothing was handed over"""

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class Outcome(enum.IntEnum):
    """What happens when one kernel reads what another wrote; the higher, the worse."""

    OK = 0
    """every field gets what was written for it"""
    REFUSED = 1
    """the reader sees that it cannot read this, and says so"""
    SHORT = 2
    """the reader goes on behind the end of what was written"""
    MISREAD = 3
    """a field silently gets what was not written for it"""

    def __str__(self) -> str:
        return self.name


@frozen
class Location:
    """A place: any of a source (file) with a line, a physical address, a byte offset there, and a field or node path."""

    source: str | None = None
    pa: int | None = None
    offset: int | None = None
    path: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        spot = f"{self.pa:#x}" if self.pa is not None else ""
        if self.offset is not None:
            spot = f"{spot}+{self.offset:#x}"
        line = None if self.line is None else str(self.line)
        return ":".join(part for part in (self.source, line, spot, self.path) if part)


@frozen
class Read:
    """What a reader gets for one field: ``wrote`` and ``got`` are texts (None: nothing was written for it; ``got`` ``nothing``: there are
    no bytes), ``stands_for`` says in the writer's fields what the bytes are."""

    field: str
    wrote: str | None
    got: str
    stands_for: str = ""


@frozen
class Witness:
    """The proof of a finding: bytes as one layout writes them, and what the other reads there. ``writer`` and ``reader`` are the names
    of the structs; ``copies`` is how many records stand in a row. ``written_by`` is the format's name with the side before it."""

    data: bytes
    written_by: str
    reads: tuple[Read, ...]
    writer: str = ""
    reader: str = ""
    copies: int = 1


@frozen
class Finding:
    """One thing that a rule found. ``rule`` is the id; ``expected`` and ``found`` are short texts for people.

    ``related`` are further places that belong to it, as (physical address, what is there). ``read_old`` and ``read_new`` are the
    outcomes of a comparison for the new and for the old kernel as the reader; ``witness`` shows bytes and both parses of them.
    """

    rule: str
    severity: Severity
    message: str
    location: Location
    reaction: Reaction | None = None
    expected: str | None = None
    found: str | None = None
    related: tuple[tuple[int, str], ...] = ()
    read_old: Outcome | None = None
    read_new: Outcome | None = None
    witness: Witness | None = None
