# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Name the sessions that this process was given: the one in DEVSTATE_SESSION_FD, and those whose descriptors are named.

The kernel lists no sessions; it names one for whoever holds its descriptor, since 7.2. What a handover on its way holds is shown by
`devstate inspect`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("fds", metavar="FD", nargs="*", help="descriptors of sessions that this process was started with")


def run(arguments: argparse.Namespace) -> int:
    """Print one name a line. LiveUpdateError for what is no session, UsageError for none at all."""
    from devstate.cli.command import OK
    from devstate.cli.luo_session import VARIABLE, inherited
    from devstate.errors import UsageError
    from devstate.luo.client import SessionClient, SystemCalls
    from devstate.report.printable import printable

    given = inherited()
    sessions = [given] if given is not None else []
    for text in arguments.fds:
        if not text.isdigit():
            raise UsageError(f"{text!r} is no number of a descriptor")
        sessions.append(SessionClient(int(text), SystemCalls()))
    if not sessions:
        raise UsageError(f"give a session in {VARIABLE}, or the numbers of descriptors")
    for session in sessions:
        print(printable(session.name()))
    return OK
