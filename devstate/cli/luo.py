# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Talk to the live update orchestrator of the running kernel (/dev/liveupdate). `devstate luo VERB --help` explains a verb:

  status    whether the orchestrator is there, and whether it took what the old kernel left
  create    make a session, and keep it for as long as a command runs
  preserve  put files into a session, and keep it for as long as a command runs
  retrieve  take files out of a session of the old kernel
  finish    end a session of the old kernel
  names     name the sessions that this process was given

A session lives as long as a descriptor of it is open: `create` and `preserve` give theirs to the command that they run, by the number
in DEVSTATE_SESSION_FD.
"""

from __future__ import annotations

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

VERBS = ("status", "create", "preserve", "retrieve", "finish", "names")
"""The verbs of this verb: VERB is in the module luo_VERB."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what stands where no verb of ours was found."""
    parser.add_argument("verb", metavar="VERB", help="one of the above, and then its own arguments")


def run(arguments: argparse.Namespace) -> int:
    """UsageError: there is no such verb, else its module would run."""
    from devstate.cli.command import suggest

    raise UsageError(f"luo has no verb {arguments.verb!r}{suggest(arguments.verb, VERBS)}; see `devstate luo --help`")
