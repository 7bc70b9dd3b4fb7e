# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reserve_mem region has another compatible.

What       The root of the memblock subtree, or one region's node, does not say what the reader expects.
Why        The region is allocated afresh and its content is lost; the other regions are lost to the next update.
Example    node "trace" with compatible "reserve-mem-v2".
Instead    Write memblock-v1 and reserve-mem-v1.
Reference  reserve_mem_kho_revive() in mm/memblock.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.root import around
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("memblock-compatible", "A reserve_mem region has another compatible", Severity.ERROR, Reaction.REGION_WRONG)


def check(context: Context) -> Iterator[Finding]:
    """Compare root and regions with the layout."""
    handover = context.handover
    subtree = handover.subtree("memblock")
    if subtree is None or subtree.fdt is None or subtree.layout is None or not isinstance(subtree.layout.root, NodeLayout):
        return
    wanted = subtree.layout.root.children[0].compatible if subtree.layout.root.children else None
    for node in subtree.fdt.root.children:
        prop = node.property("compatible")
        strings = bytes(prop.value).split(b"\0") if prop is not None else []
        if wanted is not None and wanted.encode() not in strings[:-1]:
            at = subtree.pa + prop.offset if prop is not None and prop.offset is not None and subtree.pa is not None else subtree.pa
            found = b", ".join(strings).decode("latin-1") or "nothing"
            related = around(node, subtree.pa) if prop is None and subtree.pa is not None else ()
            message, path = "the region's node has another compatible", f"{subtree.path}/{node.name}"
            yield RULE.finding(handover, message, at, path, wanted, found, related=related)
