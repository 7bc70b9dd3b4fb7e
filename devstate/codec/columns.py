# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Columns: many records of one struct as numpy arrays, one a field, without a Python object a record.

::

    bytes     | pfn:52 flags:12 | index | pfn:52 flags:12 | index | ...      16 bytes a record
    "pfn"     a new array: (unit >> 0) & (2^52 - 1)
    "index"   a view of the bytes at 8, 24, 40, ...
"""

from __future__ import annotations

from devstate.codec.plan import Plan, plan_of
from devstate.errors import TruncatedError, UsageError
from devstate.layout.model import ArrayType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from devstate.codec.decode import Data
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout


class Columns:
    """``columns["pfn"]`` is a read-only array with one value a record (and one more axis for each array around it).

    Integers are views in the byte order of the data; bit-fields are split when they are first asked for, into native unsigned integers of
    their base type; character arrays, reserved bytes and unions are ``V<size>``, which keeps every byte; an embedded struct is Columns
    again. ``array`` is the structured array of everything; bit-fields share its field ``@<offset>``.
    """

    __slots__ = ("_kept", "array", "layout", "struct")

    def __init__(self, layout: Layout, struct: StructLayout, array: NDArray[np.void]) -> None:
        self.layout = layout
        self.struct = struct
        self.array = array
        self._kept: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, gaps included."""
        return tuple(field.name for field in self.struct.fields)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, name: str) -> Any:
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        made = self._kept[name] = self._made(name)
        return made

    def _made(self, name: str) -> Any:
        field = next((each for each in self.struct.fields if each.name == name), None)
        if field is None:
            raise UsageError(f"{self.struct.name} has no field {name}; its fields: {', '.join(self.names)}")
        kind = field.type
        while isinstance(kind, ArrayType):
            kind = kind.element
        if isinstance(kind, StructType):
            return Columns(self.layout, self.layout.struct(kind.struct), self.array[name])
        return self.array[name] if field.width is None else self._bits(field)

    def _bits(self, field: FieldLayout) -> NDArray[Any]:
        unit = self.array[f"@{field.offset}"]
        native = unit.dtype.newbyteorder("=")
        bits = unit.astype(native, copy=False)
        if field.shift:
            bits = bits >> native.type(field.shift)
        if (field.shift or 0) + (field.width or 0) < field.size * 8:
            bits = bits & native.type((1 << (field.width or 0)) - 1)
        bits.flags.writeable = False
        return bits


def columns(layout: Layout, struct: str | None, buffer: Data, *, source: str | None = None, pa: int | None = None) -> Columns:
    """The records that fill ``buffer``, which stays in use: nothing is copied.

    TruncatedError when the size is no multiple of the struct's. UsageError for a struct that the layout does not have, that is
    flexible or that takes no bytes.
    """
    import numpy as np

    plan = plan_of(layout, struct)
    stride = plan.struct.size
    if plan.flexible or stride == 0:
        raise UsageError(f"{plan.struct.name} has no fixed size, so there are no columns of it")
    size = memoryview(buffer).nbytes
    if size % stride:
        path, found = f"{plan.struct.name}[{size // stride}]", f"{size % stride} bytes"
        offset = size - size % stride
        raise TruncatedError(
            "the last record is cut", source=source, pa=pa, offset=offset, path=path, expected=f"{stride} bytes", found=found
        )
    dtype = dtype_of(plan)
    array = np.frombuffer(buffer, dtype=dtype) if size else np.empty(0, dtype=dtype)
    array.flags.writeable = False
    return Columns(layout, plan.struct, array)


def dtype_of(plan: Plan) -> Any:
    """The numpy type of one record, kept in the plan."""
    if plan.dtype is None:
        plan.dtype = _struct_dtype(plan.layout, plan.struct)
    return plan.dtype


def _struct_dtype(layout: Layout, struct: StructLayout) -> Any:
    import numpy as np

    fields: dict[str, tuple[Any, int]] = {}
    for field in struct.fields:
        fields[field.name if field.width is None else f"@{field.offset}"] = (_dtype(layout, field.type), field.offset)
    return np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [offset for _, offset in fields.values()],
            "itemsize": struct.size,
        }
    )


def _dtype(layout: Layout, kind: TypeLayout) -> Any:
    import numpy as np

    if isinstance(kind, IntType):
        order = layout.environment.byte_order if kind.order == "native" else kind.order
        return np.dtype(f"{'<' if order == 'little' else '>'}{'i' if kind.signed else 'u'}{kind.size}")
    if isinstance(kind, StructType):
        return _struct_dtype(layout, layout.struct(kind.struct))
    if isinstance(kind, ArrayType):
        return np.dtype((_dtype(layout, kind.element), (kind.count or 0,)))
    return np.dtype(f"V{kind.size}")
