# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who owns a session: conventions of user space, above the kernel, for which token holds what.

The kernel hands over sessions with names and files with tokens; it does not know whose they are. Those who create them agree on more:

=========  ===========================  ===============================================================================
owner      told by                      what it says
=========  ===========================  ===============================================================================
systemd    the session name `systemd`   token 0 is a JSON mapping: unit, name and token of each file (``systemd`` module)
QEMU       token 1 begins with `QCPR`   the CPR state: names of RAM blocks, with tokens (``cprluo`` module)
CRIU       a name `criu-dump-PID`       whose dump it is; its tokens are hashes of paths, which are not handed over
=========  ===========================  ===============================================================================

What a convention does not say has no label: nothing is guessed. Damage is a problem in the answer, never an exception.
"""

from __future__ import annotations

from devstate.handover import cprluo, systemd
from devstate.handover.labels import Labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONTENT_LIMIT = max(systemd.MAX_MAPPING, cprluo.MAX_STATE) + 1
"""Bytes of a file's content that any convention looks at; the one above the limits tells that a file is too large."""

CRIU_PREFIX = "criu-dump-"
"""Session of a dump to memory (posted: CRIU pull request 3152), followed by the process id."""


def labels(session_name: str, read_content: Callable[[int], bytes | None], tokens: Sequence[int]) -> Labels:
    """What is known about the owner of a session and about the files in it.

    ``read_content(token)`` gives the content of that file, or None when it is not in the capture; it may stop after
    ``CONTENT_LIMIT`` bytes and is called only for a token among ``tokens``, at most once. No exceptions but those of ``read_content``.
    """
    if session_name == systemd.SESSION:
        return systemd.labels(read_content(systemd.TOKEN) if systemd.TOKEN in tokens else b"", tokens)
    if session_name.startswith(CRIU_PREFIX):
        pid = session_name[len(CRIU_PREFIX) :]
        if pid.isascii() and pid.isdigit():
            return Labels(f"CRIU, dump of process {pid}", {}, {}, ())
    if cprluo.TOKEN in tokens:
        return cprluo.labels(read_content(cprluo.TOKEN) or b"", tokens)
    return Labels(None, {}, {}, ())
