# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Sessions that nothing leads to.

What       An unowned preserved page holds a block of sessions, or a block holds a further session behind those that it counts.
Why        There is no total for sessions: a lowered count, a cut chain or a zeroed address loses them without a message; user
           space gets ENOENT.
Example    sessions_pa = 0 beside a preserved page that begins with {next 0, count 2} and two session names.
Instead    Serialize counts and links last, from what was really written.
Reference  luo_session_deserialize() in kernel/liveupdate/luo_session.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("lost-records", "Sessions that nothing leads to", Severity.ERROR, Reaction.RETRIEVE_FAILS)


HEADER = 16
SESSION = 80
NAME = 64
"""Bytes of a block's header, of luo_session_ser, and of the name at its start: the same since 6.19."""

SCANNED = 65536
"""Unowned pages that are looked at, 256 MiB of 4K pages: blocks are single pages, what is unowned and large is content."""


def check(context: Context) -> Iterator[Finding]:
    """Look for entries behind counts, then for whole blocks in unowned pages."""
    handover = context.handover
    memory, page = handover.memory, handover.environment.page_size
    if memory is None or handover.preserved is None:
        return
    for claim in handover.claims.items:
        if claim.what == "block" and claim.path == "luo/session" and claim.size == page and memory.contains(claim.start, page):
            yield from _behind(context, claim.start, bytes(memory.read(claim.start, page)))
    owners, looked = context.ownership.unowned, 0
    for start, end in zip(owners[0::2], owners[1::2], strict=True):
        for pa in range(start, min(end, start + (SCANNED - looked) * page), page):
            looked += 1
            if memory.contains(pa, page) and _is_session_block(bytes(memory.read(pa, page)), handover.environment.byte_order):
                link = _sessions_link(context)
                yield RULE.finding(
                    handover,
                    f"nothing leads to the sessions at {pa:#x}",
                    link or pa,
                    "luo/session",
                    "a link",
                    "none",
                    related=((pa, "a block of sessions"),),
                )


def _sessions_link(context: Context) -> int | None:
    """Where LUO says where its sessions are, when it says that there are none."""
    luo = context.handover.luo
    if luo is None or luo.record is None or luo.pa is None or luo.record.sessions_pa:
        return None
    return field_pa(luo.pa, luo.record, "sessions_pa")


def _behind(context: Context, pa: int, block: bytes) -> Iterator[Finding]:
    count = int.from_bytes(block[8:16], context.handover.environment.byte_order)
    at = HEADER + count * SESSION
    if at + SESSION <= len(block) and _is_name(block[at : at + NAME]):
        message = f"the block counts {count} sessions, and another one stands behind them"
        related = ((pa + at, "the session that is not counted"),)
        yield RULE.finding(context.handover, message, pa + 8, "luo/session", f"at least {count + 1}", count, related=related)


def _is_session_block(block: bytes, order: Literal["little", "big"]) -> bool:
    following, count = int.from_bytes(block[0:8], order), int.from_bytes(block[8:16], order)
    fits = following % len(block) == 0 and 1 <= count <= (len(block) - HEADER) // SESSION
    return fits and all(_is_name(block[HEADER + i * SESSION : HEADER + i * SESSION + NAME]) for i in range(count))


def _is_name(raw: bytes) -> bool:
    """Whether this is a name as LUO writes it: printable, terminated, padded with zeros."""
    text, _, rest = raw.partition(b"\0")
    return 0 < len(text) < NAME and not any(rest) and text.decode("utf-8", "replace").isprintable()
