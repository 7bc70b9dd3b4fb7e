# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent's journal: what it is about to do, and what it has done, on disk before it goes on.

A file of records, one behind the other::

    size u32 | crc32c u32 of what follows | msgpack map                      little-endian

Each is written at once and synced. A journal ends where the first record is cut or damaged: what was being written when the agent was
killed had not happened. The last whole record tells where the update stands (:func:`state_of`).
"""

from __future__ import annotations

import errno
import os

import crc32c
import msgpack

from devstate.errors import DecodeError, LiveUpdateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEAD = 8
RECORD_MAX = 1 << 20
"""Bytes of a record: it says which step of what, not what was handed over."""

RECORDS_MAX = 1 << 20
"""Records of a journal: an update has a few dozen."""


class Journal:
    """A journal that is written. ``sync`` False: for measuring what syncing costs."""

    def __init__(self, path: str, *, sync: bool = True) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._sync = sync

    def write(self, **record: Any) -> None:
        """Add a record, on disk when this returns. LiveUpdateError, of ENOSPC for example, when it cannot be."""
        data = msgpack.packb(record)
        whole = len(data).to_bytes(4, "little") + crc32c.crc32c(data).to_bytes(4, "little") + data
        try:
            if os.write(self._fd, whole) != len(whole):
                raise LiveUpdateError(errno.ENOSPC, "the journal is full")
            if self._sync:
                os.fdatasync(self._fd)
        except OSError as error:
            raise LiveUpdateError(error.errno or errno.EIO, f"the journal: {error.strerror}") from error

    def close(self) -> None:
        """No more records."""
        os.close(self._fd)


def read_journal(path: str) -> list[dict[str, Any]]:
    """All whole records, up to the first that is cut or damaged. DecodeError when the file cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise DecodeError(f"the journal cannot be read: {error.strerror}", source=path) from error
    found: list[dict[str, Any]] = []
    at = 0
    while len(data) - at >= HEAD and len(found) < RECORDS_MAX:
        size, crc = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + HEAD : at + HEAD + size]
        if size > RECORD_MAX or len(body) < size or crc32c.crc32c(body) != crc:
            break
        try:
            record = msgpack.unpackb(body)
        except (ValueError, msgpack.UnpackException):
            break
        if not isinstance(record, dict):
            break
        found.append(record)
        at += HEAD + size
    return found


def state_of(records: list[dict[str, Any]]) -> str:
    """Where the update stands by its journal: the last state that was reached; ``normal`` for an empty one."""
    return next((str(each["state"]) for each in reversed(records) if "state" in each), "normal")
