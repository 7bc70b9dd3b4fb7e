# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree ``devstate`` in a spec: parts as JSON records of any known format, guests as ranges of files and regions."""

from __future__ import annotations

from devstate.errors import EncodeError, UsageError
from devstate.handover.build_guests import FLAGS
from devstate.handover.spec import GuestRange, GuestSpec, PartSpec
from devstate.handover.spec_values import a_list, a_row, need, number, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from devstate.layout.model import Environment
    from devstate.layout.registry import Registry

PART = {"path", "format", "struct", "record", "records", "place"}
GUEST = {"name", "ranges"}
RANGE = {"gpa", "size", "session", "token", "region", "offset", "node", "flags"}
"""What may stand in a part, a guest, and a range of a guest."""


def part(row: Mapping[str, Any], path: str, registry: Registry, environment: Environment) -> PartSpec:
    """A part: ``record`` is one, ``records`` are many, in the form that decode prints."""
    from devstate.codec.text import from_json

    if ("record" in row) == ("records" in row):
        raise EncodeError("a part has a record or records, one of the two", path=path)
    format_ = text(need(row, "format", path), f"{path}.format")
    struct = text(row["struct"], f"{path}.struct") if "struct" in row else None
    many, records = "records" in row, []
    for at, each in enumerate(a_list(row, "records", path) if many else [row["record"]]):
        try:
            records.append(from_json(registry.layout(format_, environment), a_row(each, None, path), struct))
        except UsageError as error:
            raise EncodeError(str(error), path=f"{path}.format") from None
        except EncodeError as error:
            raise error.at(path=f"{path}.records[{at}]" if many else f"{path}.record") from None
    place = text(row["place"], f"{path}.place") if "place" in row else None
    return PartSpec(text(need(row, "path", path), f"{path}.path"), format_, tuple(records), struct, many, place)  # type: ignore[arg-type]  # Records


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
