# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""End a session of the old kernel: what of it was not retrieved is let go. With no NAME, the one in DEVSTATE_SESSION_FD."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of the session")


def run(arguments: argparse.Namespace) -> int:
    """Finish it. LiveUpdateError when the kernel refuses, UsageError when no session was named."""
    from devstate.cli.command import OK
    from devstate.cli.luo_session import VARIABLE, inherited
    from devstate.errors import UsageError
    from devstate.luo.client import Client

    if arguments.name is None:
        session = inherited()
        if session is None:
            raise UsageError(f"name a session, or give one in {VARIABLE}")
        session.finish()
        return OK
    with Client.open() as client, client.retrieve(arguments.name) as session:
        session.finish()
    return OK
