# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Take files out of a session of the old kernel: their content goes to files, or to a command.

  devstate luo retrieve vm-alpha 7=ram.img 8=bios.img
  devstate luo retrieve vm-alpha 7 8 -- agent

A command finds the descriptors by the numbers in DEVSTATE_FD_TOKEN (DEVSTATE_FD_7). The session ends with this verb, and the kernel
finishes it then: a session can be retrieved once.
"""

from __future__ import annotations

import os

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

CHUNK = 1 << 20
"""Bytes copied at once."""


RUNS = True
"""What stands behind -- is a command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the session")
    parser.add_argument("tokens", metavar="TOKEN[=PATH]", nargs="+", help="tokens, and where their content goes")


def run(arguments: argparse.Namespace) -> int:
    """The status of the command, or 0. LiveUpdateError when the kernel refuses."""
    from devstate.cli.command import OK
    from devstate.cli.luo_session import run_with, token_and_path, token_of
    from devstate.luo.client import Client

    command = arguments.command
    wanted = [token_and_path(word) if "=" in word else (token_of(word), "") for word in arguments.tokens]
    if any(not path for _, path in wanted) and not command:
        raise UsageError("say where the content goes: TOKEN=PATH, or a command behind --")
    with Client.open() as client, client.retrieve(arguments.name) as session:
        client.close()
        fds = [(token, path, session.retrieve(token)) for token, path in wanted]
        try:
            for _, path, fd in fds:
                if path:
                    copy(fd, path)
            return run_with(command, {f"DEVSTATE_FD_{token}": fd for token, _, fd in fds}) if command else OK
        finally:
            for _, _, fd in fds:
                os.close(fd)


def copy(fd: int, path: str) -> None:
    """Write the whole file behind a descriptor to a path. UsageError when that cannot be written."""
    try:
        with open(path, "wb") as out:
            at = 0
            while data := os.pread(fd, CHUNK, at):
                out.write(data)
                at += len(data)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
