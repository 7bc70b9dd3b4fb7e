# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every struct of every schema, on every page size, equals one that was declared by hand in C: the compiler is the judge.

The C side is kernel_structs.h, written from the kernel's sources and postings. For each schema a C file is generated that includes it and
asserts each size, alignment, offset, element and sign (``_Static_assert``); bit-fields, which have no offset in C, are set to ones one
at a time by a compiled program that prints the bytes.
"""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from c_names import BEHIND, c_path

import devstate_schemas
from devstate.layout.baseline import big_endian
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, ArrayType, Environment, FieldLayout, IntType, Layout, StructLayout, TypeLayout, UnionType
from devstate.schema import S64, U32, U64, Schema, Struct

HEADER = Path(__file__).parent / "kernel_structs.h"
SCHEMAS = {schema.name: schema for schema in schemas_of(devstate_schemas)}
GCC = ("gcc", "-std=gnu11", "-w", "-funsigned-char", f"-I{HEADER.parent}", "-x", "c", "-")


def form(name: str) -> str:
    """The macro that chooses a schema's structs in the header."""
    return "FORM_" + re.sub(r"\W", "_", name)


def assertion(condition: str, what: str) -> str:
    return f'_Static_assert({condition}, "{what}");'


def field_assertions(layout: Layout, struct: StructLayout, field: FieldLayout) -> Iterator[str]:
    """Offset, size, element size and sign of one field that has an offset in C."""
    path, what = c_path(layout.name, struct, field), f"{struct.name}.{field.name}"
    if path is None:
        if (struct.name, field.name) in BEHIND:
            yield assertion(f"sizeof(struct {struct.name}) == {field.offset}", what)
        return
    if isinstance(field.type, UnionType):  # unnamed in C: its arms are members of the struct
        for arm in field.type.arms:
            value = f"((struct {struct.name} *)0)->{arm.name}"
            yield assertion(f"offsetof(struct {struct.name}, {arm.name}) == {field.offset}", what)
            yield assertion(f"sizeof({value}) == {layout.size_of(arm.type)}", f"{what}.{arm.name}")
        return
    value = f"((struct {struct.name} *)0)->{path}"
    yield assertion(f"offsetof(struct {struct.name}, {path}) == {field.offset}", f"offset of {what}")
    element: TypeLayout = field.type
    if isinstance(field.type, ArrayType):
        yield assertion(f"sizeof({value}[0]) == {field.type.stride}", f"stride of {what}")
        value, element = f"{value}[0]", field.type.element
        if field.type.count is not None:
            yield assertion(f"sizeof(((struct {struct.name} *)0)->{path}) == {field.size}", f"size of {what}")
    else:
        # the field of a struct that ends in a flexible array has no size of its own, C counts its fixed part
        yield assertion(f"sizeof({value}) == {field.size or layout.size_of(field.type)}", f"size of {what}")
    if isinstance(element, IntType) and field.target is None and struct.name != "kho_xarray_node":  # its elements are pointers
        yield assertion(f"((__typeof__({value}))-1 < 0) == {int(element.signed)}", f"sign of {what}")


def static_assertions(layout: Layout) -> str:
    """The C file that fails to compile when the header and the layout disagree."""
    lines = [f"#define {form(layout.name)}", f"#define PAGE_SIZE {layout.environment.page_size}", f'#include "{HEADER.name}"']
    for struct in layout.structs:
        if struct.name != "kho_order_table":  # its length is a number of the kernel's configuration: declared open
            lines.append(assertion(f"sizeof(struct {struct.name}) == {struct.size}", f"size of {struct.name}"))
        lines.append(assertion(f"_Alignof(struct {struct.name}) == {struct.align}", f"alignment of {struct.name}"))
        for field in struct.fields:
            if field.width is None:
                lines += field_assertions(layout, struct, field)
    return "\n".join(lines) + "\n"


