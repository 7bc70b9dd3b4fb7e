# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Look at, compare, judge and move IOMMU page tables. `devstate pt VERB --help` explains a verb:

  walk      what a tree of tables maps, as extents, and its totals
  verify    whether the structure of a tree of tables is sound
  diff      what differs between two trees of tables
  pack      write a tree of tables as a compact stream
  unpack    write the tables of a stream back, bit-identical
  prove     whether every page that a device can reach is preserved
  estimate  what preserving tables costs before the jump
  example   build the tables of a realistic guest, to try the others on
"""

from __future__ import annotations

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

VERBS = ("walk", "verify", "diff", "pack", "unpack", "prove", "estimate", "example")
"""The verbs of this verb: VERB is in the module pt_VERB."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what stands where no verb of ours was found."""
    parser.add_argument("verb", metavar="VERB", help="one of the above, and then its own arguments")


def run(arguments: argparse.Namespace) -> int:
    """UsageError: there is no such verb, else its module would run."""
    from devstate.cli.command import suggest

    raise UsageError(f"pt has no verb {arguments.verb!r}{suggest(arguments.verb, VERBS)}; see `devstate pt --help`")
