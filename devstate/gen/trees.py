# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reader of a format whose root is a devicetree: every declared node and property judged, then given as C values.

::

    FORMAT_read_tree(blob, size, tree, each, context, fault)     calls each(context, tree, node) for every declared node
    struct FORMAT_tree { struct FORMAT_tree_root root; ... }     the values: of a node that has a name of its own, and of the one
                                                                 in hand for nodes whose name the client chose
    FORMAT_walk_NODE_PROPERTY(), FORMAT_follow_NODE_PROPERTY()   along the links of a node, as for structs

The tables below are what ``devstate_fdt.h`` reads by; ``devstate.handover.tree`` gives the same verdicts in Python.
"""

from __future__ import annotations

from devstate.frozen import frozen, replace
from devstate.gen.judge import Judge, Place
from devstate.gen.names import comment, identifier, joined, literal, macro, member, parameters, quoted
from devstate.gen.types import declared
from devstate.gen.walks import links
from devstate.layout.model import ArrayType, FieldLayout, IntType, NodeLayout, StructLayout, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.gen.walks import Link
    from devstate.layout.model import Layout

SLOTS_MAX = 32
"""DEVSTATE_SLOTS_MAX of devstate_fdt.h."""

LEVELS_MAX = 8
"""DEVSTATE_LEVELS_OF_NODES_MAX of devstate_fdt.h."""

TAKEN = ("name", "has")
"""Members that every node has: a property of such a name gets a number behind it."""


@frozen
class Declared:
    """A node: its name in C, its path with ``*`` for any name, what the format says of it, and the nodes in it."""

    name: str
    path: str
    node: NodeLayout
    inside: tuple[int, ...]

    @property
    def properties(self) -> tuple[FieldLayout, ...]:
        """Those that have a name."""
        return tuple(field for field in self.node.properties if field.name != "*")

    @property
    def slots(self) -> tuple[str, ...]:
        """The properties that are looked for, ``compatible`` first where it is fixed."""
        first = ("compatible",) if self.node.compatible is not None else ()
        return (*first, *(field.name for field in self.properties))

    @property
    def shown(self) -> str:
        """The path for people, and for a comment of C, which a ``*`` behind the ``/`` would begin."""
        return self.path.replace("*", "NAME")

    def at(self, field: str) -> str:
        """The path of a property."""
        return f"{self.path.rstrip('/')}/{field}"


def top(layout: Layout) -> NodeLayout | None:
    """The root of the blob: what the format declares, or a node around it when that has a name. None for a format of another kind."""
    root = layout.root
    if not isinstance(root, NodeLayout):
        return None
    return NodeLayout("", (), children=(root,)) if root.name else root


def declared_nodes(layout: Layout) -> list[Declared]:
    """The nodes, outermost first; empty for a format that is no devicetree, or one too wide or deep for the reader."""
    root = top(layout)
    if root is None:
        return []
    found: list[tuple[str, str, NodeLayout, list[int]]] = [("root", "/", root, [])]
    at = 0
    while at < len(found):
        name, path, node, inside = found[at]
        for child in sorted(node.children, key=lambda each: each.name == "*"):
            inside.append(len(found))
            here = "any" if child.name == "*" else identifier(child.name)
            made = here if name == "root" else f"{name}_{here}"
            found.append((unlike(made, [other[0] for other in found]), f"{path.rstrip('/')}/{child.name}", child, []))
        at += 1
    nodes = [Declared(name, path, node, tuple(inside)) for name, path, node, inside in found]
    fits = all(len(each.slots) <= SLOTS_MAX and len(each.inside) <= 32 and each.path.count("/") < LEVELS_MAX for each in nodes)
    return nodes if fits else []


def unlike(name: str, others: Sequence[str]) -> str:
    """``name``, or that with a number behind it where another is spelt so already."""
    made, number = name, 1
    while made in others:
        number += 1
        made = f"{name}_{number}"
    return made


def is_whole(layout: Layout, field: FieldLayout) -> bool:
    """Whether a property has one size, so that its value is copied."""
    kind = field.type
    if isinstance(kind, ArrayType):
        return kind.count is not None
    return not (isinstance(kind, StructType) and layout.struct(kind.struct).flexible)


def node_struct(layout: Layout, declared: Declared) -> StructLayout:
    """A node as the struct of its values: names are those of C."""
    names: dict[str, str] = {}
    for field in declared.properties:
        names[field.name] = unlike(identifier(field.name), [*TAKEN, *names.values()])
    fields = []
    for field in declared.properties:
        target = field.target
        if target is not None and target.count in names:
            target = replace(target, count=names[target.count])
        fields.append(replace(field, name=names[field.name], target=target))
    return StructLayout(f"{identifier(layout.name)}_tree_{declared.name}", 0, 8, False, tuple(fields))


def node_links(layout: Layout) -> Iterator[Link]:
    """The functions for the links of all nodes."""
    for each in declared_nodes(layout):
        struct = node_struct(layout, each)
        yield from links(layout, replace(struct, fields=tuple(field for field in struct.fields if is_whole(layout, field))))


def tree_declarations(layout: Layout) -> list[str]:
    """The structs of the nodes, and the prototype of the reader; nothing for a format without a devicetree."""
    nodes = declared_nodes(layout)
    if not nodes:
        return []
    prefix = identifier(layout.name)
    blocks = [_structure(layout, each) for each in nodes]
    names = [f"\t{macro(prefix, 'tree', each.name)}," for each in nodes]
    kinds = [f"{macro(prefix, 'tree', each.name)} is {each.shown}" for each in nodes]
    blocks.append([*comment([f"Which node: {', '.join(kinds)}."]), f"enum {prefix}_tree_node {{", *names, "};"])
    doc = [f"struct {prefix}_tree - the devicetree, as far as it was read", *(f"@{member(each.name)}: {each.shown}" for each in nodes)]
    members = [f"\tstruct {prefix}_tree_{each.name} {member(each.name)};" for each in nodes]
    blocks.append([*comment(doc, kernel_doc=True), f"struct {prefix}_tree {{", *members, "};"])
    doc, head = _reader(prefix)
    *above, last = head
    blocks.append([*comment(doc, kernel_doc=True), *above, f"{last};"])
    for link in node_links(layout):
        *above, last = link.head
        blocks.append([*comment(link.doc, kernel_doc=True), *above, f"{last};"])
    return joined(blocks).rstrip("\n").split("\n")


def tree_definitions(layout: Layout) -> list[str]:
    """The tables, the functions that take a node, and the reader."""
    nodes = declared_nodes(layout)
    if not nodes:
        return []
    prefix = identifier(layout.name)
    call = parameters("\tint (*each)", ["void *context", f"const struct {prefix}_tree *tree", "int node"], ";")
    blocks = [[f"struct {prefix}_reading {{", f"\tstruct {prefix}_tree *tree;", *call, "\tvoid *context;", "};"]]
    blocks += [_take(layout, each) for each in nodes]
    blocks += [_table(prefix, nodes, each) for each in reversed(nodes)]
    _, head = _reader(prefix)
    given = ["blob", "size", f"&{prefix}_node_root", "&reading", "fault"]
    body = [f"\tstruct {prefix}_reading reading = {{ .tree = tree, .each = each, .context = context }};", ""]
    body += ["\tmemset(tree, 0, sizeof(*tree));", *parameters("\treturn devstate_fdt_read", given, ";")]
    blocks.append([*head, "{", *body, "}"])
    return joined(blocks).rstrip("\n").split("\n")


def tree_walks(layout: Layout) -> list[str]:
    """The functions for the links of the nodes."""
    blocks = [[*link.head, "{", *link.body, "}"] for link in node_links(layout)]
    return joined(blocks).rstrip("\n").split("\n") if blocks else []


def _reader(prefix: str) -> tuple[list[str], list[str]]:
    doc = [
        f"{prefix}_read_tree() - read the devicetree, node after node",
        "@blob: its bytes",
        "@size: how many there are at most",
        "@tree: the values; those of a node without a name of its own are the last one's",
        f"@each: called with each declared node, an enum {prefix}_tree_node, once its properties were judged; anything but 0 ends the "
        "reading. NULL only judges",
        "@context: for @each",
        "@fault: what is wrong, when something is, at an offset in @blob; may be NULL",
        "",
        "Return: 0, a negative error number, or what @each returned.",
    ]
    each = f"int (*each)(void *context, const struct {prefix}_tree *tree, int node)"
    given = ["const void *blob", "u64 size", f"struct {prefix}_tree *tree", each, "void *context", "struct devstate_fault *fault"]
    return doc, parameters(f"int {prefix}_read_tree", given)


def _structure(layout: Layout, node: Declared) -> list[str]:
    """The struct of one node, and the bits of what may be absent."""
    struct, prefix = node_struct(layout, node), macro(layout.name, "tree", node.name)
    what = f": {node.node.doc}" if node.node.doc else ""
    doc = [f"struct {struct.name} - {node.shown}{what}", "@name: of the node, in the blob; NULL when there is none"]
    lines, bits = [], []
    for number, field in enumerate(struct.fields):
        doc.append(f"@{member(field.name)}: {field.doc or node.properties[number].name}")
        if field.optional:
            bits.append(f"#define {prefix}_HAS_{macro(field.name)} (1U << {number})")
        if not is_whole(layout, field):
            lines.append(f"\tstruct devstate_bytes {member(field.name)};")
            continue
        *head, last = declared(layout, field.type, member(field.name), "\t", field.target)
        lines += [*head, f"{last};"]
    doc[2:2] = [f"@has: bits {prefix}_HAS_*, of what may be absent"] if bits else []
    members = ["\tconst char *name;", *(["\tu32 has;"] if bits else []), *lines]
    return [*bits, *([""] if bits else []), *comment(doc, kernel_doc=True), f"struct {struct.name} {{", *members, "};"]


def _table(prefix: str, nodes: list[Declared], node: Declared) -> list[str]:
    """The constant that devstate_fdt_read() goes by."""
    name, lines = f"{prefix}_node_{node.name}", []
    if node.slots:
        names = [f"\t{quoted(each)}," for each in node.slots]
        lines += [f"static const char *const {name}_properties[] = {{", *names, "};", ""]
    if node.inside:
        inside = [f"\t&{prefix}_node_{nodes[each].name}," for each in node.inside]
        lines += [f"static const struct devstate_node *const {name}_nodes[] = {{", *inside, "};", ""]
    lines.append(f"static const struct devstate_node {name} = {{")
    lines += [f"\t.name = {quoted(node.node.name)},"] if node.node.name != "*" else []
    lines += [f"\t.path = {quoted(node.path)},"]
    lines += ["\t.optional = true,"] if node.node.optional else []
    lines += [f"\t.properties = {name}_properties,", f"\t.property_count = {len(node.slots)},"] if node.slots else []
    lines += [f"\t.nodes = {name}_nodes,", f"\t.node_count = {len(node.inside)},"] if node.inside else []
    return [*lines, f"\t.take = {prefix}_take_{node.name},", "};"]


def _take(layout: Layout, node: Declared) -> list[str]:
    prefix, compatible = identifier(layout.name), node.node.compatible
    struct = node_struct(layout, node)
    lines = []
    if compatible is not None:
        given = ["met", "0", quoted(compatible), f"sizeof({quoted(compatible)})", "fault", quoted(node.at("compatible"))]
        lines += [*parameters("\terror = devstate_slot_compatible", given, ";"), "\tif (error)", "\t\treturn error;"]
    for number, field in enumerate(struct.fields):
        lines += _take_property(layout, node, number, field)
    needs_error = any("error = " in line for line in lines)
    head = parameters(
        f"static int {prefix}_take_{node.name}", ["void *to", "const struct devstate_met *met", "struct devstate_fault *fault"]
    )
    start = [f"\tstruct {prefix}_reading *reading = to;", f"\tstruct {struct.name} *it = &reading->tree->{member(node.name)};"]
    start += ["\tconst struct devstate_slot *slot;"] if struct.fields else []
    start += ["\tint error;"] if needs_error else []
    start += ["", *([] if lines else ["\t(void)fault;"]), "\tmemset(it, 0, sizeof(*it));", "\tit->name = met->name;"]
    call = parameters("\treturn reading->each", ["reading->context", "reading->tree", macro(prefix, "tree", node.name)], ";")
    return [*head, "{", *start, *lines, "\tif (!reading->each)", "\t\treturn 0;", *call, "}"]


def _take_property(layout: Layout, node: Declared, number: int, field: FieldLayout) -> list[str]:
    """Judge and keep one property."""
    name, path = f"it->{member(field.name)}", node.at(node.properties[number].name)
    slot = number + (node.node.compatible is not None)
    lines = [f"\tslot = &met->slots[{slot}];"]
    depth = 1
    if field.optional:
        depth = 2
        if field.default is not None and isinstance(field.type, IntType):
            lines.append(f"\t{name} = {literal(field.default, field.type.size, signed=field.type.signed)};")
        lines += ["\tif (slot->data) {", f"\t\tit->has |= {macro(layout.name, 'tree', node.name)}_HAS_{macro(field.name)};"]
    else:
        refuse = parameters("\t\treturn devstate_refuse", ["fault", "DEVSTATE_MISSING", "met->at", "0", quoted(path)], ";")
        lines += ["\tif (!slot->data)", *refuse]
    indent = "\t" * depth
    if is_whole(layout, field):
        copy = parameters(f"{indent}error = devstate_slot_copy", ["slot", f"&{name}", f"sizeof({name})", "fault", quoted(path)], ";")
        place = Place(path=name, name=path, at="slot->at", depth=depth, base="it->")
        lines += [*copy, f"{indent}if (error)", f"{indent}\treturn error;"]
        lines += Judge(layout, quick=False).type(node_struct(layout, node), field, field.type, place)
    else:
        lines += [f"{indent}{name}.data = slot->data;", f"{indent}{name}.size = slot->size;", *_entries(layout, node, field, path, depth)]
    return [*lines, "\t}"] if field.optional else lines


def _entries(layout: Layout, node: Declared, field: FieldLayout, path: str, depth: int) -> list[str]:
    """Judge the entries of a property of any length: a blob aligns to 4 bytes, so each is copied."""
    kind, indent = field.type, "\t" * depth
    if not isinstance(kind, ArrayType):
        return []
    lines = []
    if kind.stride != 1:
        refuse = ["fault", "DEVSTATE_REMAINDER", "slot->at", "slot->size", quoted(path)]
        lines += [f"{indent}if (slot->size % {kind.stride})", *parameters(f"{indent}\treturn devstate_refuse", refuse, ";")]
    place = Place(path="entry", name=path, at=f"slot->at + i * {kind.stride}", depth=depth + 1, base="it->")
    judged = Judge(layout, quick=False).type(node_struct(layout, node), replace(field, target=None), kind.element, place)
    if not judged:
        return lines
    return [
        *lines,
        f"{indent}for (u32 i = 0; i < slot->size / {kind.stride}; i++) {{",
        *(f"{line};" for line in declared(layout, kind.element, "entry", f"{indent}\t")),
        "",
        f"{indent}\tmemcpy(&entry, (const u8 *)slot->data + i * {kind.stride}, sizeof(entry));",
        *judged,
        f"{indent}}}",
    ]
