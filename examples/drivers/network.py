# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A network card: queues that go on receiving, and the filters that say what reaches which of them.

Contract: the card receives into buffers in preserved memory while the kernel is exchanged; nobody may give these to anyone else. Filters
are in the card already: they are handed over so that the new driver knows them, not to be written again.

::

    example_network_state
    | address | mtu | ... | queues --> example_ring[nr_rings]          receive and transmit rings
                          | filters --> chain of example_filter        address, VLAN or flow to a queue

What the administrator has set goes beside it as a tagged map, ``example-network-settings-v1``: a field that a driver does not know is kept.

v2 hands over how received packets are spread over queues (RSS); v1 left that to what the card happened to have.
"""

from devstate.schema import (
    U8,
    U16,
    U32,
    U64,
    About,
    Array,
    BlockChain,
    Chars,
    Contiguous,
    Converter,
    Enum,
    Flags,
    FlexArray,
    MustBeZero,
    Opaque,
    Phys,
    Raw,
    Reaction,
    Reserved,
    Schema,
    Struct,
    U16be,
    U32be,
    Union,
    this,
)

RINGS_MAX = 256

example_ring = Struct(
    "example_ring",
    "descriptors" / Phys(Opaque()) * "the ring, which the card writes",
    "buffers" / Phys(Opaque()) * "addresses of the buffers, by descriptor",
    "entries" / U32 * About("of the ring", minimum=64, maximum=32768),
    "index" / U16 * "number of the queue in the card",
    "kind" / Enum(U16, RECEIVE=1, TRANSMIT=2) * "which way",
    "head" / U32 * "next descriptor of the card",
    "tail" / U32 * "next descriptor of the driver",
    "vector" / U16 * "MSI-X vector",
    "padding" / MustBeZero(U16),
    "buffer_size" / U32 * About("of one buffer", unit="bytes", maximum=65536),
    packed=True,
    doc="one queue",
)

_address = Struct("example_match_address", "address" / Raw(6) * "of a packet", "mask" / Raw(6) * "bits that count", packed=True)
_vlan = Struct("example_match_vlan", "vlan" / U16be * About("12 bits", maximum=4095), packed=True)
_flow = Struct(
    "example_match_flow",
    "source" / U32be * "IPv4",
    "destination" / U32be * "IPv4",
    "source_port" / U16be * "0: any",
    "destination_port" / U16be * "0: any",
    "protocol" / Enum(U8, TCP=6, UDP=17) * "as in the IP header",
    "reserved" / Reserved(3),
    packed=True,
)

example_filter = Struct(
    "example_filter",
    "kind" / Enum(U32, ADDRESS=1, VLAN=2, FLOW=3) * "which member of match is alive",
    "queue" / U16 * "where packets go that match",
    "priority" / U16 * "the lowest is asked first",
    "hits" / U64 * "packets so far",
    "match" / Union(tag=this.kind, address=(1, _address), vlan=(2, _vlan), flow=(3, _flow)) * "in network byte order",
    packed=True,
    doc="a filter that is in the card",
)


def _state(*more: object) -> Struct:
    return Struct(
        "example_network_state",
        "address" / Raw(6) * "the card's own",
        "mtu" / U16 * About("of the link", unit="bytes", minimum=68, maximum=9216),
        "flags" / Flags(U32, LINK_UP=0, PROMISCUOUS=1, MULTICAST=2) * "the link, and what is received",
        "nr_rings" / U32 * About("queues of both kinds", maximum=RINGS_MAX),
        "queues" / Phys(Contiguous(example_ring, this.nr_rings, RINGS_MAX * 40)) * "in the order of the card",
        "nr_filters" / U64 * "filters in the chain",
        "filters" / Phys(BlockChain(example_filter, this.nr_filters)) * "0 when there is none",
        *more,
        packed=True,
        doc="one card",
    )


_COMMON = {
    "status": "project",
    "source": "examples/drivers/network.py",
    "found_by": "devices/driver-N",
    "carrier": "string",
    "on_mismatch": Reaction.RETRIEVE_FAILS,
    "owner": "example network driver",
    "freed": "finish",
    "limits": {"rings": RINGS_MAX, "blocks": 256},
}

SCHEMAS = [
    Schema(compatible="example-network-v1", doc="a card with its queues and filters", root=_state(), **_COMMON),  # type: ignore[arg-type]
    Schema(
        compatible="example-network-v2",
        replaces="example-network-v1",
        doc="a card with its queues, filters and spreading",
        root=_state(
            "rss_types" / Flags(U32, IPV4=0, TCP4=1, IPV6=2, TCP6=3) * "what is hashed; 0: nothing is spread",
            "rss_queues" / Array(128, U8) * "queue of each hash",
            "rss_key" / Raw(40) * "key of the hash",
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
]

_vlan_setting = Struct(
    "example_vlan_setting",
    "vlan" / U16 * About("its number", tag=1, maximum=4095),
    "name" / Chars(16) * About("of its interface", tag=2),
    packed=True,
    doc="an interface on top of the card",
)

_settings = Struct(
    "example_network_settings",
    "name" / Chars(16) * About("of the interface", tag=1),
    "alias" / Chars(256) * About("what people call it", tag=2, optional=True),
    "mtu" / U16 * About("of the link", unit="bytes", tag=3, optional=True, default=1500),
    "features" / Flags(U64, CHECKSUM=0, SEGMENTATION=1, LARGE_RECEIVE=2) * About("what the card does for the stack", tag=4),
    "speed" / U32 * About("forced; 0: negotiated", unit="Mbit/s", tag=5, optional=True, default=0),
    "vlans" / FlexArray(_vlan_setting) * About("interfaces on top", tag=6),
    packed=True,
    doc="what the administrator has set",
)

SCHEMAS.append(
    Schema(
        compatible="example-network-settings-v1",
        doc="what the administrator has set",
        encoding="tagged",
        root=_settings,
        **(_COMMON | {"limits": {}}),  # type: ignore[arg-type]
    )
)

CONVERTERS = [
    Converter(
        "example-network-v1",
        "example-network-v2",
        up={"rss_types": 0, "rss_queues": [0] * 128, "rss_key": bytes(40)},
        loses=("rss_types", "rss_queues", "rss_key"),
    )
]
