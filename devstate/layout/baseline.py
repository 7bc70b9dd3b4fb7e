# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Baselines: the committed layouts, one canonical JSON file for each published format, under ``schemas/baselines/``.

A baseline file is ``{"name", "fingerprint", "layouts": [{"page_sizes": [...], "layout": {...}}]}``. Layouts are those of
little-endian environments (:func:`big_endian` gives the other order); page sizes with equal layouts share one. The fingerprint
covers what decides about bytes and meaning (names, offsets, types, links, limits), not the documentation.

The running tool reads ``compiled.msgpack`` beside them, which is the same content in one file (see ``devstate.layout.registry``).
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.frozen import replace
from devstate.layout.model import PAGE_SIZES, Environment, FieldLayout, Layout
from devstate.layout.plain import layout_from_plain, to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TEXTS = ("doc", "source", "owner", "freed", "found_by", "hint", "unit", "phase", "status", "since", "until", "replaces", "environment")


def big_endian(layout: Layout) -> Layout:
    """The big-endian twin of a little-endian layout: bit-fields are allocated from the other end of their unit."""
    structs = tuple(replace(struct, fields=tuple(_mirrored(field) for field in struct.fields)) for struct in layout.structs)
    return replace(layout, structs=structs, environment=Environment(layout.environment.page_size, "big"))


def _mirrored(field: FieldLayout) -> FieldLayout:
    if field.shift is None or field.width is None:
        return field
    return replace(field, shift=field.size * 8 - field.shift - field.width)


def baseline(lowered: Callable[[Environment], Layout]) -> dict[str, Any]:
    """The plain baseline of a format; ``lowered`` gives its layout for an environment."""
    groups: list[dict[str, Any]] = []
    for page_size in PAGE_SIZES:
        plain = to_plain(replace(lowered(Environment(page_size)), environment=Environment()))
        for group in groups:
            if group["layout"] == plain:
                group["page_sizes"].append(page_size)
                break
        else:
            groups.append({"page_sizes": [page_size], "layout": plain})
    return {"name": groups[0]["layout"]["name"], "fingerprint": fingerprint(groups), "layouts": groups}


def fingerprint(plain: Any) -> str:
    """First 16 hex digits of the SHA-256 of the byte-relevant part of plain layout data."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(_without_texts(plain), sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def _without_texts(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_texts(value) for key, value in plain.items() if key not in _TEXTS}
    if isinstance(plain, list):
        return [_without_texts(each) for each in plain]
    return plain


def canonical(plain: Any) -> str:
    """The text of a baseline file: two-space indents, keys in layout order, one newline at the end."""
    import json

    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def layouts_of_baseline(data: bytes, source: str) -> dict[int, Layout]:
    """The layouts of a baseline file by page size, little endian. DecodeError when it is not of that form."""
    import json

    from devstate.layout.sane import checked

    try:
        groups = [(each["page_sizes"], each["layout"]) for each in json.loads(data)["layouts"]]
        each = [(int(size), plain) for sizes, plain in groups for size in sizes]
        return {size: checked(layout_from_plain(plain | {"environment": {"page_size": size}}), source) for size, plain in each}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DecodeError(f"not a baseline: {error}", source=source, expected="{name, fingerprint, layouts}") from error
