# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The registry: the compiled file gives the layouts that lowering gives; formats are found by name, compatible and struct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import devstate_schemas
from devstate.errors import DecodeError, UsageError
from devstate.layout import registry as registry_module
from devstate.layout.compiling import add_user_schemas, compile_schemas, schemas_of
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.registry import COMPILED_VERSION, Registry
from devstate.schema import Schema

SHIPPED = list(schemas_of(devstate_schemas))
COMPILED = (Path(devstate_schemas.__file__ or "").resolve().parent / "baselines" / "compiled.msgpack").read_bytes()


@pytest.mark.parametrize("schema", SHIPPED, ids=lambda schema: schema.name)
def test_compiled_equals_lowered(schema: Schema) -> None:
    """What the running tool loads is what the schema says, for every page size and byte order."""
    for page_size in PAGE_SIZES:
        for environment in (Environment(page_size), Environment(page_size, "big")):
            assert lower(schema, environment) == Registry.shipped().layout(schema.name, environment)


def test_found() -> None:
    """A name, a compatible of one form, a struct in some schema."""
    registry = Registry.shipped()
    assert "memfd-v2" == registry.find("memfd-v2", Environment()).name
    assert "kho-v3@7.1-rc1" == registry.find("kho-v3@7.1-rc1", Environment()).name
    assert "luo_file_ser" in {struct.name for struct in registry.find("luo_file_ser", Environment()).structs}
    assert ["kho-v3", "kho-v3@7.1-rc1"] == registry.names("kho-v3")
    assert [] == registry.names("nope")


def test_not_found() -> None:
    """What is unknown is a usage error that says how to see what is known."""
    with pytest.raises(UsageError, match="devstate schemas"):
        Registry.shipped().find("nope", Environment())
    with pytest.raises(UsageError, match="devstate schemas"):
        Registry.shipped().layout("nope", Environment())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        COMPILED[:-1],
        COMPILED + b"x",
        msgpack.packb(5),
        msgpack.packb({}),
        msgpack.packb({"version": COMPILED_VERSION + 1, "schemas": {}}),
        msgpack.packb({"version": COMPILED_VERSION, "schemas": {"a": 5}}),
        msgpack.packb({"version": COMPILED_VERSION, "schemas": {"a": [{}, {}]}}),
        b"\x91" * 100000,
    ],
)
def test_damaged_file(data: bytes) -> None:
    """A compiled file of another form or version is refused with its name and what to do."""
    with pytest.raises(DecodeError, match=r"x\.msgpack: .*make gen"):
        Registry().add_compiled(data, "x.msgpack")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(COMPILED) - 1), st.integers(1, 255))
def test_flipped_bytes(at: int, flip: int) -> None:
    """A damaged compiled file gives errors of ours or other layouts, never anything else."""
    damaged = bytearray(COMPILED)
    damaged[at] ^= flip
    registry = Registry()
    try:
        registry.add_compiled(bytes(damaged), "x")
        for name in list(registry.summaries)[at % 5 :: 5]:
            registry.layout(name, Environment())
    except DecodeError as error:
        assert str(error)


def test_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled file as large as the limit is read, one byte more is not."""
    monkeypatch.setattr(registry_module, "COMPILED_MAX", len(COMPILED))
    Registry().add_compiled(COMPILED, "x")
    monkeypatch.setattr(registry_module, "COMPILED_MAX", len(COMPILED) - 1)
    with pytest.raises(DecodeError):
        Registry().add_compiled(COMPILED, "x")


USER = """
from devstate.schema import U64, Schema, Struct
SCHEMAS = [Schema(compatible="mine-v1", doc="d", source="s", status="project", root=Struct("mine", "a" / U64))]
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of lowered schemas, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "devstate"


@pytest.mark.parametrize("name", ["mine.py", "mine/__init__.py"])
def test_user_schemas(name: str, tmp_path: Path, cache: Path) -> None:
    """A user's file or package is lowered once and then read from the cache, until it changes."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(USER)
    target = str(path if path.name == "mine.py" else path.parent)
    for _ in range(2):
        registry = Registry()
        add_user_schemas(registry, target)
        assert 8 == registry.find("mine-v1", Environment()).struct().size
        assert 1 == len(list(cache.iterdir()))
    path.write_text(USER.replace('"a"', '"b"'))
    add_user_schemas(registry, target)
    assert 2 == len(list(cache.iterdir()))


@pytest.mark.parametrize("text", [None, "1 / 0", "import nothing_of_this_name", "syntax error"])
def test_user_schemas_that_fail(text: str | None, tmp_path: Path, cache: Path) -> None:
    """A file that is missing, or that Python cannot run, is a usage error with its path."""
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.py"):
        add_user_schemas(Registry(), str(path))


def test_two_of_one_name() -> None:
    """Two schemas of one name cannot be compiled into one file."""
    from devstate.errors import SchemaError

    with pytest.raises(SchemaError):
        compile_schemas([SHIPPED[0], SHIPPED[0]])


def test_summaries() -> None:
    """Every shipped schema has its line, with the size of its root on 4K pages."""
    summaries: Any = Registry.shipped().summaries
    assert {schema.name for schema in SHIPPED} == set(summaries)
    assert 80 - 64 == summaries["memfd-v2"].size - 32
    assert None is summaries["kho-v4"].size
