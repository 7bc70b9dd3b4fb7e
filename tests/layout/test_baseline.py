# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Baselines: one layout for all page sizes that share it, a fingerprint of what decides about bytes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import devstate_schemas
from devstate.layout.baseline import baseline, canonical, fingerprint
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower
from devstate.layout.plain import layout_from_plain
from devstate.schema import PAGE_SIZE, U8, U32, U64, About, Array, Contiguous, Enum, Flags, Phys, Schema, Struct, this

FOLDER = Path(devstate_schemas.__file__ or "").resolve().parent / "baselines"
SHIPPED = list(schemas_of(devstate_schemas))


def made(root: Struct, **more: Any) -> dict[str, Any]:
    """The baseline of a schema declared on the spot."""
    declared = Schema(**({"name": "t", "doc": "d", "source": "s", "status": "project", "root": root} | more))
    return baseline(lambda environment: lower(declared, environment))


def test_page_sizes_share() -> None:
    """Page sizes with equal layouts stand together, others apart."""
    assert [[4096, 16384, 65536]] == [group["page_sizes"] for group in made(Struct("s", "a" / U64))["layouts"]]
    assert [[4096], [16384], [65536]] == [group["page_sizes"] for group in made(Struct("s", "a" / Array(PAGE_SIZE // 8, U64)))["layouts"]]


ENTRY = Struct("entry", "x" / U64)
BASE = Struct("s", "nr" / U32, "kind" / Enum(U32, A=1), "at" / Phys(Contiguous(ENTRY, this.nr)))


@pytest.mark.parametrize(
    "root",
    [
        Struct("s", "nr" / U64, "kind" / Enum(U32, A=1), "at" / Phys(Contiguous(ENTRY, this.nr))),
        Struct("s", "n" / U32, "kind" / Enum(U32, A=1), "at" / Phys(Contiguous(ENTRY, this.n))),
        Struct("s", "nr" / U32, "kind" / Enum(U32, A=2), "at" / Phys(Contiguous(ENTRY, this.nr))),
        Struct("s", "nr" / U32, "kind" / Flags(U32, A=1), "at" / Phys(Contiguous(ENTRY, this.nr))),
        Struct("s", "nr" / U32, "kind" / Enum(U32, A=1), "at" / Phys(ENTRY)),
        Struct("s", "nr" / U32, "kind" / Enum(U32, A=1), "at" / Phys(Contiguous(Struct("entry", "x" / Array(8, U8)), this.nr))),
        Struct("s", "nr" / U32 * About(maximum=5), "kind" / Enum(U32, A=1), "at" / Phys(Contiguous(ENTRY, this.nr))),
    ],
)
def test_fingerprint_changes(root: Struct) -> None:
    """A width, a name, a value, a meaning, a target, what is behind it, a range: another fingerprint."""
    assert made(BASE)["fingerprint"] != made(root)["fingerprint"]
    assert made(BASE)["fingerprint"] != made(BASE, limits={"nr": 5})["fingerprint"]


def test_fingerprint_stays() -> None:
    """Documentation, display and history are no part of it."""
    about = About("a better doc", unit="pages", hint="hex", phase="freeze")
    root = Struct("s", "nr" / U32 * about, "kind" / Enum(U32, A=1), "at" / Phys(Contiguous(ENTRY, this.nr)), doc="what it is")
    assert made(BASE)["fingerprint"] == made(root, doc="other", source="other", since="7.0", until="7.1", owner="LUO")["fingerprint"]


@pytest.mark.parametrize("schema", SHIPPED, ids=lambda schema: schema.name)
def test_committed(schema: Schema) -> None:
    """The committed baseline of every shipped schema is what the schema says now, to the byte, and its layouts can be read back."""
    text = (FOLDER / f"{schema.name.replace(';', '+')}.json").read_text()
    plain = baseline(lambda environment: lower(schema, environment))
    assert canonical(plain) == text
    assert plain["fingerprint"] == fingerprint(json.loads(text)["layouts"])
    for group in json.loads(text)["layouts"]:
        assert schema.name == layout_from_plain(group["layout"]).name
