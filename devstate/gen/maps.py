# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The functions that go over a map of pages: a radix tree of preserved memory, a chain of bitmaps, a tree of values.

What they do is in ``devstate_map.h``; the layout says which kind of map a link leads to, and its depth or the bytes of a bitmap.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.gen.names import member, parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TargetLayout


@frozen
class Map:
    """A kind of map: the function of devstate_map.h, what it is, what the callback gets."""

    function: str
    what: str
    given: str
    each: str


_BLOCKS = "block", "u64 pa, u32 order, u64 blocks", "blocks of one order that follow each other from pa on"

MAPS = {
    "radix": Map("devstate_radix_walk", *_BLOCKS),
    "chunks": Map("devstate_chunks_walk", *_BLOCKS),
    "tree": Map("devstate_tree_walk", "value", "u64 key, u64 value", "each value but 0, by its key"),
}
"""By the word of devstate.schema.links."""


def has_maps(layout: Layout, fields: tuple[FieldLayout, ...]) -> bool:
    """Whether one of the fields leads to a map that can be gone over."""
    return any(field.target is not None and map_measure(layout, field.target) for field in fields)


def map_measure(layout: Layout, target: TargetLayout) -> int:
    """Levels of a tree, or bytes of a bitmap; 0 for what is no map."""
    if target.kind not in MAPS:
        return 0
    return (target.size or layout.environment.page_size) if target.kind == "chunks" else target.depth or 0


def map_walk(layout: Layout, struct: StructLayout, field: FieldLayout, name: str) -> tuple[list[str], list[str], list[str]]:
    """(kernel-doc, head, body) of the function for a link to a map."""
    assert field.target is not None  # the caller asked map_measure()
    kind = MAPS[field.target.kind]
    doc = [
        f"{name}() - every {kind.what} of the map that @{member(field.name)} leads to",
        "@it: a record that was checked",
        "@memory: how to get at memory",
        f"@each: called with {kind.each}; anything but 0 ends the walk. NULL only judges",
        "@context: for @each",
        "@fault: what is wrong, when something is, at the address of the pointer to it; may be NULL",
        "",
        "Return: 0, a negative error number, or what @each returned.",
    ]
    given = [
        f"const struct {struct.name} *it",
        "const struct devstate_memory *memory",
        f"int (*each)(void *context, {kind.given})",
        "void *context",
        "struct devstate_fault *fault",
    ]
    measure = str(map_measure(layout, field.target))
    call = ["memory", f"it->{member(field.name)}.pa", measure, "each", "context", "fault", f'"{field.name}"']
    return doc, parameters(f"int {name}", given), parameters(f"\treturn {kind.function}", call, ";")
