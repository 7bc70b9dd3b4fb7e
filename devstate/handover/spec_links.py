# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Links in records of a spec: what a field leads to stands in the place of its address.

::

    queues = [{ entries = 64, ... }, { ... }]          records, put into memory of their own; nr_queues counts them by itself
    submissions = { at = "memblock/rings", offset = "8K" }     the address of something that is built, and so many bytes into it
    submissions = "0x10000000"                                 an address

They are taken out before the record is read in the form that decode prints, and go beside it.
"""

from __future__ import annotations

from devstate.codec.text import from_json
from devstate.errors import EncodeError
from devstate.frozen import replace
from devstate.handover.spec import LinkSpec
from devstate.handover.spec_values import a_row, need, number, text
from devstate.layout.model import ArrayType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import FieldLayout, Layout, TargetLayout, TypeLayout

DEPTH_MAX = 4
"""Links behind links, as many as are followed."""


class Splitting:
    """One record, or one behind a link, being split. ``zeros``: fields that are missing become zeros, or what they must be."""

    def __init__(self, layout: Layout, *, zeros: bool, depth: int = 0) -> None:
        self.layout, self.zeros, self.depth = layout, zeros, depth
        self.links: list[LinkSpec] = []

    def struct(self, struct: str, shown: Any, path: str, above: tuple[str | int, ...] = ()) -> Any:
        """The record without what its links lead to, which is in ``links`` then. EncodeError for links that the layout does not have."""
        if not isinstance(shown, dict):
            return shown  # from_json() says what is wrong
        made = dict(shown)
        for field in self.layout.struct(struct).fields:
            where, here = f"{path}.{field.name}", (*above, field.name)
            if field.name not in shown:
                continue
            value = shown[field.name]
            if field.target is not None and isinstance(value, list | dict) and not isinstance(field.type, StructType):
                self.links.append(self.link(field, field.target, value, where, here))
                made[field.name] = 0
                _count(field.target, shown, made, self.links[-1], where)
            else:
                made[field.name] = self.value(field.type, value, where, here)
        for field in self.layout.struct(struct).fields if self.zeros else ():
            if field.name not in made and not field.gap:
                made[field.name] = field.must if field.must is not None else self.zero(field.type)
        return made

    def value(self, kind: TypeLayout, value: Any, path: str, above: tuple[str | int, ...]) -> Any:
        """The same of one value."""
        if isinstance(kind, StructType):
            return self.struct(kind.struct, value, path, above)
        if isinstance(kind, ArrayType) and isinstance(value, list):
            return [self.value(kind.element, each, f"{path}[{at}]", (*above, at)) for at, each in enumerate(value)]
        return value

    def zero(self, kind: TypeLayout) -> Any:
        """The JSON form of zeros."""
        if isinstance(kind, IntType):
            return 0
        if isinstance(kind, StructType):
            return self.struct(kind.struct, {}, "")
        if isinstance(kind, ArrayType):
            return [self.zero(kind.element) for _ in range(kind.count or 0)]
        return {"hex": "00" * kind.size}

    def link(self, field: FieldLayout, target: TargetLayout, value: Any, path: str, here: tuple[str | int, ...]) -> LinkSpec:
        """What stands in the place of an address."""
        if isinstance(value, dict) and "at" in value:
            row = a_row(value, {"at", "offset"}, path)
            return LinkSpec(here, None, (), text(need(row, "at", path), f"{path}.at"), number(row.get("offset", 0), f"{path}.offset"))
        rows = value if isinstance(value, list) else [value]
        if self.depth == DEPTH_MAX:
            raise EncodeError("links behind links", path=path, expected=f"at most {DEPTH_MAX}", found="more")
        if target.kind == "contiguous" and isinstance(target.element, IntType):
            return LinkSpec(here, tuple(number(each, f"{path}[{at}]") for at, each in enumerate(rows)))
        struct = entries_of(self.layout, target)
        if struct is None or (target.kind == "one" and len(rows) != 1):
            expected = "an address, or a table with at" if struct is None else "one record"
            raise EncodeError(f"{field.name} leads to no such records", path=path, expected=expected, found=f"{len(rows)} records")
        records, links = [], []
        for at, each in enumerate(rows):
            below = Splitting(self.layout, zeros=self.zeros, depth=self.depth + 1)
            plain = below.struct(struct, a_row(each, None, f"{path}[{at}]"), f"{path}[{at}]")
            links += [replace(link, field=(at, *link.field)) for link in below.links]
            try:
                records.append(from_json(self.layout, plain, struct))
            except EncodeError as error:
                raise located(error, f"{path}[{at}]") from None
        return LinkSpec(here, tuple(records), tuple(links))


def located(error: EncodeError, path: str) -> EncodeError:
    """An error of a record, whose path begins with its struct, with its place in the spec."""
    _, _, field = (error.path or "").partition(".")
    error.path = f"{path}.{field}" if field else path
    return error


def _count(target: TargetLayout, shown: dict[str, Any], made: dict[str, Any], link: LinkSpec, path: str) -> None:
    """The field that counts what a link leads to says how many there are."""
    if target.count is None or link.records is None or target.kind == "handle":
        return
    if target.count not in shown:
        made[target.count] = len(link.records)
    elif shown[target.count] != len(link.records):
        wanted = f"{len(link.records)} records"
        raise EncodeError(f"{target.count} is another number", path=path, expected=wanted, found=shown[target.count])


def entries_of(layout: Layout, target: TargetLayout) -> str | None:
    """The struct of the entries that a link leads to; None where it leads to none that can be built."""
    if target.kind not in ("one", "contiguous", "counted", "blocks") or not isinstance(target.element, StructType):
        return None
    last = layout.struct(target.element.struct).fields[-1].type if target.kind == "counted" else None
    element = last.element if isinstance(last, ArrayType) else target.element
    return element.struct if isinstance(element, StructType) else None
