# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What participants leave for the next kernel: parts of the subtree ``devstate``, typed by the schemas of the registry.

Old kernel: ``devstate.handover.spec.PartSpec``, one a part, below the participant's own subsystem. New kernel: :class:`Left` gives them
back as records, after it has looked: the part must be there and whole, of the compatible that is asked for, in a layout that is known.
"""

from __future__ import annotations

import errno

from devstate.codec.record import Record, fields
from devstate.errors import DevstateError, LiveUpdateError
from devstate.handover.guests import known_fingerprints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.handover.model import Handover
    from devstate.handover.state import Part

NAME_SIZE = 64
NONE = 0xFFFFFFFF
"""No domain, no PASID, no parent."""


def holds(condition: object, reason: str) -> None:
    """LiveUpdateError EINVAL unless something holds."""
    if not condition:
        raise LiveUpdateError(errno.EINVAL, reason)


def chars(text: str, size: int = NAME_SIZE) -> bytes:
    """A text as a field of characters."""
    return text.encode().ljust(size, b"\0")


def text_of(raw: bytes) -> str:
    """The text of a field of characters."""
    return raw.split(b"\0")[0].decode("utf-8", "backslashreplace")


def values_of(record: Record) -> dict[str, Any]:
    """A record as a mapping, records inside it too: what can be converted, and written again."""
    return {name: _plain(value) for name, value in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return values_of(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


class Left:
    """What the old kernel left. All errors are LiveUpdateError: ENOENT for what is not there, EINVAL for what is not sound."""

    def __init__(self, handover: Handover) -> None:
        self.handover = handover
        self._known = known_fingerprints(handover)

    def subsystems(self) -> list[str]:
        """Those that something was left for."""
        parts = self.handover.state.parts if self.handover.state is not None else []
        return sorted({part.path.split("/")[1] for part in parts})

    def format(self, path: str) -> str:
        """The compatible of a part."""
        return self._part(path).format

    def records(self, path: str, format_: str) -> list[Record]:
        """A part that is many records."""
        part = self._part(path)
        if part.format != format_:
            raise LiveUpdateError(errno.ENOENT, f"{path}: {part.format} was left, expected {format_}")
        if part.fingerprint not in self._known.get(format_, []):
            raise LiveUpdateError(errno.EINVAL, f"{path}: {format_} in a layout that is not known here")
        try:
            return part.records()
        except DevstateError as error:
            raise LiveUpdateError(errno.EINVAL, str(error)) from error

    def record(self, path: str, format_: str) -> Record:
        """A part that is one record."""
        found = self.records(path, format_)
        if len(found) != 1:
            raise LiveUpdateError(errno.EINVAL, f"{path}: {len(found)} records, expected one")
        return found[0]

    def _part(self, path: str) -> Part:
        part = self.handover.state.part(path) if self.handover.state is not None else None
        if part is None:
            raise LiveUpdateError(errno.ENOENT, f"nothing was left at {path}")
        return part
