# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The ``devstate`` command. ``--version`` is answered here, before anything is imported that is not needed for it."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main(arguments: list[str]) -> int:
    """Run a command line and return the exit status that ``--help`` documents. Raises nothing."""
    if arguments == ["--version"]:
        from devstate import __version__

        print(f"devstate {__version__}")
        return 0
    from devstate.cli.command import run

    return run(arguments)


def script() -> NoReturn:
    """The installed command: :func:`main` as a process of its own.

    Such a process is short: looking for cycles, and tidying up at its end what the system tidies up anyway, took a sixth of the time
    of a whole ``inspect``. Files are closed by those who write them.
    """
    gc.disable()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: what is written is for nobody
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as the process lives
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except OSError:  # nobody reads standard output, or there is no room for it
        status = 2
    os._exit(status)


if __name__ == "__main__":
    script()
