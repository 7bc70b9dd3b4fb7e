# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The strings block of a blob that is written: which names it has, and where a property finds its own.

libfdt and dtc look for a name as the tail of any string that is already there, from the block's start, and add it only when there is
none. libfdt's sequential writer adds in front: so a later, longer string can hide a name's older place, and two properties of
one name may have different offsets. That is why offsets are asked for in the order in which properties are written.
"""

from __future__ import annotations

from devstate.errors import EncodeError
from devstate.fdt import rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


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


class Strings(dict[str, int]):
    """``block`` are the bytes; ``strings[name]`` is the offset for the next property of that name.

    ``prepended`` are the names put before the others, in the order of their first use; then ``appended`` ones go behind.
    """

    def __init__(self, prepended: Iterable[str], appended: Iterable[str]) -> None:
        super().__init__()
        self.block = b""
        from_end: dict[str, int] = {}
        for name in prepended:
            text = encoded(name)
            if text not in self.block:
                self.block = text + self.block
            from_end[name] = len(self.block) - self.block.find(text)
        self.first = {name: len(self.block) - distance for name, distance in from_end.items()}
        for name in appended:
            if name not in self.first:
                text = encoded(name)
                if text not in self.block:
                    self.block += text
                self.first[name] = self.block.find(text)

    def __missing__(self, name: str) -> int:
        """The first use of a name: its string is there from now on, and so are the names that are its tail."""
        offset = self[name] = self.first[name]
        for skip in range(1, len(name) + 1):
            tail = name[skip:]
            if self.get(tail, -1) > offset + skip:
                self[tail] = offset + skip
        return offset
