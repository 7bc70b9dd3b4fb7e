# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Values of a spec, each with its path: numbers with suffixes, texts, tables and lists of a closed vocabulary."""

from __future__ import annotations

from devstate.errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SUFFIXES = {"K": 10, "M": 20, "G": 30}


def number(value: object, path: str) -> int:
    """A number, or a text of one: decimal or 0x..., with K, M, G for powers of 1024. EncodeError for anything else, or beyond 64 bits."""
    found = value
    if isinstance(value, str) and len(value) <= 24:
        shift = _SUFFIXES.get(value[-1:].upper(), 0)
        try:
            value = int(value[:-1] if shift else value, 0) << shift
        except ValueError:
            value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise EncodeError("not a 64-bit number", path=path, expected='such as 4096, "0x1000" or "4K"', found=repr(found)[:60])
    return value


def text(value: object, path: str) -> str:
    """A text. EncodeError for anything else, and for one that is not Unicode."""
    if not isinstance(value, str) or any(0xD800 <= ord(each) < 0xE000 for each in value):
        raise EncodeError("not a text", path=path, found=repr(value)[:60])
    return value


def truth(value: object, path: str) -> bool:
    """True or false. EncodeError for anything else."""
    if not isinstance(value, bool):
        raise EncodeError("neither true nor false", path=path, found=repr(value)[:60])
    return value


def known(row: Mapping[str, Any], keys: set[str] | None, path: str) -> None:
    """EncodeError for a key that is not one of ``keys`` (None: any)."""
    unknown = next((key for key in row if keys is not None and key not in keys), None)
    if unknown is not None:
        place = f"{path}.{unknown}" if path else unknown
        raise EncodeError("no such key", path=place, expected=", ".join(sorted(keys or ())))


def a_row(row: object, keys: set[str] | None, path: str) -> dict[str, Any]:
    """``row`` if it is a table with these keys."""
    if not isinstance(row, dict):
        raise EncodeError("not a table", path=path, found=repr(row)[:60])
    known(row, keys, path)
    return row


def a_table(plain: object, key: str, keys: set[str] | None) -> dict[str, Any]:
    """The table ``key``, empty when it is absent."""
    return a_row(plain.get(key, {}) if isinstance(plain, dict) else plain, keys, key)


def a_list(row: Mapping[str, Any], key: str, path: str) -> list[Any]:
    """The list ``key``, empty when it is absent."""
    value = row.get(key, [])
    if not isinstance(value, list):
        raise EncodeError("not a list", path=f"{path}.{key}" if path else key, found=repr(value)[:60])
    return value


def need(row: Mapping[str, Any], key: str, path: str) -> object:
    """The value of a key that must be there."""
    if key not in row:
        raise EncodeError(f"{key} is missing", path=path)
    return row[key]
