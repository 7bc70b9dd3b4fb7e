# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A devicetree against the layout that declares it: the values of its nodes, and the first thing that a reader refuses.

The same verdicts as the C of ``devstate gen c-codec``: the rule, the offset in the blob, the path with ``*`` for a name that the client
chose. Node after node in the order of the bytes; in a node its ``compatible``, then the properties in the order of the layout, then the
nodes in it, then those that it lacks.
"""

from __future__ import annotations

from devstate.codec.validate import Fault, first_fault
from devstate.errors import DecodeError, LimitError
from devstate.fdt.reader import read
from devstate.fdt.rules import DUPLICATE_NODE, DUPLICATE_PROPERTY, OVERLAPPING_BLOCKS
from devstate.frozen import frozen, replace
from devstate.layout.constraints import constraints
from devstate.layout.model import ArrayType, BytesType, IntType, NodeLayout, StructLayout, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from devstate.fdt.model import Node
    from devstate.layout.model import FieldLayout, Layout

ALLOWED = frozenset((DUPLICATE_NODE, DUPLICATE_PROPERTY, OVERLAPPING_BLOCKS))
"""What the structure of a blob may have here: of declared names a second one is refused below, others nobody reads."""

_PROPERTIES = StructLayout("", 0, 1, False, ())


@frozen
class TreeNode:
    """A declared node that was met: its path in the layout, its name in the blob, its properties by name (numbers, else bytes)."""

    path: str
    name: str
    values: tuple[tuple[str, int | bytes], ...]


def judge_tree(layout: Layout, blob: bytes | memoryview) -> tuple[list[TreeNode], Fault | None]:
    """The declared nodes up to the first fault, and that. ``layout.root`` is a NodeLayout; its name is that of a node below the root."""
    try:
        fdt = read(blob, allow=ALLOWED)
    except DecodeError as error:
        rule = "limit" if isinstance(error, LimitError) else "tree"
        return [], Fault(rule, error.offset or 0, error.path or "", str(error.expected), error.found)
    root = layout.root
    assert isinstance(root, NodeLayout)
    declared = NodeLayout("", (), children=(root,)) if root.name else root
    nodes: list[TreeNode] = []
    open_nodes = [_children(layout, declared, fdt.root, "/", nodes)]
    while open_nodes:
        met = next(open_nodes[-1], None)
        if met is None:
            open_nodes.pop()
        elif isinstance(met, Fault):
            return nodes, met
        else:
            open_nodes.append(_children(layout, *met, nodes))
    return nodes, None


def _children(
    layout: Layout, declared: NodeLayout, node: Node, path: str, nodes: list[TreeNode]
) -> Iterator[Fault | tuple[NodeLayout, Node, str]]:
    """Judge a node and keep it, then give the declared nodes in it; a fault ends it."""
    places: dict[str, int] = {}
    wanted = {*(("compatible",) if declared.compatible is not None else ()), *(each.name for each in declared.properties)}
    for name, at in node.structure.places(node) if node.structure is not None else ():
        if name in places and name in wanted:
            yield Fault("twice", at, path, "one of a name", name)
            return
        places[name] = at
    values: list[tuple[str, int | bytes]] = []
    fault = _compatible(declared, node, path, places)
    for field in declared.properties if fault is None else ():
        fault = fault or _property(layout, field, node, path, places, values)
    if fault is not None:
        yield fault
        return
    nodes.append(TreeNode(path, node.name, tuple(values)))
    prefix = path.rstrip("/")
    named = {child.name: child for child in declared.children if child.name != "*"}
    other = next((child for child in declared.children if child.name == "*"), None)
    seen: set[str] = set()
    for child in node.children:
        if child.name in seen and child.name in named:
            yield Fault("twice", child.offset or 0, f"{prefix}/{child.name}", "one of a name", child.name)
            return
        seen.add(child.name)
        chosen = named.get(child.name, other)
        if chosen is not None:
            yield chosen, child, f"{prefix}/{chosen.name}"
    for name, lacking in named.items():
        if name not in seen and not lacking.optional:
            yield Fault("missing", node.offset or 0, f"{prefix}/{name}", "a node", None)
            return


def _compatible(declared: NodeLayout, node: Node, path: str, places: dict[str, int]) -> Fault | None:
    if declared.compatible is None:
        return None
    here, value, wanted = f"{path.rstrip('/')}/compatible", node.properties.get("compatible"), declared.compatible
    if value is None:
        return Fault("missing", node.offset or 0, here, wanted, None)
    if not value.startswith(wanted.encode() + b"\0") or not value.endswith(b"\0"):
        return Fault("version", places["compatible"], here, wanted, value)
    return None


def _property(
    layout: Layout, field: FieldLayout, node: Node, path: str, places: dict[str, int], values: list[tuple[str, int | bytes]]
) -> Fault | None:
    """Judge one property; its value is added to ``values``. A property ``*`` is of any name, and nobody's."""
    here, value = f"{path.rstrip('/')}/{field.name}", node.properties.get(field.name)
    if field.name == "*":
        return None
    if value is None:
        if field.default is not None:
            values.append((field.name, field.default))
        return None if field.optional else Fault("missing", node.offset or 0, here, f"{field.size} bytes", None)
    at, kind = places[field.name], field.type
    flexible = isinstance(kind, ArrayType) and kind.count is None
    if flexible and isinstance(kind, ArrayType):
        values.append((field.name, value))
        return _entries(layout, field, kind, value, at, here)
    if isinstance(kind, StructType) and layout.struct(kind.struct).flexible:
        values.append((field.name, value))
        return None
    if len(value) != field.size:
        return Fault("size", at, here, f"{field.size} bytes", len(value))
    number = int.from_bytes(value, _order(layout, kind), signed=kind.signed) if isinstance(kind, IntType) else None
    values.append((field.name, value if number is None else number))
    return _value(layout, field, value, number, at, here)


