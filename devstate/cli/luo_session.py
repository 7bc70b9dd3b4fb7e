# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the verbs of `devstate luo` share: the session they work on, tokens with files, and the command that keeps a session alive."""

from __future__ import annotations

import os

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.luo.client import SessionClient

VARIABLE = "DEVSTATE_SESSION_FD"
"""Where a command finds the session that it was given."""


def inherited() -> SessionClient | None:
    """The session that this process was given; None when there is none. UsageError when the variable is no descriptor."""
    from devstate.luo.client import SessionClient, SystemCalls

    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    if not text.isdigit():
        raise UsageError(f"{VARIABLE} is {text!r}, which is no number of a descriptor")
    return SessionClient(int(text), SystemCalls())


def token_of(text: str) -> int:
    """A token: a number from 0 to 2^64 - 1, decimal or 0x."""
    try:
        token = int(text, 0)
    except ValueError:
        token = -1
    if not 0 <= token < 1 << 64:
        raise UsageError(f"{text!r} is no token; expected a number below 2^64, such as 7 or 0x10")
    return token


def token_and_path(text: str) -> tuple[int, str]:
    """``TOKEN=PATH``."""
    token, equals, path = text.partition("=")
    if not equals or not path:
        raise UsageError(f"{text!r} is not TOKEN=PATH")
    return token_of(token), path


def keep(session: SessionClient, command: list[str]) -> int:
    """Run a command that has the session's descriptor; its exit status. UsageError when there is none, or it cannot be run."""
    if not command:
        raise UsageError("name the command that keeps the session, behind --: the session ends with it")
    return run_with(command, {VARIABLE: session.fd})


def run_with(command: list[str], fds: dict[str, int]) -> int:
    """Run a command that has descriptors, their numbers in variables; its exit status. UsageError when it cannot be run."""
    import subprocess

    variables = {name: str(fd) for name, fd in fds.items()}
    try:
        done = subprocess.run(command, pass_fds=tuple(fds.values()), env={**os.environ, **variables}, check=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{command[0]}: cannot be run: {error}") from error
    return done.returncode if done.returncode >= 0 else 128 - done.returncode
