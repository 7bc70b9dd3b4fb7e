# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Damage a handover on purpose: write IMAGE with one field or more changed, and print what was changed as JSON.

The same seed gives the same damage. A change is one edit of one field of a known class: a count one off, a link to nowhere or to itself,
a text without its end, a lost bit of the memory map. Each has pa, old and new bytes (hex), path, class and edit; docs/build.md lists them.
Sums around it are left as they were, or repaired, which is a change of its own.
"""

from __future__ import annotations

from devstate.cli.inputs import add_inputs, number, open_given
from devstate.errors import EncodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.handover.model import Handover
    from devstate.handover.mutate import Change


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_inputs(parser, "IMAGE")
    parser.add_argument("--seed", metavar="N", type=number, required=True, help="which damage: a number")
    parser.add_argument("--count", metavar="N", type=number, default=1, help="how many changes (default: 1)")
    parser.add_argument("--below", metavar="PATH", default="", help="only fields whose path begins so, such as devstate/iommu")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where the damaged core goes")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")


def run(args: argparse.Namespace) -> int:
    """Write the core, print the record; 0. UsageError for an input without memory."""
    import json

    from devstate.handover.mutate import mutate

    handover = open_given(args, args.image)
    if handover.memory is None:
        raise UsageError(f"{handover.source}: only a handover in memory can be damaged")
    changes = mutate(handover, args.seed, args.count, args.below)
    write_core(handover, changes, args.output, force=args.force)
    print(json.dumps({"image": args.image, "seed": args.seed, "changes": [shown(each) for each in changes]}, indent=2))
    return 0


def shown(change: Change) -> dict[str, str]:
    """A change as JSON."""
    return {
        "pa": hex(change.pa),
        "old": change.old.hex(),
        "new": change.new.hex(),
        "path": change.path,
        "class": change.what,
        "edit": change.how,
    }


def write_core(handover: Handover, changes: list[Change], path: str, *, force: bool) -> None:
    """Write the damaged core; its note says what was known of the image. UsageError when it is there and not ``force``."""
    from devstate.handover.mutate import damaged
    from devstate.memory.notes import HandoverNote
    from devstate.memory.save import save_elf

    size = 16 * len(handover.scratch) if handover.scratch is not None else None
    note = HandoverNote(handover.fdt_pa, handover.scratch_pa, size, handover.environment.page_size)
    try:
        with open(path, "wb" if force else "xb") as file:
            regions = damaged(handover, changes)
            save_elf(file, regions, note, byteorder=handover.environment.byte_order, compress=path.endswith(".zst"))
    except FileExistsError:
        raise UsageError(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror or error}", source=path) from None
