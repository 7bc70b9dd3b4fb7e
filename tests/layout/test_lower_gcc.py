# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Lowered layouts and decoded values against gcc: any struct of the schema language has the size, offsets and values that C gives it.

Big endian is gcc's own too: ``scalar_storage_order`` lays out and reads structs as a big-endian machine would, bit-fields included.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from codec.strategies import schema_of, structs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from devstate.codec.decode import decode
from devstate.layout.lower import lower
from devstate.layout.model import Environment, IntType
from devstate.schema import Array, Bits, Chars, FlexArray, Int, Struct, Type, Union
from devstate.schema.expression import evaluate_size
from devstate.schema.scalars import Wrapped

PATTERN = bytes(index * 37 + 11 & 255 for index in range(4096))


@pytest.fixture(scope="module")
def gcc() -> str:
    """The compiler. Without it the test is skipped, except in CI."""
    found = shutil.which("gcc")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have gcc")
        pytest.skip("no gcc")
    return found


def declared(kind: Type, name: str) -> str:
    """The C declaration of a member."""
    if isinstance(kind, Wrapped):
        return declared(kind.base, name)
    if isinstance(kind, Int):
        return f"{'' if kind.signed else 'u'}int{kind.size * 8}_t {name}"
    if isinstance(kind, Bits):
        return f"{declared(kind.base, name)} : {kind.width}"
    if isinstance(kind, Chars):
        return f"unsigned char {name}[{kind.size_in(4096)}]"
    if isinstance(kind, Array):
        return declared(kind.element, f"{name}[{evaluate_size(kind.count, 4096)}]")
    if isinstance(kind, FlexArray):
        return declared(kind.element, f"{name}[0]")
    if isinstance(kind, Union):
        return f"union {{ {' '.join(f'{declared(arm, key)};' for key, (_, arm) in kind.arms.items())} }} {name}"
    assert isinstance(kind, Struct)
    return f"struct {kind.name} {name}"


def inner_first(struct: Struct) -> Iterator[Struct]:
    """The structs inside ``struct``, then itself."""
    for field in struct.fields:
        kinds = [field.type]
        for kind in kinds:
            kinds += [arm for _, arm in kind.arms.values()] if isinstance(kind, Union) else []
            kinds += [kind.element] if isinstance(kind, Array | FlexArray) else []
            if isinstance(kind, Struct):
                yield from inner_first(kind)
    yield struct


def program(roots: tuple[Struct, ...], order: str) -> str:
    """C that prints, a line each, the size of every struct and the offset or value of each of its members over the pattern."""
    lines = ["#include <stdint.h>", "#include <stdio.h>", "#include <stddef.h>", "#include <string.h>"]
    lines.append(f"#pragma scalar_storage_order {order}-endian")
    body = []
    for number, root in enumerate(roots):
        for struct in inner_first(root):
            members = " ".join(f"{declared(field.type, field.name)};" for field in struct.fields)
            packed = " __attribute__((packed))" if struct.packed else ""
            lines.append(f"struct {struct.name} {{ {members} }}{packed};")
        body.append(f'{{ static struct {root.name} x; memcpy(&x, pattern, sizeof x); printf("{number} size %zu\\n", sizeof x);')
        for field in root.fields:
            if is_native(field.type):
                body.append(f'printf("{number} {field.name} %llu\\n", (unsigned long long)x.{field.name});')
            if not isinstance(field.type, Bits):
                body.append(f'printf("{number} {field.name} @%zu\\n", offsetof(struct {root.name}, {field.name}));')
        body.append("}")
    lines.append(f"static const unsigned char pattern[] = {{ {', '.join(map(str, PATTERN))} }};")
    return "\n".join([*lines, "int main(void) {", *body, "return 0; }", ""])


def expected_lines(roots: tuple[Struct, ...], order: str) -> list[str]:
    """The same from the layouts and the codec. Explicit byte orders have no C type, so their values are left out."""
    lines = []
    for number, root in enumerate(roots):
        layout = lower(schema_of(root), Environment(4096, order))  # type: ignore[arg-type]
        shape = layout.struct(root.name)
        lines.append(f"{number} size {shape.size}")
        record = decode(layout, PATTERN)
        for field, value in zip(shape.fields, record, strict=True):
            if isinstance(field.type, IntType) and field.type.order == "native":
                lines.append(f"{number} {field.name} {value % (1 << 64)}")
            if field.width is None and not field.gap:
                lines.append(f"{number} {field.name} @{field.offset}")
    return lines


def is_native(kind: Type) -> bool:
    """Whether a member is an integer that C reads in the order of the struct."""
    base = kind.base if isinstance(kind, Wrapped | Bits) else kind
    return isinstance(base, Int) and base.order == "native"


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.tuples(*(structs(f"r{number}", flexible=False) for number in range(12))), st.sampled_from(("little", "big")))
def test_like_gcc(gcc: str, tmp_path_factory: pytest.TempPathFactory, roots: tuple[Struct, ...], order: str) -> None:
    """Sizes, offsets and values of a dozen structs at a time."""
    folder: Path = tmp_path_factory.mktemp("gcc")
    (folder / "structs.c").write_text(program(roots, order))
    subprocess.run([gcc, "-w", "-o", folder / "structs", folder / "structs.c"], check=True, timeout=60)
    printed = subprocess.run([folder / "structs"], check=True, capture_output=True, text=True, timeout=60).stdout
    assert expected_lines(roots, order) == printed.splitlines()
