# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""QEMU's cpr-luo: guest RAM of one virtual machine in a session of any name (posted for QEMU 11.2).

Token 1 is a memfd with the CPR state, a stream of QEMU's migration format (big-endian); the RAM blocks have other tokens, never 0::

    magic 'QCPR' u32   version 1 u32                                          migration/cpr.h, since QEMU 10.0
    entry   01   namelen u32   name, namelen bytes with its NUL   id u32   rest      one a file descriptor
    00                                                                               end of the list
    05      length u8   "CprState/..."   ...                                         subsections, if any, to the end

Magic, version and the head of an entry are QEMU's since CPR exists. Where in the rest of an entry the token stands is not fixed by
anything published. So it is not assumed but looked for: the rest has the shortest length with which the list is read to its very end,
and a place in it counts only when, over all entries, exactly the tokens of the session stand there, each once (0 for a descriptor that
LUO does not keep). When there is no such place, or two that differ, no block is named.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.handover.labels import Labels, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

TOKEN = 1
MAGIC = b"QCPR"
VERSION = 1

MAX_STATE = 1 << 18
"""Bytes of the state that are looked at: a thousand times what a large machine has."""

MAX_ENTRIES = 256
"""Descriptors in the list: RAM blocks, memory slots included (KVM's machines have up to 256 DIMMs)."""

MAX_NAME = 256
"""Bytes of a name with its NUL: a RAM block's idstr is a char[256]."""

MAX_REST = 64
"""Bytes of an entry behind its id: a descriptor, a flag, a token, and the 7 + 32 bytes that a subsection's head may take."""

_END = b"\0"
_ENTRY = b"\1"
_SUBSECTION = 5
_STATE = b"CprState"


@frozen
class CprFd:
    """One entry: ``name`` and ``id`` as QEMU keys it, ``rest`` what follows."""

    name: str
    id: int
    rest: bytes


def labels(content: bytes, tokens: Collection[int]) -> Labels:
    """What the content of token 1 says: nothing at all when it is no CPR state."""
    if content[:4] != MAGIC:
        return Labels(None, {}, {}, ())
    files = {TOKEN: "QEMU CPR state"}
    version = int.from_bytes(content[4:8], "big")
    if len(content) < 8 or version != VERSION:
        problem = "is cut short" if len(content) < 8 else f"is of version {version}, {VERSION} is known"
        return Labels("QEMU", files, {}, (f"the CPR state (token {TOKEN}) {problem}",))
    if len(content) > MAX_STATE:
        return Labels("QEMU", files, {}, (f"the CPR state (token {TOKEN}) has more than {MAX_STATE} bytes",))
    return Labels("QEMU", files | _blocks(content, set(tokens) - {TOKEN}), {}, ())


def _blocks(content: bytes, tokens: set[int]) -> dict[int, str]:
    """Token -> RAM block, when there is exactly one way to read it."""
    entries = next(filter(None, (_list(content, length) for length in range(8, MAX_REST + 1))), [])
    found: dict[int, str] = {}
    for place in range(len(entries[0].rest) - 7) if entries else ():
        named = _reading(entries, place, tokens)
        if named and found and named != found:
            return {}
        found = found or named
    return found


def _list(content: bytes, length: int) -> list[CprFd]:
    """The entries, each with ``length`` bytes behind its id; none when that does not lead to the end of the list."""
    entries: list[CprFd] = []
    at = 8
    while content[at : at + 1] == _ENTRY and len(entries) < MAX_ENTRIES:
        size = int.from_bytes(content[at + 1 : at + 5], "big")
        name, end = content[at + 5 : at + 5 + size], at + 9 + size
        if not 1 < size <= MAX_NAME or len(name) < size or name.find(0) != size - 1:
            return []
        text = shown(name[:-1].decode("utf-8", "backslashreplace"))
        entries.append(CprFd(text, int.from_bytes(content[end - 4 : end], "big"), content[end : end + length]))
        at = end + length
    rest = content[at + 1 : at + 3 + len(_STATE)]
    last = not rest or (rest[0] == _SUBSECTION and rest[2:] == _STATE)
    return entries if last and content[at : at + 1] == _END else []


def _reading(entries: list[CprFd], place: int, tokens: set[int]) -> dict[int, str]:
    """Token -> block when the numbers at ``place`` are exactly the session's tokens, each once, and zeros; else nothing."""
    named: dict[int, str] = {}
    for each in entries:
        token = int.from_bytes(each.rest[place : place + 8], "big")
        if token:
            if token not in tokens or token in named:
                return {}
            named[token] = f"RAM block {each.name}" + (f" id {each.id}" if each.id else "")
    return named if len(named) == len(tokens) else {}
