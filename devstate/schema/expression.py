# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Expressions in schemas: ``PAGE_SIZE`` arithmetic for sizes, ``this.field`` for counts. Nothing opaque, nothing guessed.

Both are construct's own expression trees, which can be read, printed and evaluated ahead of time. A lambda cannot: it is
refused as soon as the schema is loaded.
"""

from __future__ import annotations

from typing import Any

import construct
from construct.expr import BinExpr, ExprMixin, Path

from devstate.errors import SchemaError

this = construct.this
"""The record being decoded: ``this.nr_folios`` names the sibling field that counts an array."""

PAGE_SIZE = construct.this._params.page_size
"""The page size of the kernel that wrote the state, in bytes: 4096, 16384 or 65536."""

Size = int | Any
"""An int, or an expression over PAGE_SIZE and ints."""


def checked_size(value: Size, path: str) -> Size:
    """``value`` if it is an int >= 0 or an expression over PAGE_SIZE alone; SchemaError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise SchemaError(f"a size cannot be negative: {value}", path=path)
        return value
    if isinstance(value, BinExpr):
        checked_size(value.lhs, path)
        checked_size(value.rhs, path)
        return value
    if isinstance(value, Path) and str(value) == str(PAGE_SIZE):
        return value
    what = "a lambda" if callable(value) and not isinstance(value, ExprMixin) else repr(value)
    raise SchemaError(f"a size is an int or arithmetic over PAGE_SIZE, not {what}", path=path)


def evaluate_size(value: Size, page_size: int) -> int:
    """The number that a checked size stands for when pages are ``page_size`` bytes long."""
    if isinstance(value, int):
        return value
    try:
        result = value(construct.Container(_params=construct.Container(page_size=page_size)))
    except ArithmeticError as error:
        raise SchemaError(f"the size {value!r} cannot be computed at page size {page_size}: {error}") from error
    if not isinstance(result, int) or result < 0:
        raise SchemaError(f"the size {value!r} is no whole number at page size {page_size}: {result!r}")
    return result


def sibling(value: object, path: str) -> str:
    """The name in ``this.NAME``; SchemaError for anything else."""
    if isinstance(value, Path):
        text = str(value)
        name = text.rsplit("['", 1)[-1].rstrip("']")
        if text == f"this['{name}']":
            return name
    what = "a lambda" if callable(value) and not isinstance(value, ExprMixin) else repr(value)
    raise SchemaError(f"a count names a field beside it, as this.NAME, not {what}", path=path)
