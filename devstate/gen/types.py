# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""C types of fields: how a member is declared, and how its value is read and set whatever its byte order."""

from __future__ import annotations

from devstate.gen.names import member
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TargetLayout, TypeLayout

TYPED_TARGETS = {"one", "contiguous", "counted", "blocks", "pages", "opaque", "chunks", "radix", "tree"}
"""Links that are physical addresses. A handle or token may be any number, a kernel pointer leads nowhere: these stay integers."""


def integer(kind: IntType) -> str:
    """The C type of an integer."""
    if kind.order == "native" or kind.size == 1:
        return f"{'s' if kind.signed else 'u'}{kind.size * 8}"
    return f"__{'le' if kind.order == 'little' else 'be'}{kind.size * 8}"


def element_type(kind: TypeLayout | None) -> str:
    """The C type of what a link leads to."""
    if isinstance(kind, StructType):
        return f"struct {kind.struct}"
    return integer(kind) if isinstance(kind, IntType) else "void"


def is_phys(target: TargetLayout | None) -> bool:
    """Whether a link is declared as DEVSTATE_PHYS."""
    return target is not None and target.kind in TYPED_TARGETS


def declared(layout: Layout, kind: TypeLayout, name: str, indent: str, target: TargetLayout | None = None) -> list[str]:
    """The declaration of a member, without the semicolon; a union takes several lines."""
    counts = ""
    while isinstance(kind, ArrayType):
        counts += f"[{'' if kind.count is None else kind.count}]"
        kind = kind.element
    if isinstance(kind, IntType):
        base = f"DEVSTATE_PHYS({element_type(target.element)})" if target is not None and is_phys(target) else integer(kind)
        return [f"{indent}{base} {name}{counts}"]
    if isinstance(kind, BytesType):
        return [f"{indent}{'char' if kind.text else 'u8'} {name}{counts}[{kind.size}]"]
    if isinstance(kind, StructType):
        return [f"{indent}struct {kind.struct} {name}{counts}"]
    lines = [f"{indent}union {{"]
    for arm in kind.arms:
        *head, last = declared(layout, arm.type, member(arm.name), f"{indent}\t")
        lines += [*head, f"{last};"]
    return [*lines, f"{indent}}} {name}{counts}"]


def value(path: str, field: FieldLayout | None, kind: IntType) -> str:
    """The expression for the number in a member."""
    if field is not None and is_phys(field.target):
        return f"{path}.pa"
    if kind.order == "native" or kind.size == 1:
        return path
    read = f"{'le' if kind.order == 'little' else 'be'}{kind.size * 8}_to_cpu({path})"
    return f"(s{kind.size * 8}){read}" if kind.signed else read


def stored(number: str, kind: IntType) -> str:
    """The expression to assign, for a number."""
    if kind.order == "native" or kind.size == 1:
        return f"({'s' if kind.signed else 'u'}{kind.size * 8}){number}"
    return f"cpu_to_{'le' if kind.order == 'little' else 'be'}{kind.size * 8}((u{kind.size * 8}){number})"


def tail(layout: Layout, struct: StructLayout) -> tuple[str, int, ArrayType, StructLayout] | None:
    """The flexible array of a struct: its path, its offset, its type and the struct that it is declared in; None without one."""
    path, offset = "", 0
    while struct.flexible:
        last = struct.fields[-1]
        path, offset = f"{path}{member(last.name)}", offset + last.offset
        if isinstance(last.type, ArrayType):
            return path, offset, last.type, struct
        if not isinstance(last.type, StructType):
            return None
        path, struct = f"{path}.", layout.struct(last.type.struct)
    return None


def counter(layout: Layout, struct: StructLayout) -> str | None:
    """The expression, behind ``it->``, for the count of a flexible array; None when the area counts."""
    found = tail(layout, struct)
    if found is None or found[2].counted_by is None:
        return None
    path, _, kind, owner = found
    field = owner.field(kind.counted_by or "")
    prefix = path.rpartition(".")[0]
    inside = f"{prefix}." if prefix else ""
    return value(f"it->{inside}{member(field.name)}", field, field.type) if isinstance(field.type, IntType) else None
