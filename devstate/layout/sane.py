# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whether a layout that somebody wrote down is one: every part of the type that the model says, every number within what a compiler does.

What comes out of a schema, a header or debug information was made by us and is right by construction; a JSON file may hold anything.
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.frozen import values
from devstate.layout.model import ArrayType, BytesType, FieldLayout, IntType, Layout, NodeLayout, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SIZE_MAX = 1 << 24
"""Bytes, elements and offsets of anything in a layout: 16 MiB, a hundred times the largest area of a published format."""

PARTS_MAX = 1 << 18
"""Parts of one layout: fields, names, arms, nodes. The largest struct of a kernel has some thousands."""

NUMBER = 1 << 64
"""Numbers that stand for values are below this, or above its negative."""

ANY_NUMBER = frozenset({"value", "must", "minimum", "maximum", "default", "min_accepted", "min_reader"})
"""Fields whose numbers are values; all others count bytes, bits or elements."""

TYPES = (IntType, BytesType, StructType, ArrayType, UnionType)
WORDS: dict[tuple[type, str], tuple[object, ...]] = {(IntType, "size"): (1, 2, 4, 8), (IntType, "order"): ("native", "little", "big")}
"""What some fields may hold and nothing else."""


def checked(layout: Layout, source: str) -> Layout:
    """The layout itself. DecodeError, with the part's name, when it is none that a compiler could lay out."""
    pending: list[tuple[object, str]] = [(layout, layout.name if isinstance(layout.name, str) else "")]
    for part, path in pending:
        if len(pending) > PARTS_MAX:
            raise DecodeError("the layout has too many parts", source=source, path=path, expected=f"at most {PARTS_MAX}")
        annotations = type(part).__annotations__
        for name, value in zip(part._fields, values(part), strict=True):  # type: ignore[attr-defined]  # set by frozen()
            wanted = annotations.get(name, "")
            at = f"{path}.{name}"
            words = WORDS.get((type(part), name))
            if not _fits(wanted, name, value) or (words is not None and value not in words):
                expected = wanted if words is None else words
                raise DecodeError("not a layout", source=source, path=at, expected=expected, found=repr(value)[:40])
            if isinstance(part, FieldLayout) and name == "width" and not _are_bits(part):
                raise DecodeError("not a bit-field", source=source, path=path, expected="bits inside an integer of the field's size")
            if (
                isinstance(part, FieldLayout)
                and name == "names"
                and part.kind == "flags"
                and not all(0 <= bit < 64 for _, bit in part.names)
            ):
                raise DecodeError("flags without a bit", source=source, path=path, expected="bits 0 to 63")
            for index, each in enumerate(value if isinstance(value, tuple) else (value,)):
                if hasattr(each, "_fields"):
                    label = getattr(each, "name", None)
                    pending.append((each, f"{at}.{label if isinstance(label, str) else index}"))
    return layout


def _fits(wanted: str, name: str, value: Any) -> bool:
    """Whether a value is of the type that the model's annotation names."""
    if value is None:
        return wanted.endswith("| None")
    wanted = wanted.removesuffix(" | None")
    if wanted == "str":
        return isinstance(value, str)
    if wanted == "bool":
        return isinstance(value, bool)
    if wanted == "int":
        return _is_number(value) and (abs(value) < NUMBER if name in ANY_NUMBER else 0 <= value <= SIZE_MAX)
    if wanted == "ByteOrder":
        return value in ("little", "big")
    if wanted == "TypeLayout":
        return isinstance(value, TYPES)
    if wanted == "str | NodeLayout":
        return isinstance(value, str | NodeLayout)
    if wanted in ("tuple[tuple[str, int], ...]", "tuple[str, int]"):
        pairs = value if wanted.endswith("...]") else (value,)
        return isinstance(value, tuple) and all(isinstance(each, tuple) and len(each) == 2 and _is_pair(*each) for each in pairs)
    if wanted == "tuple[str, ...]":
        return isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    if wanted.startswith("tuple["):
        return isinstance(value, tuple) and all(type(each).__name__ == wanted[6:].partition(",")[0] for each in value)
    return type(value).__name__ == wanted


def _are_bits(field: FieldLayout) -> bool:
    """Whether a bit-field lies in its unit; every other field is none."""
    if field.width is None or field.shift is None:
        return field.width is None and field.shift is None
    return isinstance(field.type, IntType) and field.type.size == field.size and 0 < field.width <= field.size * 8 - field.shift


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_pair(name: Any, number: Any) -> bool:
    return isinstance(name, str) and _is_number(number) and abs(number) < NUMBER
