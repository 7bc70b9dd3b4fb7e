# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The devicetree that a header's string macros describe.

::

    LUO_FDT_COMPATIBLE          "luo-v1"               the version of the tree
    LUO_FDT_LIVEUPDATE_NUM      "liveupdate-number"    a property of the root: FDT or PROP is in the name
    LUO_FDT_SESSION_NODE_NAME   "luo-session"          a node, as there is a version that shares its stem:
    LUO_FDT_SESSION_COMPATIBLE  "luo-session-v1"       its version
    LUO_FDT_SESSION_HEADER      "luo-session-header"   its property
    KHO_SUB_TREE_PROP_NAME      "preserved-data"       a property of the nodes that clients name
    LUO_FDT_KHO_ENTRY_NAME      "LUO"                  where the whole is found: not in the tree

Every property is a native 64-bit number, as all are that KHO and LUO write, unless a published schema of the same version says more.
"""

from __future__ import annotations

from devstate.frozen import replace
from devstate.layout.model import FieldLayout, IntType, NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.source.header_answer import Macro

_VERSIONS = ("COMPATIBLE", "COMPAT")
_DOORS = ("ENTRY",)


def is_version(macro: Macro) -> bool:
    """Whether a macro is the version of a format."""
    return isinstance(macro.value, str) and macro.name.upper().endswith(_VERSIONS)


def words(name: str) -> list[str]:
    """The words of a macro's name."""
    return name.upper().strip("_").split("_")


def tree_of(macros: list[Macro], version: Macro, known: NodeLayout | None) -> tuple[NodeLayout | None, set[str]]:
    """The tree of which ``version`` is the root's, and the names of the versions inside it; None when the macros describe no tree.

    ``known`` is the tree of a published schema of the same version.
    """
    texts = [each for each in macros if isinstance(each.value, str) and not is_version(each)]
    versions = {each.name: each for each in macros if is_version(each)}
    nodes = {}
    for each in texts:
        if "NODE" in words(each.name):
            stem = each.name.upper().partition("_NODE")[0]
            own = next((versions[name] for name in versions if name.upper().rpartition("_")[0] == stem), None)
            if own is not None and own is not version:
                nodes[stem] = (each, own)
    props = [each for each in texts if _is_property(each) and all(each is not node for node, _ in nodes.values())]
    if not props and not nodes:
        return None, set()
    children = []
    for stem, (node, own) in nodes.items():
        mine = [each for each in props if each.name.upper().startswith(f"{stem}_")]
        props = [each for each in props if each not in mine]
        children.append(_node(str(node.value), mine, str(own.value), known))
    subtree = [each for each in props if "SUBTREE" in "".join(words(each.name))]
    if subtree:
        children.append(replace(_node("*", subtree, None, known), optional=True))
    root = _node("", [each for each in props if each not in subtree], str(version.value), known)
    return replace(root, children=tuple(children)), {own.name for _, own in nodes.values()}


def _is_property(macro: Macro) -> bool:
    parts = words(macro.name)
    if any(door in parts for door in _DOORS) or "NODE" in parts or parts[-1] == "FDT":
        return False
    return "PROP" in parts or "PROPERTY" in parts or "FDT" in parts


def _node(name: str, macros: list[Macro], version: str | None, known: NodeLayout | None) -> NodeLayout:
    fields = {field.name: field for field in _properties(known, name)}
    return NodeLayout(name, tuple(fields.get(str(each.value)) or _field(str(each.value)) for each in macros), version)


def _field(name: str) -> FieldLayout:
    return FieldLayout(name, 0, 8, IntType(8))


def _properties(known: NodeLayout | None, name: str) -> tuple[FieldLayout, ...]:
    """What the published tree says of the properties of the node called ``name``."""
    if known is None:
        return ()
    node = known if not name else next((child for child in known.children if child.name == name), None)
    return () if node is None else node.properties
