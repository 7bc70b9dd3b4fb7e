# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A storage controller like NVMe: queues in memory, doorbells, commands that the device still works on.

Contract: the device goes on while the kernel is exchanged. The queues, the shadow doorbells and the data of commands stay where they are,
in preserved memory; what is handed over is where they are and how far the driver had come. A command is there until it
was completed.

::

    example_controller_state
    | configuration | ... | queues --> example_queue[nr_queues]      ring of submissions, ring of completions
                          | doorbells --> u32[nr_doorbells]          shadow doorbells, written by driver and device
                          | commands --> chain of example_command    by the number that the device gives back

v2 counts the time that is left in microseconds, and says how interrupts are put together.
"""

from devstate.schema import (
    U8,
    U16,
    U32,
    U64,
    About,
    BlockChain,
    Contiguous,
    Converter,
    Enum,
    Flags,
    MustBeZero,
    Opaque,
    Phys,
    Reaction,
    Reserved,
    Schema,
    Struct,
    this,
)

QUEUES_MAX = 128
"""Queues of a controller: one pair for administration, one for each CPU of a large machine."""

example_queue = Struct(
    "example_queue",
    "submissions" / Phys(Opaque()) * "ring of 64-byte entries",
    "completions" / Phys(Opaque()) * "ring of 16-byte entries",
    "entries" / U32 * About("of each ring", minimum=2, maximum=65536),
    "number" / U16 * "0 is the queue for administration",
    "vector" / U16 * "interrupt that its completions raise",
    "head" / U16 * "next completion that the driver takes",
    "tail" / U16 * "next submission that the driver writes",
    "phase" / U16 * About("what marks a completion as new", maximum=1),
    "flags" / Flags(U16, INTERRUPT=0, POLLED=1) * "how completions are noticed",
    packed=True,
    doc="a pair of rings",
)

example_command = Struct(
    "example_command",
    "queue" / U16 * "number of its queue",
    "identifier" / U16 * "number by which the device completes it",
    "opcode" / Enum(U8, FLUSH=0, WRITE=1, READ=2, TRIM=9) * "what it does",
    "flags" / Flags(U8, RETRIED=0, FORCED=1) * "sent again; past the cache",
    "reserved" / Reserved(2),
    "blocks" / U32 * About("how many, less one", unit="blocks"),
    "left_ms" / U32 * About("until it counts as lost", unit="milliseconds"),
    "first" / U64 * "first block",
    "data" / Phys(Opaque()) * "list of pages that the device reads or writes; 0 for none",
    packed=True,
    doc="a command that was not completed when the state was frozen",
)


def _state(*more: object) -> Struct:
    return Struct(
        "example_controller_state",
        "configuration" / U32 * About("register CC", hint="hex"),
        "status" / Enum(U32, READY=1, QUIESCED=2) * "how the device was left: taking commands, or finishing those that it has",
        "doorbell_stride" / U32 * About("between two doorbells, a power of two", unit="bytes", minimum=4, maximum=4096),
        "nr_queues" / U32 * About("pairs, the one for administration included", minimum=1, maximum=QUEUES_MAX),
        "queues" / Phys(Contiguous(example_queue, this.nr_queues, QUEUES_MAX * 28)) * "all pairs, by number",
        "nr_doorbells" / U32 * About("two for each queue", maximum=2 * QUEUES_MAX),
        "zero" / MustBeZero(U32),
        "doorbells" / Phys(Contiguous(U32, this.nr_doorbells, QUEUES_MAX * 8)) * "shadow doorbells; 0 when the device has none",
        "nr_commands" / U64 * "commands in the chain",
        "commands" / Phys(BlockChain(example_command, this.nr_commands)) * "0 when all were completed",
        *more,
        packed=True,
        doc="one controller",
    )


_V1 = _state("keep_alive" / U32 * About("until the controller gives up on us", unit="milliseconds"), "padding" / MustBeZero(U32))
_V2 = _state(
    "keep_alive" / U64 * About("until the controller gives up on us", unit="microseconds"),
    "coalesce_time" / U16 * About("that an interrupt may wait", unit="100 microseconds", maximum=255),
    "coalesce_count" / U16 * About("completions that one interrupt stands for, less one", maximum=255),
    "padding" / MustBeZero(U32),
)

_COMMON = {
    "status": "project",
    "source": "examples/drivers/controller.py",
    "found_by": "devices/driver-N",
    "carrier": "string",
    "on_mismatch": Reaction.RETRIEVE_FAILS,
    "owner": "example controller driver",
    "freed": "finish",
    "limits": {"queues": QUEUES_MAX, "blocks": 64},
}

SCHEMAS = [
    Schema(compatible="example-controller-v1", doc="a controller with its queues and commands", root=_V1, **_COMMON),  # type: ignore[arg-type]
    Schema(
        compatible="example-controller-v2",
        replaces="example-controller-v1",
        doc="a controller with its queues, commands and interrupt coalescing",
        root=_V2,
        **_COMMON,  # type: ignore[arg-type]
    ),
]

CONVERTERS = [
    Converter(
        "example-controller-v1",
        "example-controller-v2",
        up={"keep_alive": this.keep_alive * 1000, "coalesce_time": 0, "coalesce_count": 0},
        down={"keep_alive": this.keep_alive // 1000},
        loses=("keep_alive", "coalesce_time", "coalesce_count"),
    )
]
