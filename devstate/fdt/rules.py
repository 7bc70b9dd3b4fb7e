# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the reader refuses beyond libfdt: rules, which can be switched off one by one, and limits, which cannot.

``fdt_check_full`` accepts blobs that no kernel writes and that two readers may understand differently. Each such thing is a
rule with an id; ``RULES`` maps the id to its text, so that a list of rules can be printed. A blob that breaks a rule is
refused, unless the caller names the id in ``allow``.
"""

from __future__ import annotations

NO_ROOT = "fdt-no-root"
ROOT_NOT_FIRST = "fdt-root-not-first"
STRAY_PROPERTY = "fdt-stray-property"
PROPERTY_AFTER_SUBNODE = "fdt-property-after-subnode"
DUPLICATE_PROPERTY = "fdt-duplicate-property"
DUPLICATE_NODE = "fdt-duplicate-node"
SLASH_IN_NAME = "fdt-slash-in-name"
EMPTY_NAME = "fdt-empty-name"
TRAILING_STRUCT = "fdt-trailing-struct"
MISALIGNED_BLOCK = "fdt-misaligned-block"
OVERLAPPING_BLOCKS = "fdt-overlapping-blocks"

RULES: dict[str, str] = {
    NO_ROOT: "The structure block has a root node. Without one, every lookup in the kernel fails with BADOFFSET or NOTFOUND.",
    ROOT_NOT_FIRST: "The root node is the first token. libfdt takes offset 0 for the root; with a NOP there, the kernel finds nothing.",
    STRAY_PROPERTY: "Each property stands inside a node. One before the root belongs to nothing, and no tree can show it.",
    PROPERTY_AFTER_SUBNODE: (
        "The properties of a node stand before its subnodes (Devicetree Specification 5.4.2). libfdt's property iterator stops at "
        "the first subnode, so that the kernel does not see a later one."
    ),
    DUPLICATE_PROPERTY: "A node has one property of a name. Of two, libfdt returns the first; another reader may take the last.",
    DUPLICATE_NODE: "A node has one child of a name. Of two, a path lookup finds the first; an iteration sees both.",
    SLASH_IN_NAME: "No name has a '/': it separates the names of a path, so such a node or property cannot be addressed.",
    EMPTY_NAME: "Only the root has an empty name. A path cannot address a child or a property without one.",
    TRAILING_STRUCT: "FDT_END is the last word of the structure block: what follows is read by nobody and checked by nobody.",
    MISALIGNED_BLOCK: (
        "The structure block starts at a multiple of 4, the reserve map at a multiple of 8 (Devicetree Specification 5.2): "
        "the kernel loads words from them directly."
    ),
    OVERLAPPING_BLOCKS: (
        "Reserve map, structure block and strings block have no byte in common. With an overlap one write changes two things, "
        "and an in-place edit by the kernel destroys the tree."
    ),
}  # fmt: skip

ALL_RULES = frozenset(RULES)
"""With ``allow=ALL_RULES`` the reader accepts what ``fdt_check_full`` accepts, of version 17 and within the limits below."""

MAX_SIZE = 2 << 20
"""Bytes of a blob: what Linux maps for a boot devicetree (MAX_FDT_SIZE), and the most that any KHO format has used (luo-v2)."""

MAX_DEPTH = 64
"""Nodes on one path, root included: the depth that Linux unflattens (FDT_MAX_DEPTH); KHO uses 3."""

MAX_NODES = 1 << 16
"""Nodes of one blob: ten times the largest board files; bounds the objects that 2 MiB of empty nodes would cost."""

MAX_PROPERTIES = 1 << 17
"""Properties of one blob, for the same reason."""

MAX_NAME = 255
"""Bytes of a node or property name, without the NUL: the specification has 31, KHO's session names 63. Names are
resolved through offsets that may overlap, so this is what keeps their total linear in the blob."""

MAX_PROPERTY_NAMES = 4096
"""Different name offsets used by the properties of one blob: the shared strings search of a writer is quadratic in them."""

MAX_RESERVED = 4096
"""Entries of the reserve map: Linux starts with room for 128 reserved regions."""

MAX_PROBLEMS = 100
"""Problems that a partial read collects before it stops: enough to see what happened, too few to drown in."""
