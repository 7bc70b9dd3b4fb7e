# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts as plain data (dicts, lists, numbers, texts) and back: the form of baselines, manifests and the compiled schemas.

Only what differs from a default is written, in the order of the fields, so the form is canonical: equal layouts give equal data.
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.frozen import values
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
    UnionType,
    VersionLayout,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TAGS: dict[type, str] = {IntType: "int", BytesType: "bytes", StructType: "struct", ArrayType: "array", UnionType: "union"}
_TYPES = {tag: kind for kind, tag in _TAGS.items()}
_INNER: dict[str, type] = {"environment": Environment, "target": TargetLayout, "versions": VersionLayout}
_LISTS: dict[tuple[type, str], type] = {
    (Layout, "structs"): StructLayout,
    (StructLayout, "fields"): FieldLayout,
    (NodeLayout, "properties"): FieldLayout,
    (NodeLayout, "children"): NodeLayout,
    (UnionType, "arms"): Arm,
}


def to_plain(item: Any) -> Any:
    """A layout, or any part of one, as plain data."""
    if isinstance(item, tuple):
        return [to_plain(each) for each in item]
    fields = getattr(item, "_fields", None)
    if fields is None:
        return item
    plain: dict[str, Any] = {"is": _TAGS[type(item)]} if type(item) in _TAGS else {}
    missing = object()
    for name, value in zip(fields, values(item), strict=True):
        if value != item._defaults.get(name, missing):
            plain[name] = to_plain(value)
    return plain


def layout_from_plain(plain: Any) -> Layout:
    """The layout that :func:`to_plain` wrote. DecodeError when the data is not of that form."""
    try:
        made: Layout = _from_plain(Layout, plain)
    except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
        raise DecodeError(
            f"not a layout: {error}", expected="the form of a baseline under schemas/baselines", found=type(plain).__name__
        ) from error
    return made


def _from_plain(kind: type, plain: Any) -> Any:
    changed: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "is":
            continue
        listed = _LISTS.get((kind, name))
        if listed is not None:
            value = tuple([_from_plain(listed, each) for each in value])
        elif name in _INNER:
            value = _from_plain(_INNER[name], value)
        elif name == "root":
            value = value if isinstance(value, str) else _from_plain(NodeLayout, value)
        elif isinstance(value, dict):
            value = _from_plain(_TYPES[value["is"]], value)
        elif isinstance(value, list):
            value = tuple([tuple(each) if isinstance(each, list) else each for each in value])
        changed[name] = value
    return kind(**changed)
