# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Upstream's history of the handover formats, as layouts: what a step's structs, strings and constants say, and nothing else.

A file's strings are versions (``*_COMPATIBLE``), names of properties (``*prop``) and of nodes (``*node``); they belong together by the
words that they share. What a field leads to stands in no struct description: it is taken from the published schema of the same string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from devstate.frozen import replace
from devstate.layout.model import (
    Arm,
    ArrayType,
    BytesType,
    Environment,
    FieldLayout,
    IntType,
    Layout,
    NodeLayout,
    StructLayout,
    StructType,
    TargetLayout,
    TypeLayout,
    UnionType,
)
from devstate.layout.registry import Registry

PAGES = {4096: "4K", 16384: "16K", 65536: "64K"}
INTS = {
    "u8": (1, False), "u16": (2, False), "u32": (4, False), "u64": (8, False), "s8": (1, True), "s16": (2, True), "s32": (4, True),
    "s64": (8, True), "unsigned int": (4, False), "int": (4, True), "short unsigned int": (2, False), "long unsigned int": (8, False),
    "phys_addr_t": (8, False), "bool": (1, False), "char": (1, False),
}  # fmt: skip

COMMON = {"compatible", "compat", "fdt", "prop", "node", "luo", "fh", "abi", "ser", "header", "flb", ""}
"""Words that say nothing about what a macro or a struct is for."""

Structs = dict[str, Any]


def c_type(text: str, size: int, structs: Structs) -> TypeLayout:
    """A type as the history writes it."""
    array = re.fullmatch(r"(.*)\[(\d*)\]", text)
    if array and array[1] == "char":
        return BytesType(size, text=True)
    if array:
        count = int(array[2]) if array[2] else None
        each = structs[array[1].split()[1]]["size"] if array[1].startswith("struct ") else INTS[array[1]][0]
        return ArrayType(c_type(array[1], each, structs), each, count)
    if text.startswith("struct ") and not text.endswith("*"):
        return StructType(text.split()[1])
    if text.startswith("union{u64 phys"):
        return UnionType(8, (Arm("phys", None, IntType(8)), Arm("ptr", None, IntType(8))))
    if text.startswith("union"):
        return UnionType(size, (Arm("u", None, BytesType(size)),))
    if text.startswith("enum") or text.endswith("*"):
        return IntType(size)
    return IntType(*INTS[text.partition(":")[0]])


def struct_layout(name: str, described: Any, structs: Structs) -> StructLayout:
    """One struct."""
    fields: list[FieldLayout] = []
    end = 0
    for field in described["fields"]:
        at, size = field["offset"], field["size"]
        if at > end:
            fields.append(FieldLayout(f"_pad{end}", end, at - end, BytesType(at - end, reserved=True), gap=True))
        end = max(end, at + size)
        kind = c_type(field["ctype"], size, structs)
        target = TargetLayout("kernel") if field["ctype"].endswith("*") else None
        made = FieldLayout(field["name"], at, size, kind, target=target)
        if "bit_size" in field:
            made = replace(made, shift=field["bit_offset_in_unit"], width=field["bit_size"])
        fields.append(made)
    flexible = bool(fields) and isinstance(fields[-1].type, ArrayType) and fields[-1].type.count is None
    return StructLayout(name, described["size"], 1, True, tuple(fields), flexible=flexible)


def with_targets(struct: StructLayout, version: str | None, registry: Registry) -> StructLayout:
    """The struct with what its fields lead to, as the published schemas of this version say."""
    known: dict[str, TargetLayout] = {}
    for name in registry.names(version) if version else []:
        for other in registry.layout(name, Environment()).structs:
            if other.name == struct.name:
                known |= {field.name: field.target for field in other.fields if field.target is not None}
    fields = [replace(field, target=known.get(field.name)) if field.target is None else field for field in struct.fields]
    return replace(struct, fields=tuple(fields))


def words(key: str) -> set[str]:
    """The words of a name that say what it is about."""
    found = {*re.split(r"[_\W]+", key.lower())} - COMMON
    return found | ({"flb"} if "flb" in key.lower() and "luo_flb" not in key.lower() else set())