def _order(layout: Layout, kind: IntType) -> Literal["little", "big"]:
    order = layout.environment.byte_order if kind.order == "native" else kind.order
    return "big" if order == "big" else "little"


def _value(layout: Layout, field: FieldLayout, value: bytes, number: int | None, at: int, here: str) -> Fault | None:
    kind = field.type
    if isinstance(kind, StructType):
        return _placed(first_fault(layout, value, kind.struct), at, here)
    if isinstance(kind, ArrayType | UnionType):
        alone = StructLayout("_property", field.size, 1, True, (replace(field, offset=0),))
        return _placed(first_fault(replace(layout, structs=(*layout.structs, alone)), value, alone.name), at, here)
    for rule in constraints(layout, _PROPERTIES, field):
        if isinstance(kind, BytesType) and rule.rule == "text" and 0 not in value:
            return Fault("text", at, here, "a NUL", value)
        if number is not None and not rule.allows(number):
            return Fault(rule.rule, at, here, str(rule), number)
    return None


def _placed(fault: Fault | None, at: int, here: str) -> Fault | None:
    """A fault in a value, as one in the blob."""
    return None if fault is None else Fault(fault.rule, fault.offset + at, f"{here}.{fault.path}", fault.expected, fault.found)


def _entries(layout: Layout, field: FieldLayout, kind: ArrayType, value: bytes, at: int, here: str) -> Fault | None:
    """The entries of a property of any length."""
    if len(value) % kind.stride:
        return Fault("remainder", at, here, f"entries of {kind.stride} bytes", len(value))
    if isinstance(kind.element, IntType) and not constraints(layout, _PROPERTIES, field):
        return None
    whole, element = replace(field, type=kind.element, size=kind.stride), kind.element
    for place in range(0, len(value), kind.stride):
        entry = value[place : place + kind.stride]
        number = int.from_bytes(entry, _order(layout, element), signed=element.signed) if isinstance(element, IntType) else None
        fault = _value(layout, whole, entry, number, at + place, here)
        if fault is not None:
            return fault
    return None
