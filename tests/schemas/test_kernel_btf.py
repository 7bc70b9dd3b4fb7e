# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every schema that 7.2 and 7.3 stand behind equals what the compiler laid out for these kernels, and what strings they hold.

The layouts come from the kernels' BTF, so this is a source that nobody wrote by hand: sizes, bit offsets, element counts, signs, and
names but for the differences in c_names.py. The strings come from the read-only and initialised data of the same kernels.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import zstandard
from c_names import OWN_STRUCTS, c_path
from releases import written_by

import devstate_schemas
from devstate.frozen import replace
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower
from devstate.layout.model import ArrayType, FieldLayout, IntType, Layout, NodeLayout, StructLayout
from devstate.source.btf import Btf
from devstate.source.elf import section
from devstate.source.shape import Member, StructShape

VERSIONS = ("7.2", "7.3")
MAINLINE = [schema for schema in schemas_of(devstate_schemas) if schema.status == "mainline"]
PROVEN = [(version, schema.name) for version in VERSIONS for schema in MAINLINE if written_by(schema, version)]
LAYOUTS = {schema.name: lower(schema) for schema in MAINLINE}

DEVICETREE_ONLY = {"chosen", "linux,kho-fdt", "linux,kho-scratch"}
"""Strings that the kernels of the captures do not have: they are x86 kernels without devicetree."""


@functools.cache
def btf(path: Path) -> Btf:
    return Btf.open(path)


def same_field(layout: Layout, struct: StructLayout, field: FieldLayout, member: Member) -> None:
    """One field against the member that the compiler laid out."""
    where = f"{struct.name}.{field.name}"
    if field.width is not None and field.shift is not None:
        assert (field.offset * 8 + field.shift, field.width, True) == (member.bit_offset, member.bit_size, member.bitfield), where
    else:
        assert (field.offset * 8, field.size * 8, False) == (member.bit_offset, member.bit_size, member.bitfield), where
    kind = field.type
    if isinstance(kind, ArrayType):
        assert (kind.count, kind.stride * (kind.count or 0)) == (member.type.count, member.type.size), where
        kind = kind.element
    if isinstance(kind, IntType) and member.type.kind == "int":
        assert kind.signed == member.type.signed, where


def same_struct(layout: Layout, struct: StructLayout, shape: StructShape) -> None:
    """A struct against its shape: the same size, every field a member, every member a field."""
    assert struct.size == shape.size, struct.name
    paths = {field.name: c_path(layout.name, struct, field) for field in struct.fields}
    for field in struct.fields:
        path = paths[field.name]
        if path is not None:
            member = shape.member(path)
            assert member is not None, f"{struct.name} of the kernel has no member {path}"
            same_field(layout, struct, field, member)
    outer = {path.split(".")[0] for path in paths.values() if path is not None}
    assert outer == {member.path for member in shape.members if "." not in member.path}, struct.name


@pytest.mark.parametrize(("version", "name"), PROVEN)
def test_layouts_are_what_the_compiler_made(version: str, name: str, captures: Path) -> None:
    """All structs of a schema, against the BTF of a kernel that writes it."""
    kernel = btf(captures / f"vmlinux-{version}.btf")
    for struct in LAYOUTS[name].structs:
        if struct.name in OWN_STRUCTS:
            continue
        shapes = kernel.structs(struct.name)
        assert shapes, f"the kernel has no struct {struct.name}: it is proven nowhere, or belongs into OWN_STRUCTS with a reason"
        for shape in shapes:
            same_struct(LAYOUTS[name], struct, shape)


@pytest.mark.parametrize(
    ("struct", "field", "change"),
    [
        ("luo_file_ser", "token", {"offset": 60}),
        ("luo_file_ser", "data", {"name": "handle"}),
        ("luo_file_ser", "token", {"type": IntType(8, signed=True)}),
        ("memfd_luo_folio_ser", "flags", {"shift": 50}),
        ("kho_radix_node", "table", {"type": ArrayType(IntType(8), 8, 511)}),
    ],
)
def test_a_wrong_layout_is_called(struct: str, field: str, change: dict[str, object], captures: Path) -> None:
    """The proof itself: one changed field, and it fails."""
    name = {"luo_file_ser": "luo-v5", "memfd_luo_folio_ser": "memfd-v2", "kho_radix_node": "kho-v4"}[struct]
    right = LAYOUTS[name].struct(struct)
    wrong = replace(right, fields=tuple(replace(each, **change) if each.name == field else each for each in right.fields))
    shape = btf(captures / "vmlinux-7.3.btf").layout(struct)
    same_struct(LAYOUTS[name], right, shape)
    with pytest.raises(AssertionError):
        same_struct(LAYOUTS[name], wrong, shape)


def test_the_proof_covers_what_the_captures_hold() -> None:
    """The formats of the captured kernels are among those that are proven, for both."""
    found = {name for version, name in PROVEN if version == "7.3"}
    assert {
        "kho-v4",
        "kho-data",
        "kho-block",
        "kexec-metadata",
        "luo-v5",
        "memfd-v2",
        "memblock-v1",
        "liveupdate-session-get-name",
    } <= found
    assert found == {name for version, name in PROVEN if version == "7.2"}


@functools.cache
def strings_of(path: Path) -> bytes:
    """The read-only and the initialised data of a reduced vmlinux."""
    with zstandard.ZstdDecompressor().stream_reader(path.read_bytes()) as reader:
        image = memoryview(reader.read())
    return bytes(section(image, ".rodata")) + bytes(section(image, ".data"))


def strings(layout: Layout) -> set[str]:
    """The strings that the kernel must have to write or read a format."""
    found = {layout.compatible} if layout.compatible else set()
    nodes = [layout.root] if isinstance(layout.root, NodeLayout) else []
    for node in nodes:
        found |= {node.name, node.compatible or "", *(field.name for field in node.properties)} - {"", "*"}
        nodes.extend(node.children)
    if layout.found_by and layout.found_by.startswith("KHO subtree "):
        found.add(layout.found_by.removeprefix("KHO subtree "))
    return found


@pytest.mark.parametrize(("version", "name"), PROVEN)
def test_strings_stand_in_the_kernel(version: str, name: str, captures: Path) -> None:
    """Compatibles, names of nodes and properties, and the name of the KHO entry, each ended by a NUL."""
    data = strings_of(captures / f"vmlinux-{version}.reduced.zst")
    missing = {text for text in strings(LAYOUTS[name]) - DEVICETREE_ONLY if text.encode() + b"\0" not in data}
    assert missing == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_strings_of_other_releases_do_not(version: str, captures: Path) -> None:
    """A kernel has none of the compatibles that, by their range, belong to other kernels."""
    data = strings_of(captures / f"vmlinux-{version}.reduced.zst")
    current = {schema.compatible for schema in MAINLINE if written_by(schema, version)}
    others = {schema.compatible for schema in MAINLINE if schema.compatible and not written_by(schema, version)} - current
    assert others >= {"kho-v3", "luo-v4", "memfd-v1"}
    assert {text for text in others if text is not None and text.encode() + b"\0" in data} == set()
