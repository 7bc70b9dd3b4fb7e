# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Put files into a session, and keep it for as long as a command runs.

  devstate luo preserve vm-alpha --file 7=/proc/1234/fd/9 -- agent
  devstate luo preserve --file 8=/proc/self/fd/5

With NAME, the session is made, and ends with the command. Without, the files go into the session in DEVSTATE_SESSION_FD.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.luo.client import SessionClient


RUNS = True
"""What stands behind -- is a command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of a session to make")
    parser.add_argument("--file", metavar="TOKEN=PATH", action="append", default=[], help="a file to preserve, and its token; repeatable")


def run(arguments: argparse.Namespace) -> int:
    """The status of the command, or 0. LiveUpdateError when the kernel refuses, UsageError for wrong arguments."""
    from devstate.cli.command import OK
    from devstate.cli.luo_session import VARIABLE, inherited, keep, token_and_path
    from devstate.errors import UsageError
    from devstate.luo.client import Client

    files = [token_and_path(text) for text in arguments.file]
    if not files:
        raise UsageError("name the files, as --file TOKEN=PATH")
    if arguments.name is None:
        session = inherited()
        if session is None:
            raise UsageError(f"name a session, or give one in {VARIABLE}")
        preserve(session, files)
        return OK
    with Client.open() as client, client.create(arguments.name) as session:
        client.close()  # others may want it while the command runs
        preserve(session, files)
        return keep(session, arguments.command)


def preserve(session: SessionClient, files: list[tuple[int, str]]) -> None:
    """Preserve each. UsageError for a file that cannot be opened, LiveUpdateError, with its path, for one that is refused."""
    import os

    from devstate.errors import LiveUpdateError, UsageError

    for token, path in files:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            session.preserve(fd, token)
        except LiveUpdateError as error:
            raise LiveUpdateError(error.errno, f"{path}: {error.reason}") from error
        finally:
            os.close(fd)