def compile_c(source: str, *arguments: str) -> str:
    """What gcc says to a C file; empty when it has nothing to say."""
    return subprocess.run([*GCC, *arguments], input=source, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("name", SCHEMAS)
def test_structs_are_those_of_the_kernel(name: str) -> None:
    """Sizes, offsets, alignments, strides and signs of all structs of a schema, on 4K, 16K and 64K pages."""
    for page_size in PAGE_SIZES:
        layout = lower(SCHEMAS[name], Environment(page_size))
        assert compile_c(static_assertions(layout), "-fsyntax-only") == ""


def bit_fields(layout: Layout) -> list[tuple[StructLayout, FieldLayout]]:
    """The bit-fields that C declares as well."""
    found = [(struct, field) for struct in layout.structs for field in struct.fields if field.width is not None]
    return [(struct, field) for struct, field in found if c_path(layout.name, struct, field) is not None]


WITH_BITS = [name for name, schema in SCHEMAS.items() if bit_fields(lower(schema))]


def bits_program(layout: Layout) -> str:
    """A program that prints, for each bit-field set to ones alone, the bytes of its struct in hex."""
    lines = [f"#define {form(layout.name)}"]
    lines += ["#define BIG_ENDIAN_FORM"] if layout.environment.byte_order == "big" else []
    lines += [f'#include "{HEADER.name}"', "#include <stdio.h>", "int main(void) {"]
    for struct, field in bit_fields(layout):
        kind = f"struct {struct.name}"
        lines.append(f"{{ union {{ unsigned char bytes[sizeof({kind})]; {kind} it; }} u = {{{{0}}}};")
        lines.append(f"u.it.{c_path(layout.name, struct, field)} = ~0ULL;")
        lines.append('for (size_t i = 0; i < sizeof u.bytes; i++) printf("%02x", u.bytes[i]); puts(""); }')
    return "\n".join(lines) + "\nreturn 0; }\n"


def bits_expected(layout: Layout) -> list[str]:
    """The same lines from the layout alone."""
    lines = []
    for struct, field in bit_fields(layout):
        assert isinstance(field.type, IntType) and field.width is not None and field.shift is not None
        mask = ((1 << field.width) - 1) << field.shift
        data = bytearray(struct.size)
        data[field.offset : field.offset + field.type.size] = mask.to_bytes(field.type.size, layout.environment.byte_order)
        lines.append(data.hex())
    return lines


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("name", WITH_BITS)
def test_bit_fields_are_where_the_compiler_puts_them(name: str, byte_order: str, tmp_path: Path) -> None:
    """Which bits of which bytes a bit-field takes; for big-endian, gcc lays the struct out with that storage order."""
    layout = lower(SCHEMAS[name], Environment(4096, byte_order))  # type: ignore[arg-type]  # one of the two
    assert compile_c(bits_program(layout), "-o", str(tmp_path / "bits")) == ""
    found = subprocess.run([tmp_path / "bits"], capture_output=True, text=True, check=True).stdout.split()
    assert bits_expected(layout) == found
    if byte_order == "big":
        assert layout == big_endian(lower(SCHEMAS[name]))


def test_bit_fields_are_proven_at_all() -> None:
    """The list of schemas with bit-fields does not become empty unseen."""
    assert {"memfd-v1", "memfd-v2", "iommu-v1", "iommu-liveupdate-v1"} <= set(WITH_BITS)


@functools.cache
def declared(name: str) -> set[str]:
    """The structs that the header defines for one form."""
    source = f'#define {form(name)}\n#include "{HEADER.name}"\n'
    text = subprocess.run([*GCC, "-E", "-P"], input=source, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"\bstruct\s+(\w+)\s*\{", text))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_struct_has_a_counterpart(name: str) -> None:
    """A struct of a schema that the header does not declare is not proven: it must be added there, from the facts."""
    assert {struct.name for struct in lower(SCHEMAS[name]).structs} - declared(name) == set()


def test_the_header_has_nothing_else() -> None:
    """Every form that the header chooses by is a schema, and every struct in it is used by one."""
    forms = {form(name) for name in SCHEMAS}
    assert set(re.findall(r"\bFORM_\w+", HEADER.read_text().split("#ifndef", 1)[1])) - forms == set()
    used = {struct.name for schema in SCHEMAS.values() for struct in lower(schema).structs}
    # C keeps these inside another struct; see c_names.IN_HEADER
    inner = {"kho_vmalloc_hdr", "khoser_mem_chunk_hdr"}
    assert set().union(*(declared(name) for name in SCHEMAS)) - used - inner == set()


@pytest.mark.parametrize("mistake", ["shifted", "shorter", "signed"])
def test_a_wrong_schema_does_not_compile(mistake: str) -> None:
    """The proof itself: a field that moves, shrinks or changes its sign is called."""
    fields = {
        "shifted": ("count" / U64, "next" / U64),
        "shorter": ("next" / U64, "count" / U32),
        "signed": ("next" / S64, "count" / U64),
    }
    root = Struct("kho_block_header_ser", *fields[mistake], packed=True)
    wrong = Schema(name="kho-block", root=root, status="mainline", source="none", doc="wrong on purpose")
    assert "static assertion failed" in compile_c(static_assertions(lower(wrong)), "-fsyntax-only")
