# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which form a devicetree is of, when several schemas have its string.

Upstream changed trees without changing their string, and postings used strings that were merged with other trees. What tells them apart
is what is there: a form fits when every node and property that it calls for is, with the compatible that it calls for. Of the forms
that fit, the one that explains most counts; then the order of the registry, which has the merged and newest first.
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.fdt.model import Node
    from devstate.layout.model import Layout


def best_form(layouts: Iterable[Layout], node: Node) -> Layout | None:
    """The layout whose form the tree at ``node`` has; the first one when none fits (damage), None when there is none at all."""
    known = list(layouts)
    found = [_explained(layout.root, node) if isinstance(layout.root, NodeLayout) else -1 for layout in known]
    return known[found.index(max(found))] if known else None


def _explained(layout: NodeLayout, node: Node) -> int:
    """How many nodes and properties of the tree the layout calls for by name; -1 when the tree lacks one of them."""
    found = 0
    pending = [(layout, node)]
    while pending:
        wanted, here = pending.pop()
        names = [each.name for each in wanted.properties if each.name != "*" and not each.optional]
        if not all(name in here.properties for name in names):
            return -1
        found += len(names)
        for child in wanted.children:
            if child.name == "*":  # a client's own: damage in one says nothing about the form
                continue
            met = here.child(child.name)
            if met is not None and _is_named(met, child.compatible):
                found += 1
                pending.append((child, met))
            elif not child.optional:
                return -1
    return found


def _is_named(node: Node, compatible: str | None) -> bool:
    try:
        return compatible is None or compatible in node.compatible
    except DecodeError:
        return False
