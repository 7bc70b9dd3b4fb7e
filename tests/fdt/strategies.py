# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hypothesis strategies for trees: any that the strict reader must accept."""

from __future__ import annotations

from hypothesis import strategies as st

from devstate.fdt import Fdt, Node

names = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="/"), min_size=1, max_size=40)
"""Any name that can be addressed: the kernel takes some from user space, and libfdt limits no character."""

usual_names = st.text("abcdreg-,@#0", min_size=1, max_size=8)
"""Names that are often tails of each other."""

values = st.binary(max_size=20)


def properties() -> st.SearchStrategy[dict[str, bytes]]:
    """The properties of one node."""
    return st.dictionaries(usual_names | names, values, max_size=5)


def nodes(name: st.SearchStrategy[str], depth: int) -> st.SearchStrategy[Node]:
    """A node with up to ``depth`` levels below it."""
    below = st.lists(nodes(usual_names | names, depth - 1), max_size=3, unique_by=lambda node: node.name) if depth else st.just([])
    return st.builds(Node, name, properties(), below)


reserved = st.tuples(st.integers(0, (1 << 64) - 1), st.integers(1, (1 << 64) - 1))

fdts = st.builds(Fdt, nodes(st.just(""), 3), st.lists(reserved, max_size=3), st.integers(0, (1 << 32) - 1))
"""Whole trees, with reserve map and boot CPU."""
