# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Integers, flags, enums, bit-fields and character arrays.

Integers are CPU-native unless they say otherwise (``U32be``): KHO and LUO write raw native integers, even into devicetree
properties. Values decode to plain ints and bytes, so unknown bits, unknown enum values and non-text bytes are kept and encode
to what they were.
"""

from __future__ import annotations

from typing import Any

import construct
from construct.core import stream_read, stream_write

from devstate.errors import SchemaError
from devstate.schema.base import Type
from devstate.schema.expression import Size, checked_size, evaluate_size


class Int(Type):
    """An integer of 1, 2, 4 or 8 bytes. ``order`` is ``native``, ``little`` or ``big``."""

    def __init__(self, size: int, *, signed: bool = False, order: str = "native") -> None:
        super().__init__()
        if size not in (1, 2, 4, 8) or order not in ("native", "little", "big"):
            raise SchemaError(f"an integer has 1, 2, 4 or 8 bytes in native, little or big order, found {size!r} in {order!r}")
        self.size = size
        self.signed = signed
        self.order = order

    def holds(self, value: int) -> bool:
        """Whether ``value`` is in the range of this integer."""
        low = -(1 << self.size * 8 - 1) if self.signed else 0
        return low <= value < low + (1 << self.size * 8)

    def align(self) -> int:
        return self.size

    def size_in(self, page_size: int) -> int:
        return self.size

    def _order(self, context: Any) -> Any:
        return context._params.byte_order if self.order == "native" else self.order

    def _parse(self, stream: Any, context: Any, path: str) -> int:
        return int.from_bytes(stream_read(stream, self.size, path), self._order(context), signed=self.signed)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        try:
            stream_write(stream, obj.to_bytes(self.size, self._order(context), signed=self.signed), self.size, path)
        except (OverflowError, AttributeError) as error:
            raise construct.IntegerError(f"{obj!r} does not fit {self.size} bytes", path=path) from error
        return obj


U8, U16, U32, U64 = Int(1), Int(2), Int(4), Int(8)
S8, S16, S32, S64 = (Int(size, signed=True) for size in (1, 2, 4, 8))
U16le, U32le, U64le = (Int(size, order="little") for size in (2, 4, 8))
U16be, U32be, U64be = (Int(size, order="big") for size in (2, 4, 8))


class Wrapped(Type):
    """A type with the bytes of another integer type and more meaning."""

    def __init__(self, base: Int) -> None:
        super().__init__()
        if not isinstance(base, Int):
            raise SchemaError(f"{type(self).__name__} needs an integer type first, found {base!r}")
        self.base = base

    def align(self) -> int:
        return self.base.align()

    def size_in(self, page_size: int) -> int | None:
        return self.base.size_in(page_size)

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        return self.base._parse(stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return self.base._build(obj, stream, context, path)


class Flags(Wrapped):
    """An integer whose bits have names: ``Flags(U32, SEAL=0, SHRINK=1)``. Bits without a name are unknown to the reader."""

    default_hint = "flags"

    def __init__(self, base: Int, **bits: int) -> None:
        super().__init__(base)
        for name, bit in bits.items():
            if not 0 <= bit < base.size * 8:
                raise SchemaError(f"bit {bit} is outside {base.size * 8} bits", path=name)
        self.bits = bits


class Enum(Wrapped):
    """An integer whose values have names: ``Enum(U64, INVALID=0, INTEL=1)``. Other values are unknown to the reader."""

    def __init__(self, base: Int, **names: int) -> None:
        super().__init__(base)
        for name, value in names.items():
            if not base.holds(value):
                raise SchemaError(f"{value} does not fit {base.size} bytes", path=name)
        self.names = names


class Const(Wrapped):
    """An integer that the reading kernel accepts with one value only (a version, say). Other values decode; check reports them."""

    def __init__(self, base: Int, value: int) -> None:
        super().__init__(base)
        if not base.holds(value):
            raise SchemaError(f"{value} does not fit {base.size} bytes")
        self.value = value


class MustBeZero(Const):
    """A reserved integer: written as 0, and a reader that finds anything else must not guess."""

    def __init__(self, base: Int) -> None:
        super().__init__(base, 0)


class Bits(Type):
    """A C bit-field: ``Bits(U64, 52)`` is ``u64 name:52``. With names, ``Bits(U64, 12, DIRTY=0)``, bits count from the field's own bit 0.

    Neighbours of one base type share a storage unit, first field at the least significant bit on little endian and at the
    most significant on big endian, as gcc and clang do. A run must fill its unit exactly: holes are declared, not implied.
    """

    def __init__(self, base: Int, width: int, **names: int) -> None:
        super().__init__()
        if not isinstance(base, Int) or base.signed or base.order != "native" or not 0 < width <= base.size * 8:
            raise SchemaError(f"a bit-field is 1..{getattr(base, 'size', 8) * 8} bits of an unsigned native type, found {width}")
        for name, bit in names.items():
            if not 0 <= bit < width:
                raise SchemaError(f"bit {bit} is outside {width} bits", path=name)
        self.base = base
        self.width = width
        self.names = names

    def align(self) -> int:
        return self.base.size

    def size_in(self, page_size: int) -> int:
        raise SchemaError("a bit-field has no size of its own: it lives in a struct")


class Chars(Type):
    """A NUL-terminated, NUL-padded string in a fixed array of ``size`` bytes. Decodes to all the bytes; shown as text."""

    default_hint = "text"

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def check(self, path: str) -> None:
        checked_size(self.size, path)

    def align(self) -> int:
        return 1

    def size_in(self, page_size: int) -> int:
        return evaluate_size(self.size, page_size)

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        return bytes(stream_read(stream, self._sizeof(context, path), path))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        size = self._sizeof(context, path)
        if not isinstance(obj, bytes) or len(obj) != size:
            raise construct.StringError(f"expected {size} bytes, found {obj!r}", path=path)
        stream_write(stream, obj, size, path)
        return obj


class Raw(Chars):
    """``size`` bytes without further meaning to devstate."""

    default_hint = "hex"


class Reserved(Raw):
    """``size`` bytes of padding that the writer leaves zero."""
