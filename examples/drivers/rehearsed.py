# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The three example drivers in a rehearsal: each leaves its record, and arrays in preserved pages, and holds the new driver to them.

``devstate rehearse examples/drivers/upgrade.toml`` takes all of them from version 1 to version 2.
"""

from __future__ import annotations

import errno
from typing import Any

from devstate.codec.decode import decode_array
from devstate.codec.encode import encode_array
from devstate.errors import LiveUpdateError
from devstate.layout.model import Environment, Layout
from devstate.luo.devices import Device
from devstate.memory.arena import Arena
from devstate.rehearsal.drivers import Driver

QUEUES, RINGS, VECTORS = 4, 6, 3


class Example(Driver):
    """What they share: an array of records in pages of its own, which the record leads to."""

    struct = ""
    field = ""
    count = ""
    array = 0

    def layout(self) -> Layout:
        """The layout of this version."""
        return self.registry.layout(self.compatible, Environment())

    def rows(self) -> list[dict[str, Any]]:
        """What is in the array after a cold boot."""
        raise NotImplementedError

    def probe(self, arena: Arena) -> None:
        """Write the array, as the device's driver would set it up."""
        self.array = self.keep(arena, encode_array(self.layout(), self.struct, self.rows()).ljust(self.room(), b"\0"))

    def room(self) -> int:
        """Bytes of the area, which has room for as many as there can be."""
        target = next(each.target for each in self.layout().struct().fields if each.name == self.field)
        return target.size or 0 if target is not None else 0

    def load(self, device: Device, values: dict[str, Any]) -> None:
        """The array must say what it said: nobody else had these pages meanwhile. EINVAL when it does not."""
        wanted = encode_array(self.layout(), self.struct, self.rows())
        memory = self.machine.memory()
        if values[self.count] != len(self.rows()) or not memory.contains(values[self.field], len(wanted)):
            raise LiveUpdateError(errno.EINVAL, f"{device.name}: {self.field} does not lead to {len(self.rows())} of {self.struct}")
        found = memory.read(values[self.field], len(wanted))
        if bytes(found) != wanted:
            decode_array(self.layout(), self.struct, found, len(self.rows()), pa=values[self.field])  # says where it is no such array
            raise LiveUpdateError(errno.EINVAL, f"{device.name}: {self.field} are not what they were")
        self.array = values[self.field]
        self.adopt(self.array, self.room())


class Controller(Example):
    """Queues that the device goes on filling."""

    compatibles = ("example-controller-v1", "example-controller-v2")
    struct, field, count = "example_queue", "queues", "nr_queues"

    def rows(self) -> list[dict[str, Any]]:
        """A pair of rings for administration, and three more."""
        return [
            {
                "submissions": 0, "completions": 0, "entries": 64, "number": number, "vector": number, "head": 3, "tail": 5, "phase": 1,
                "flags": 1,
            }
            for number in range(QUEUES)
        ]  # fmt: skip

    def save(self, device: Device) -> dict[str, Any]:
        """The registers, and where the queues are."""
        more = {"keep_alive": 5000} if self.version == 1 else {"keep_alive": 5_000_000, "coalesce_time": 10, "coalesce_count": 3}
        return {
            "configuration": 0x460001, "status": 1, "doorbell_stride": 4, "nr_queues": QUEUES, "queues": self.array, "nr_doorbells": 0,
            "zero": 0, "doorbells": 0, "nr_commands": 0, "commands": 0, "padding": 0, **more,
        }  # fmt: skip

    def load(self, device: Device, values: dict[str, Any]) -> None:
        """The keep-alive is five seconds in both versions, in units of their own."""
        if values["keep_alive"] != (5000 if self.version == 1 else 5_000_000):
            raise LiveUpdateError(errno.EINVAL, f"{device.name}: keep-alive of {values['keep_alive']}")
        super().load(device, values)


class Network(Example):
    """Rings that the card goes on receiving into."""

    compatibles = ("example-network-v1", "example-network-v2")
    struct, field, count = "example_ring", "queues", "nr_rings"

    def rows(self) -> list[dict[str, Any]]:
        """Three for each way."""
        return [
            {
                "descriptors": 0, "buffers": 0, "entries": 512, "index": number // 2, "kind": 1 + number % 2, "head": 17, "tail": 16,
                "vector": number, "padding": 0, "buffer_size": 2048,
            }
            for number in range(RINGS)
        ]  # fmt: skip

    def save(self, device: Device) -> dict[str, Any]:
        """The link, and where the rings are."""
        spread = {"rss_types": 3, "rss_queues": [number % 3 for number in range(128)], "rss_key": bytes(range(40))}
        more = {} if self.version == 1 else spread
        return {
            "address": bytes.fromhex("525400123456"), "mtu": 1500, "flags": 1, "nr_rings": RINGS, "queues": self.array, "nr_filters": 0,
            "filters": 0, **more,
        }  # fmt: skip


class Function(Example):
    """A function that is passed through to the guest: its vectors go on being raised."""

    compatibles = ("example-function-v1", "example-function-v2")
    struct, field, count = "example_vector", "vectors", "nr_vectors"

    def rows(self) -> list[dict[str, Any]]:
        """Three vectors, one of which waits."""
        return [
            {"address": 0xFEE00010 | number << 5, "data": 0, "control": number & 1, "gsi": 24 + number, "pending": number & 1}
            for number in range(VECTORS)
        ]

    def save(self, device: Device) -> dict[str, Any]:
        """Config space, BARs, and where the vectors are."""
        bar = {"address": 0xFE000000, "size": 0x4000, "flags": 4, "mapped": 1}
        unused = {"address": 0, "size": 0, "flags": 0, "mapped": 0}
        more = {} if self.version == 1 else {"pasid": 0, "reset": 1}
        return {
            "segment": 0, "bdf": self.number << 3, "flags": 7, "iommufd": 1, "nr_vectors": VECTORS, "zero": 0, "vectors": self.array,
            "bars": [bar, *[unused] * 5], "config": bytes(range(256)), **more,
        }  # fmt: skip
