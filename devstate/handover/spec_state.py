# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree ``devstate`` in a spec: parts as JSON records of any known format, devices with what their drivers left, guests as ranges
of files and regions.
"""

from __future__ import annotations

from devstate.codec.plan import plan_of
from devstate.errors import EncodeError, UsageError
from devstate.frozen import replace
from devstate.handover.build_devices import FLAGS as DEVICE_FLAGS
from devstate.handover.build_devices import PHASES
from devstate.handover.build_guests import FLAGS
from devstate.handover.spec import DeviceSpec, GuestRange, GuestSpec, PartSpec
from devstate.handover.spec_links import Splitting, located
from devstate.handover.spec_values import a_list, a_row, need, number, text, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from devstate.codec.record import Record
    from devstate.handover.spec import LinkSpec
    from devstate.layout.model import Environment, Layout
    from devstate.layout.registry import Registry

    Load: TypeAlias = Callable[[Mapping[str, Any], str], bytes]

PLACES = ("state", "section", "memory")

PAYLOAD = {"record", "records", "content"}
PART = {"path", "format", "struct", "place", "zeros", *PAYLOAD}
DEVICE = {"path", "machine", "bus", "driver", "phase", "flags", "place", "zeros", "record", "content"}
GUEST = {"name", "ranges"}
RANGE = {"gpa", "size", "session", "token", "region", "offset", "node", "flags"}
"""What may stand in a part, a device, a guest, and a range of a guest."""


def part(row: Mapping[str, Any], path: str, registry: Registry, environment: Environment, load: Load) -> PartSpec:
    """A part: ``record`` is one, ``records`` are many, in the form that decode prints; ``content`` are bytes of a format that is known by
    its name alone, which ``load`` gives.
    """
    name = text(need(row, "path", path), f"{path}.path")
    format_ = text(need(row, "format", path), f"{path}.format")
    made = payload(row, path, format_, registry, environment, load)
    return replace(made, path=name)


def payload(
    row: Mapping[str, Any], path: str, format_: str, registry: Registry, environment: Environment, load: Load, key: str = "format"
) -> PartSpec:
    """A part without its path, whose format ``key`` of the row names."""
    given = sorted(PAYLOAD & row.keys())
    if len(given) != 1:
        raise EncodeError("a part has a record, records, or content, one of them", path=path, found=" and ".join(given) or "none")
    place = text(row["place"], f"{path}.place") if "place" in row else None
    if place not in (None, *PLACES):
        raise EncodeError("a place is one of these", path=f"{path}.place", expected=", ".join(PLACES), found=place)
    if given == ["content"]:
        return PartSpec("", format_, (), place=place, raw=load(a_row(row["content"], None, f"{path}.content"), f"{path}.content"))
    struct = text(row["struct"], f"{path}.struct") if "struct" in row else None
    try:
        layout = registry.layout(format_, environment)
        flexible = layout.encoding != "tagged" and plan_of(layout, struct).flexible
    except UsageError as error:
        wrong = "struct" if struct is not None and format_ in registry.summaries else key
        raise EncodeError(str(error), path=f"{path}.{wrong}") from None
    many = given == ["records"]
    if many and flexible:
        raise EncodeError("a struct without a fixed size is one record", path=f"{path}.records", found=struct or layout.root)
    if layout.encoding == "tagged":
        if many or struct is not None:
            raise EncodeError(f"{format_} is a tagged map: one record, of its root", path=path)
        return PartSpec("", format_, (_tagged(layout, row["record"], f"{path}.record"),), place=place)
    zeros = truth(row.get("zeros", False), f"{path}.zeros")
    records, links = [], []
    for at, each in enumerate(a_list(row, "records", path) if many else [row["record"]]):
        where = f"{path}.records[{at}]" if many else f"{path}.record"
        record, found = _record(layout, struct, each, where, zeros=zeros)
        records.append(record)
        links += [replace(link, field=(at, *link.field)) for link in found] if many else found
    return PartSpec("", format_, tuple(records), struct, many, place, links=tuple(links))  # type: ignore[arg-type]  # Records


def _record(layout: Layout, struct: str | None, row: Any, path: str, *, zeros: bool) -> tuple[Record, list[LinkSpec]]:
    from devstate.codec.text import from_json

    splitting = Splitting(layout, zeros=zeros)
    plain = splitting.struct(struct or str(layout.root), a_row(row, None, path), path)
    try:
        return from_json(layout, plain, struct), splitting.links
    except EncodeError as error:
        raise located(error, path) from None


def _tagged(layout: Layout, row: Any, path: str) -> Any:
    from devstate.codec.tagged import encode_tagged
    from devstate.codec.tagged_text import tagged_from_json

    try:
        record = tagged_from_json(layout, a_row(row, None, path))
        encode_tagged(layout, record)
    except EncodeError as error:
        raise located(error, path) from None
    return record


def device(row: Mapping[str, Any], path: str, registry: Registry, environment: Environment, load: Load) -> DeviceSpec:
    """A device, with what its driver left."""
    driver = text(row.get("driver", ""), f"{path}.driver")
    left = None
    if {"record", "content"} & row.keys():
        if not driver:
            raise EncodeError("what a driver leaves has a format", path=path, expected="driver", found="none")
        left = payload(row, path, driver, registry, environment, load, "driver")
        driver = registry.layout(driver, environment).compatible or driver if left.raw is None else driver
    flags = tuple(text(each, f"{path}.flags") for each in a_list(row, "flags", path)) if "flags" in row else ("preserved",)
    if not set(flags) <= DEVICE_FLAGS.keys():
        unknown = ", ".join(sorted(set(flags) - DEVICE_FLAGS.keys()))
        raise EncodeError("not a flag", path=f"{path}.flags", expected=", ".join(DEVICE_FLAGS), found=unknown)
    phase = text(row.get("phase", "frozen"), f"{path}.phase")
    if phase not in PHASES:
        raise EncodeError("not a phase", path=f"{path}.phase", expected=", ".join(PHASES), found=phase)
    names = text(need(row, "path", path), f"{path}.path"), text(row.get("bus", "pci"), f"{path}.bus")
    return DeviceSpec(*names, driver, left, flags, phase, text(row.get("machine", "machine"), f"{path}.machine"))


def guest(row: Mapping[str, Any], path: str) -> GuestSpec:
    """A guest and its ranges."""
    rows = enumerate(a_list(row, "ranges", path))
    ranges = [_range(a_row(each, RANGE, f"{path}.ranges[{at}]"), f"{path}.ranges[{at}]") for at, each in rows]
    return GuestSpec(text(need(row, "name", path), f"{path}.name"), tuple(ranges))


def _range(row: Mapping[str, Any], path: str) -> GuestRange:
    if ("session" in row) == ("region" in row):
        raise EncodeError("a range is of a session's file or of a region, one of the two", path=path)
    flags = tuple(text(each, f"{path}.flags") for each in a_list(row, "flags", path))
    if not set(flags) <= FLAGS.keys():
        raise EncodeError("not a flag", path=f"{path}.flags", expected=", ".join(FLAGS), found=", ".join(sorted(set(flags) - FLAGS.keys())))
    return GuestRange(
        number(need(row, "gpa", path), f"{path}.gpa"),
        number(need(row, "size", path), f"{path}.size"),
        text(row["session"], f"{path}.session") if "session" in row else None,
        number(need(row, "token", path), f"{path}.token") if "session" in row else 0,
        text(row["region"], f"{path}.region") if "region" in row else None,
        number(row.get("offset", 0), f"{path}.offset"),
        number(row["node"], f"{path}.node") if "node" in row else None,
        flags,
    )
