# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A client's node is missing though its state is there.

What       The root has no node LUO, and an unowned preserved page holds LUO's state.
Why        A missing node means "nothing handed over" to its client: sessions are gone without a message.
Example    the node is called LUp.
Instead    Keep the names that the clients look for.
Reference  kho_retrieve_subtree() in kernel/liveupdate/kexec_handover.c, luo_early_startup() in luo_core.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("lost-subtree", "A client's node is missing though its state is there", Severity.ERROR, Reaction.RETRIEVE_FAILS)


KNOWN = b"luo-v"
SCANNED = 65536
"""Unowned pages that are looked at, 256 MiB of 4K pages: the state stands in a page of its own."""


def check(context: Context) -> Iterator[Finding]:
    """Look for LUO's string at the start of what no known client owns."""
    handover = context.handover
    if handover.luo is not None or handover.subtree("LUO") is not None:
        return
    memory, page = handover.memory, handover.environment.page_size
    owners, looked = context.ownership.unowned, 0
    for start, end in zip(owners[0::2], owners[1::2], strict=True) if memory is not None else ():
        for pa in range(start, min(end, start + (SCANNED - looked) * page), page):
            looked += 1
            if memory is not None and memory.contains(pa, len(KNOWN)) and bytes(memory.read(pa, len(KNOWN))) == KNOWN:
                related = ((pa, "LUO's state"),)
                yield RULE.finding(handover, "no node leads to LUO's state", handover.fdt_pa, "/", "a node LUO", "none", related=related)
    for subtree in handover.subtrees:
        if subtree.blob is not None and bytes(subtree.blob[: len(KNOWN)]) == KNOWN:
            message = f"the node {subtree.name} holds LUO's state, which is looked for under another name"
            yield RULE.finding(handover, message, _name_pa(context, subtree.name), f"/{subtree.name}", "LUO", subtree.name)


def _name_pa(context: Context, name: str) -> int | None:
    """Where the node's name stands: behind the token that begins it."""
    handover = context.handover
    node = handover.fdt.root.child(name) if handover.fdt is not None else None
    return None if node is None or node.offset is None or handover.fdt_pa is None else handover.fdt_pa + node.offset + 4
