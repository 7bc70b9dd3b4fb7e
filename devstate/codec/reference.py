# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reference decoder: the schema itself parses, as the construct that it is. Slow and plain; the codec is held equal to it in tests.

construct raises far more than its own errors (KeyError, OverflowError, whatever an expression does), without a place: everything is
caught at this one boundary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import construct

from devstate.codec.record import Record, fields
from devstate.errors import DecodeError, EncodeError, UsageError
from devstate.layout.lower import structs_of
from devstate.layout.model import Environment
from devstate.schema.aggregates import Struct

if TYPE_CHECKING:
    from devstate.schema import Schema


def reference_decode(schema: Schema, data: bytes, environment: Environment, struct: str | None = None) -> dict[str, Any]:
    """The record in ``data`` as :func:`plain` values. DecodeError for whatever goes wrong, UsageError when there is no such struct."""
    declared = _struct(schema, struct)
    try:
        parsed = declared.parse(data, page_size=environment.page_size, byte_order=environment.byte_order)
    except Exception as error:  # construct's boundary, see above
        raise DecodeError(f"{type(error).__name__}: {error}", path=declared.name) from error
    values: dict[str, Any] = plain(parsed)
    return values


def reference_encode(schema: Schema, values: dict[str, Any], environment: Environment, struct: str | None = None) -> bytes:
    """The bytes of ``values``. EncodeError for whatever goes wrong, UsageError when there is no such struct."""
    declared = _struct(schema, struct)
    try:
        built: bytes = declared.build(values, page_size=environment.page_size, byte_order=environment.byte_order)
    except Exception as error:  # construct's boundary, see above
        raise EncodeError(f"{type(error).__name__}: {error}", path=declared.name) from error
    return built


def plain(value: Any) -> Any:
    """A record or a construct Container as dicts, arrays as lists; ints and bytes as they are."""
    if isinstance(value, Record):
        return {name: plain(each) for name, each in fields(value)}
    if isinstance(value, construct.Container):
        return {name: plain(each) for name, each in dict.items(value)}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _struct(schema: Schema, name: str | None) -> Struct:
    found = structs_of(schema).get(name) if name is not None else schema.root
    if not isinstance(found, Struct):
        raise UsageError(f"{schema.name} has no struct {name or 'as its root'}")
    return found
