# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The ``devstate`` command. ``--version`` is answered here, before anything is imported that is not needed for it."""

from __future__ import annotations

import gc
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command line (``sys.argv`` when ``arguments`` is None) and return the exit status that ``--help`` documents."""
    if arguments is None:
        # A process of its own is short, and what it makes has no cycles worth finding: collecting would take a tenth of its time.
        gc.disable()
        arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from devstate import __version__

        print(f"devstate {__version__}")
        return 0
    from devstate.cli.command import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
