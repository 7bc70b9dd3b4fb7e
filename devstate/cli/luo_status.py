# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Say whether the orchestrator is there, and whether it took what the old kernel left.

Opening the device is what makes a kernel take the handover over; it is closed again at once. Exit status 0: it can be used; 1: it cannot.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--json", action="store_true", help="print a JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Open the device, and say what happened."""
    import errno

    from devstate.cli.command import FINDINGS, OK
    from devstate.errors import LiveUpdateError
    from devstate.luo import uapi
    from devstate.luo.client import Client

    error: LiveUpdateError | None = None
    try:
        Client.open().close()
    except LiveUpdateError as refused:
        error = refused
    if arguments.json:
        from devstate.report.json import write

        name = None if error is None else errno.errorcode.get(error.errno, str(error.errno))
        reason = None if error is None else error.reason
        write({"device": uapi.PATH, "release": os.uname().release, "usable": error is None, "errno": name, "reason": reason}, sys.stdout)
    else:
        print(f"{uapi.PATH} of kernel {os.uname().release}: it can be used" if error is None else str(error))
    return OK if error is None else FINDINGS
