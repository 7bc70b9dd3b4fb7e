# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Schemas that devstate does not ship: the example of docs/schemas.md, files, packages, entry points, the cache."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import types
from pathlib import Path

import pytest

from devstate.errors import SchemaError, UsageError
from devstate.layout.compiling import ENTRY_POINTS, add_user_schemas
from devstate.layout.model import Environment
from devstate.layout.registry import Registry

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schemas.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The schema file that the documentation shows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    path = tmp_path / "my_vm.py"
    path.write_text(blocks[0])
    return path


def test_the_documented_example(example: Path) -> None:
    """It loads, and its layout is the one that a C compiler makes of it."""
    registry = Registry.shipped().copy()
    add_user_schemas(registry, str(example))
    layout = registry.find("my-vm-v1", Environment())
    assert (8, 16, 24) == (layout.struct().size, layout.struct("my_vcpu_ser").size, layout.struct("my_state_ser").size)


def test_the_cache_is_by_content(example: Path, tmp_path: Path) -> None:
    """The second time nothing is lowered; a changed file is."""
    for _ in range(2):
        add_user_schemas(Registry.shipped().copy(), str(example))
    cached = list((tmp_path / "cache" / "devstate").iterdir())
    assert 1 == len(cached)
    cached[0].write_bytes(cached[0].read_bytes().replace(b"my_vcpu_ser", b"my_vcpu_two"))
    registry = Registry.shipped().copy()
    add_user_schemas(registry, str(example))
    assert "my_vcpu_two" in registry.summaries["my-vm-v1"].structs
    example.write_text(example.read_text().replace("my-vm-v1", "my-vm-v2"))
    add_user_schemas(registry, str(example))
    assert ["my-vm-v2"] == registry.names("my-vm-v2")


def test_a_schema_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lambda is refused with the path of its field, any other failure with the file's name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "bad.py"
    path.write_text('from devstate.schema import *\nStruct("s", "a" / Array(lambda c: 3, U8))\n')
    with pytest.raises(SchemaError, match=r"^s\.a: .*a lambda"):
        add_user_schemas(Registry.shipped().copy(), str(path))
    path.write_text("1 / 0\n")
    with pytest.raises(UsageError, match=r"bad\.py: cannot be loaded: ZeroDivisionError"):
        add_user_schemas(Registry.shipped().copy(), str(path))


def test_entry_points(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package's schemas are taken in when something unknown is asked for, and not before."""
    module = types.ModuleType("my_vm_schemas")
    exec(example.read_text(), module.__dict__)
    monkeypatch.setitem(sys.modules, "my_vm_schemas", module)
    entry = importlib.metadata.EntryPoint("mine", "my_vm_schemas", ENTRY_POINTS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry] if group == ENTRY_POINTS else [])
    registry = Registry.shipped().copy()
    assert ["memfd-v2"] == registry.names("memfd-v2")
    assert "my-vm-v1" not in registry.summaries
    assert ["my-vm-v1"] == registry.names("my-vm-v1")
    assert [] == registry.names("nothing-v1")
