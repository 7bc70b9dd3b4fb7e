# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Records and raw bytes as text: a line a field, in the order of the bytes, each value as its layout says it is shown."""

from __future__ import annotations

from devstate.codec.text import to_json
from devstate.layout.model import StructType
from devstate.report.layout import type_name
from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.codec.record import Record
    from devstate.layout.model import Layout, StructLayout

ELEMENTS_MAX = 16
"""Elements of an array that are shown; the rest is counted."""

HEXDUMP_MAX = 4096
"""Bytes that are dumped: a page. ``devstate extract`` writes out all of them."""


def record_lines(layout: Layout, record: Record) -> Iterator[str]:
    """``+0x30  u64  data = 0x2860000`` for each field; those of an embedded struct follow it with a dotted name."""
    rows = list(_rows(layout, record.layout, to_json(layout, record), 0, ""))
    width = max((len(kind) for _, kind, _, _ in rows), default=0)
    for offset, kind, name, value in rows:
        yield f"+{offset:#04x}  {kind:{width}}  {name} = {value}"


def _rows(layout: Layout, struct: StructLayout, shown: dict[str, Any], base: int, prefix: str) -> Iterator[tuple[int, str, str, str]]:
    for field in struct.fields:
        if field.name not in shown:  # padding that is zero
            continue
        value = shown[field.name]
        if isinstance(field.type, StructType):
            yield from _rows(layout, layout.struct(field.type.struct), value, base + field.offset, f"{prefix}{field.name}.")
        else:
            text = "|".join(value) or "0" if field.kind == "flags" and isinstance(value, list) else value_text(value)
            yield base + field.offset, type_name(layout, field), prefix + field.name, text


def value_text(value: Any) -> str:
    """A value of the JSON form (docs/json.md) on one line."""
    if isinstance(value, list):
        more = f", ... {len(value)} in all" if len(value) > ELEMENTS_MAX else ""
        return f"[{', '.join(value_text(each) for each in value[:ELEMENTS_MAX])}{more}]"
    if isinstance(value, dict):
        if value.keys() == {"hex"}:
            return f"hex {value['hex']}"
        return "{" + ", ".join(f"{name} = {value_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, str):
        return value if value.startswith("0x") else f'"{printable(value)}"'
    return str(value)


def hexdump_lines(data: memoryview, base: int) -> Iterator[str]:
    """``address  16 bytes in hex  |text|`` for the first HEXDUMP_MAX bytes. Lines equal to the one before show as ``*``."""
    last, starred = b"", False
    for at in range(0, min(len(data), HEXDUMP_MAX), 16):
        line = bytes(data[at : min(at + 16, HEXDUMP_MAX)])
        if line == last and at + 16 < len(data):
            if not starred:
                yield "*"
            starred = True
            continue
        last, starred = line, False
        text = "".join(chr(each) if 32 <= each < 127 else "." for each in line)
        yield f"{base + at:#010x}  {line[:8].hex(' '):23}  {line[8:].hex(' '):23}  |{text}|"
    if len(data) > HEXDUMP_MAX:
        yield f"... {len(data) - HEXDUMP_MAX} bytes more"
