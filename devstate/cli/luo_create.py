# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Make a session, and keep it for as long as a command runs.

  devstate luo create vm-alpha -- agent --its arguments

The command finds the session's descriptor by the number in DEVSTATE_SESSION_FD; its exit status is that of the verb.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


RUNS = True
"""What stands behind -- is a command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="1 to 63 bytes")


def run(arguments: argparse.Namespace) -> int:
    """The status of the command. LiveUpdateError when the kernel refuses."""
    from devstate.cli.luo_session import keep
    from devstate.luo.client import Client

    with Client.open() as client, client.create(arguments.name) as session:
        client.close()  # others may want it while the command runs
        return keep(session, arguments.command)