def node_of(strings: dict[str, str], version: str | None) -> NodeLayout | None:
    """The devicetree that the strings describe; None when they describe none."""
    props = {key: value for key, value in strings.items() if key.endswith("prop")}
    nodes = {key: value for key, value in strings.items() if key.endswith("node")}
    versions = {key: value for key, value in strings.items() if key.endswith(("COMPATIBLE", "compat"))}
    listed = strings.get("format", "")
    if listed.startswith("FDT:"):
        props |= {each: each for each in listed[4:].replace(" ", "").split(",")}
    if not props and not nodes:
        return None
    children = []
    for key, name in nodes.items():
        stem = key.removesuffix("_node")
        own = [prop for prop in props if prop.startswith(stem)]
        string = next((value for macro, value in versions.items() if stem.upper().rstrip("S") in macro.upper()), None)
        children.append(NodeLayout(name, tuple(prop_of(props.pop(prop)) for prop in own), string))
    subtree = tuple(prop_of(props.pop(key)) for key in [key for key in props if key.startswith("subtree")])
    if subtree:
        children.append(NodeLayout("*", subtree, optional=True))
    return NodeLayout("", tuple(prop_of(name) for name in props.values()), version, tuple(children))


def prop_of(name: str) -> FieldLayout:
    """A property: a u64, unless the text says otherwise."""
    size = 1 if name.endswith("(u8)") else 8
    return FieldLayout(name.removesuffix("(u8)"), 0, size, IntType(size))


def formats(entry: Any, side: str, page_size: int, registry: Registry) -> dict[str, Layout]:
    """The formats of one side of a step, by the macro that holds the version; of several, each has the structs that it names."""
    structs, strings = entry[f"structs_{side}"], entry[f"strings_{side}"]
    nodes = node_of(strings, None)
    inside = set() if nodes is None else {child.compatible for child in nodes.children}
    versions = {key: value for key, value in strings.items() if key.endswith("COMPATIBLE") and value not in inside}
    if "covered_by" in strings:
        versions["covered_by"] = strings["covered_by"].split('"')[1]
    made = {}
    for macro, version in versions.items():
        mine = dict(_owned(macro, versions, structs))
        laid = [with_targets(struct_layout(name, each, structs), version, registry) for name, each in mine.items()]
        constants = {
            key.partition("@")[0]: value
            for key, value in entry.get(f"constants_{side}", {}).items()
            if key.endswith(f"@{PAGES[page_size]}") or "@" not in key
        }
        root = nodes if nodes is not None else _root(laid)
        root = replace(root, compatible=version) if isinstance(root, NodeLayout) else root
        made[macro] = Layout(
            name=version, compatible=version, variant="", status="mainline", source=entry["file"], doc="", root=root,
            structs=tuple(laid), environment=Environment(page_size), constants=tuple(constants.items()),
            carrier="field:compatible" if any(field.name == "compatible" for each in laid[-1:] for field in each.fields) else "string",
        )  # fmt: skip
    return made


def _owned(macro: str, versions: dict[str, str], structs: Structs) -> Iterator[tuple[str, Any]]:
    """The structs that a version stands for: all, or those whose names share more words with this macro than with the others."""
    for name, described in structs.items():
        shared = {each: len(words(each) & words(name)) for each in versions}
        if len(versions) == 1 or shared[macro] == max(shared.values()):
            yield name, described


def _root(structs: list[StructLayout]) -> str:
    """The struct that nothing embeds and that comes last; the empty name when there is none."""
    inside = {kind.struct for each in structs for field in each.fields for kind in [_element(field.type)] if isinstance(kind, StructType)}
    return next((each.name for each in reversed(structs) if each.name not in inside), "")


def _element(kind: TypeLayout) -> TypeLayout:
    return kind.element if isinstance(kind, ArrayType) else kind


def pairs(entry: Any, page_size: int, registry: Registry) -> Iterator[tuple[Layout, Layout]]:
    """The formats of both sides that are one: the same macro, or the only ones. A format without any struct is an empty struct."""
    old, new = formats(entry, "before", page_size, registry), formats(entry, "after", page_size, registry)
    both = [(old[macro], new[macro]) for macro in old if macro in new]
    if not both and len(old) == len(new) == 1:
        both = [(*old.values(), *new.values())]
    for one, other in both:
        yield _filled(one, other), _filled(other, one)


def _filled(layout: Layout, other: Layout) -> Layout:
    if layout.root == "" and isinstance(other.root, str):
        return replace(layout, root=other.root, structs=(StructLayout(other.root, 0, 1, True, ()),))
    return layout
