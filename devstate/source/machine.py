# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a QEMU machine migrates (``qemu-system-x86_64 -M pc -dump-vmstate FILE``), as layouts: one for each device and each subsection.

::

    {"vmschkmachine": {"Name": "pc-i440fx-7.2"},
     "e1000": {"Name", "version_id", "minimum_version_id",
               "Description": {"name", "version_id", "minimum_version_id",
                               "Fields": [{"field", "version_id", "field_exists", "size", "Description"?}, ...],
                               "Subsections": [a description, ...]}}}

A device's state is a row of fields without names, told apart by the version of the whole: it reads its own version down to the minimum. A
field belongs to the versions from its own ``version_id`` on. A subsection is sent by name when it is needed, and refused by who does not
know it. A field that ``field_exists`` is sent when a test says so, by machine type most of the time: it has no place in the row, and is
a layout of its own (``DEVICE.FIELD``) without a version. Bytes are opaque: QEMU's description says sizes, not kinds, and of an array the
size of one element. Facts: QEMU's docs/devel/migration and scripts/vmstate-static-checker.py.
"""

from __future__ import annotations

from devstate.errors import DecodeError, LimitError
from devstate.finding import Location
from devstate.layout.declared import Declared
from devstate.layout.model import BytesType, Environment, FieldLayout, Layout, StructLayout, StructType, TypeLayout, VersionLayout
from devstate.source.known import bare, closure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MACHINE = "vmschkmachine"
"""The key that makes a file a dump of QEMU."""

DEVICES_MAX = 4096
"""Devices of one machine type: x86 has 215, with all that can be plugged in."""

FIELDS_MAX = 1 << 20
"""Fields of all devices together: x86 has 4,000."""

DEPTH_MAX = 32
"""Descriptions inside each other."""

SIZE_MAX = 1 << 40
"""Bytes of one field."""


def open_machine(plain: dict[str, Any], path: str, environment: Environment) -> Declared:
    """The devices of a dump. DecodeError when it is not of the form above, LimitError when it is too large."""
    reading = _Reading(path, environment)
    try:
        devices = [(str(name), about["Description"]) for name, about in plain.items() if name != MACHINE and about.get("Description")]
        if len(devices) > DEVICES_MAX:
            raise LimitError("too many devices", source=path, expected=f"at most {DEVICES_MAX}", found=len(devices))
        formats = [layout for name, description in devices for layout in reading.device(name, description)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"not a state description of QEMU: {type(error).__name__}: {error}", source=path) from error
    places = tuple((layout.name, Location(path, path=layout.name)) for layout in formats)
    return Declared(path, "machine", environment, tuple(formats), places)


class _Reading:
    """One run over a dump."""

    def __init__(self, path: str, environment: Environment) -> None:
        self.path, self.environment = path, environment
        self.left = FIELDS_MAX
        self.structs: dict[str, StructLayout] = {}
        self.asked: list[StructLayout] = []

    def device(self, name: str, description: dict[str, Any]) -> list[Layout]:
        """The layouts of a device: its own, and those of its subsections at any depth."""
        made = []
        pending = [(name, description, 0)]
        while pending:
            label, each, depth = pending.pop(0)
            if depth > DEPTH_MAX:
                raise LimitError("subsections are nested too deeply", source=self.path, path=label, expected=f"at most {DEPTH_MAX} levels")
            self.structs, self.asked = {}, []
            inner = self.struct(label, each, depth)
            made.append(self.layout(label, each, closure([label], self.structs), is_section=depth == 0))
            for struct in self.asked:
                own = closure([struct.name], self.structs | {struct.name: struct})
                made.append(bare(struct.name, struct.name, own, self.environment, self.path))
            pending += [(f"{name}/{below.get('name', '')}", below, depth + 1) for below in [*each.get("Subsections", ()), *inner]]
        return made

    def layout(self, name: str, description: dict[str, Any], structs: tuple[StructLayout, ...], *, is_section: bool) -> Layout:
        """One section of the stream."""
        version, least = int(description["version_id"]), int(description["minimum_version_id"])
        return Layout(
            name=name, compatible=name, variant="", status="project", source=self.path, doc="", root=name,
            structs=structs, environment=self.environment, found_by=name if is_section else None,
            carrier="string", version=("version_id", version), on_mismatch="retrieve-fails", owner="QEMU",
            versions=VersionLayout("ordered", min_accepted=least),
        )  # fmt: skip

    def struct(self, name: str, description: dict[str, Any], depth: int) -> list[dict[str, Any]]:
        """Lay out a description and those inside it, innermost first; the subsections of those inside."""
        subsections: list[dict[str, Any]] = []
        stack: list[tuple[str, dict[str, Any], bool, int]] = [(name, description, False, depth)]
        while stack:
            label, each, done, level = stack.pop()
            if level > DEPTH_MAX:
                raise LimitError("descriptions are nested too deeply", source=self.path, path=label, expected=f"at most {DEPTH_MAX} levels")
            if done:
                self.structs[label] = self.lay_out(label, each)
                continue
            stack.append((label, each, True, level))
            if level > depth:
                subsections += each.get("Subsections", ())
            for number, field in enumerate(each.get("Fields", ())):
                if "Description" in field:
                    stack.append((f"{label}.{number}.{field['field']}", field["Description"], False, level + 1))
        return subsections

    def lay_out(self, label: str, description: dict[str, Any]) -> StructLayout:
        """The fields in the order of the stream. Those of later versions than the section's own are left out, those that a test decides
        about are kept by themselves."""
        fields: list[FieldLayout] = []
        seen: dict[str, int] = {}
        at, before = 0, ""
        for number, field in enumerate(description.get("Fields", ())):
            self.left -= 1
            if self.left < 0:
                raise LimitError("too many fields", source=self.path, expected=f"at most {FIELDS_MAX}")
            size, name = int(field["size"]), str(field["field"])
            if not 0 <= size <= SIZE_MAX:
                raise ValueError(f"field {name} has {size} bytes")
            if int(field["version_id"]) > int(description["version_id"]):
                continue
            if name == "unused":
                name = f"unused after {before}" if before else name
            else:
                before = name
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name = f"{name}#{seen[name]}"
            inner = self.structs.get(f"{label}.{number}.{field['field']}")
            kind: TypeLayout = BytesType(size) if inner is None else StructType(inner.name)
            size = size if inner is None else inner.size
            if field.get("field_exists"):
                self.asked.append(StructLayout(f"{label}.{name}", size, 1, True, (FieldLayout(name, 0, size, kind, optional=True),)))
                continue
            fields.append(FieldLayout(name, at, size, kind))
            at += size
        return StructLayout(label, at, 1, True, tuple(fields))
