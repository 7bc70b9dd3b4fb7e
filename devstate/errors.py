# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every exception the package raises: one tree, rooted in :class:`DevstateError`.

Bad *input* raises a :class:`DecodeError` that says where (source, physical address, byte offset, field path), what was
expected and what was found. Bad *policy* is a Finding (``devstate.finding``) and never raises.
"""

from __future__ import annotations


class DevstateError(Exception):
    """Root of the tree: whoever catches this catches everything that devstate raises on purpose."""


class UsageError(DevstateError):
    """The request itself makes no sense (unknown verb, path, compatible; ambiguous choice). The text says what to do."""


class NoSuchTypeError(UsageError):
    """A source has no struct or union of a name."""


class SchemaError(DevstateError):
    """A schema cannot be loaded or lowered. ``path`` is the field path inside the schema."""

    def __init__(self, message: str, *, path: str = "") -> None:
        self.message = message
        self.path = path
        super().__init__(f"{path}: {message}" if path else message)


class LocatedError(DevstateError):
    """An error at a place: the common part of :class:`DecodeError` and :class:`EncodeError`.

    ``pa`` is a physical address, ``offset`` a byte offset from the start of what was being read (a file, a blob, a record),
    ``path`` a field or node path, ``advice`` what the user can do about it. All of them are optional.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        pa: int | None = None,
        offset: int | None = None,
        path: str | None = None,
        expected: object = None,
        found: object = None,
        advice: str | None = None,
    ) -> None:
        self.message = message
        self.source = source
        self.pa = pa
        self.offset = offset
        self.path = path
        self.expected = expected
        self.found = found
        self.advice = advice
        super().__init__(message)

    def at(self, *, source: str | None = None, pa: int | None = None, path: str | None = None) -> LocatedError:
        """Fill in parts of the place that the raiser could not know; known parts stay. Returns self, to be raised again."""
        self.source = self.source if self.source is not None else source
        self.pa = self.pa if self.pa is not None else pa
        if path is not None:
            self.path = path if self.path is None else f"{path}.{self.path}"
        return self

    def where(self) -> str:
        """The place in one line, such as ``small.core: pa 0x2300000+0x38: luo.sessions_pa``; empty when nothing is known."""
        spot = f"pa {self.pa:#x}" if self.pa is not None else ""
        if self.offset is not None:
            spot = f"{spot}+{self.offset:#x}" if spot else f"offset {self.offset:#x}"
        return ": ".join(part for part in (self.source, spot, self.path) if part)

    def __str__(self) -> str:
        text = f"{self.where()}: {self.message}" if self.where() else self.message
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.found is not None:
            text += f"; found {self.found}"
        return f"{text} ({self.advice})" if self.advice else text


class DecodeError(LocatedError):
    """Input that cannot be read as what it claims to be."""


class TruncatedError(DecodeError):
    """The input ends before the thing that it announces."""


class LimitError(DecodeError):
    """The input asks for more (depth, count, length, chain) than a named limit allows."""


class NotInMemoryError(DecodeError):
    """A physical address is outside the memory that was captured: normal for filtered dumps."""


class FdtError(DecodeError):
    """A flattened devicetree is malformed. ``offset`` is from the start of the blob, ``path`` the node path.

    ``rule`` is the id of the strictness rule that it breaks, None for what no reader could accept.
    """

    rule: str | None = None


class ImageError(DecodeError):
    """A file is not a memory image that devstate can open (ELF core, raw image, debugfs directory, zstd frame)."""


class BtfError(DecodeError):
    """A BTF section is malformed."""


class DwarfError(DecodeError):
    """DWARF, or the ELF file around it, is malformed."""


class HeaderError(DecodeError):
    """C that a compiler refuses, or that says something other than it seems to. ``source`` is ``FILE:LINE:COLUMN`` where one is known."""


class EncodeError(LocatedError):
    """A value cannot be written in the format that was asked for."""


class LiveUpdateError(DevstateError):
    """A live update was refused or failed, the way a kernel says it: ``errno``, and the reason in words."""

    def __init__(self, errno: int, reason: str) -> None:
        self.errno = errno
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        from errno import errorcode

        return f"{self.reason} ({errorcode.get(self.errno, self.errno)})"
