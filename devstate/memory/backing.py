# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where the bytes of a memory come from: a mapped file, or one that can only be read.

Both are sliced: ``data[a:b]`` is a memoryview. Regular files are mapped, read-only and lazily. ``/proc/kcore`` cannot be mapped and claims
to be 128 TiB long: :class:`FileBytes` reads the slice that is asked for, at that moment. Pipes are read to their end, up to a limit.
"""

from __future__ import annotations

import mmap
import os
import stat

from devstate.errors import ImageError, LimitError, NotInMemoryError

MAX_STREAM = 1 << 32
"""Bytes taken from a pipe, which must be held in memory: 4 GiB. A file has no such limit, for it is mapped."""

MAX_FILE_OFFSET = 1 << 63
"""One above the largest offset that a read may have (off_t)."""

_CHUNK = 1 << 20


class FileBytes:
    """``size`` bytes of the open file ``fd`` from ``start``, read when they are sliced. Owns the descriptor if ``owner`` is None."""

    __slots__ = ("fd", "name", "owner", "size", "start")

    def __init__(self, fd: int, start: int, size: int, name: str, owner: FileBytes | None = None) -> None:
        self.fd = fd
        self.start = start
        self.size = size
        self.name = name
        self.owner = owner

    def __del__(self) -> None:
        if self.owner is None:
            os.close(self.fd)

    def span(self, start: int, size: int) -> FileBytes:
        """A part of these bytes; reads nothing, and keeps the file open."""
        return FileBytes(self.fd, self.start + start, size, self.name, self.owner or self)

    def __getitem__(self, part: slice) -> memoryview:
        """Read a slice without a step. NotInMemoryError when the file does not give all of it."""
        first, last, _ = part.indices(self.size)
        pieces, offset, end = [], self.start + first, self.start + max(first, last)
        try:
            while offset < end:
                piece = os.pread(self.fd, min(end - offset, _CHUNK), offset)
                if not piece:
                    break
                pieces.append(piece)
                offset += len(piece)
        except (OSError, OverflowError) as error:
            raise NotInMemoryError(f"cannot be read: {error}", source=self.name, offset=offset) from None
        if offset < end:
            raise NotInMemoryError("the file ends before it", source=self.name, offset=offset, expected=f"{end - offset:#x} bytes more")
        return memoryview(b"".join(pieces) if len(pieces) != 1 else pieces[0])


def load(path: str) -> memoryview | FileBytes:
    """The bytes of the file ``path``, or of standard input for ``-``. ImageError when it cannot be read or is of no use."""
    name = "standard input" if path == "-" else path
    try:
        fd = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    keep = False
    try:
        status = os.fstat(fd)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
            raise ImageError("cannot be opened as memory", source=name, expected="a file, a pipe or a directory")
        if status.st_size == 0:  # a pipe, or a file of procfs or debugfs that does not say its size
            return _drain(fd, name)
        try:
            return memoryview(mmap.mmap(fd, status.st_size, access=mmap.ACCESS_READ))
        except (OSError, ValueError, OverflowError):
            keep = True
            return FileBytes(fd, 0, status.st_size, name)
    except OSError as error:
        raise _unreadable(name, error) from None
    finally:
        if not keep:
            os.close(fd)


def _drain(fd: int, name: str) -> memoryview:
    data = bytearray()
    while piece := os.read(fd, _CHUNK):
        data += piece
        if len(data) > MAX_STREAM:
            raise LimitError("too long for a pipe", source=name, expected=f"at most {MAX_STREAM:#x} bytes", advice="save it to a file")
    if not data:
        raise ImageError("is empty", source=name)
    return memoryview(data).toreadonly()


def _unreadable(name: str, error: Exception) -> ImageError:
    return ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}", source=name)
