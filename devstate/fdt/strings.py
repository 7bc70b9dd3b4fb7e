# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The strings block of a blob that is written: which names it has, and where a property finds its own.

libfdt and dtc look for a name as the tail of any string that is already there, from the block's start, and add it only when there is
none. libfdt's sequential writer adds in front: so a later, longer string can hide a name's older place, and two properties of
one name may have different offsets. That is why offsets are asked for in the order in which properties are written.
"""

from __future__ import annotations

from struct import Struct

from devstate.errors import EncodeError
from devstate.fdt import rules
from devstate.fdt.structure import PROP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZE_AND_OFFSET = Struct(">II")


def encoded(name: str) -> bytes:
    """A node or property name with its NUL. EncodeError when it cannot be one."""
    try:
        text = name.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        raise EncodeError("name has characters beyond one byte", found=repr(name)) from None
    if len(text) > rules.MAX_NAME + 1:
        raise EncodeError("name is too long", expected=f"at most {rules.MAX_NAME} bytes", found=len(text) - 1)
    if text.find(0) != len(text) - 1:
        raise EncodeError("name has a NUL in it", found=repr(name))
    return text


def encoded_all(names: list[str]) -> list[bytes]:
    """All names without their NUL, in one go. EncodeError when one of them cannot be one."""
    if not names:
        return []
    try:
        made = "\0".join(names).encode("latin-1").split(b"\0")
    except UnicodeEncodeError:
        made = []
    if len(made) != len(names) or len(max(made, key=len)) > rules.MAX_NAME:
        return [encoded(name)[:-1] for name in names]
    return made


class Strings:
    """``block`` are the bytes; ``heads[name][size]`` are the 12 bytes before the value of the next property of that name and size,
    if :meth:`head` has been asked for them before.

    ``prepended`` are the names put before the others, in the order of their first use; then ``appended`` ones go behind.
    """

    def __init__(self, prepended: Iterable[str], appended: Iterable[str]) -> None:
        self.heads: dict[str, dict[int, bytes]] = {}
        self.block = b""
        from_end: dict[str, int] = {}
        for name in prepended:
            text = encoded(name)
            if text not in self.block:
                self.block = text + self.block
            from_end[name] = len(self.block) - self.block.find(text)
        self.offsets = {name: len(self.block) - distance for name, distance in from_end.items()}
        for name in appended:
            if name not in self.offsets:
                text = encoded(name)
                if text not in self.block:
                    self.block += text
                self.offsets[name] = self.block.find(text)

    def head(self, name: str, size: int) -> bytes:
        """Token, size and name offset of a property. The first use of a name puts its string, and so each tail of it, in place."""
        offset = self.offsets[name]
        if name not in self.heads:
            self.heads[name] = {}
            for skip in range(1, len(name) + 1):
                tail = name[skip:]
                if tail in self.heads and self.offsets[tail] > offset + skip:
                    self.offsets[tail] = offset + skip
                    self.heads[tail] = {}
        head = self.heads[name][size] = PROP + _SIZE_AND_OFFSET.pack(size, offset)
        return head
