# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A file's handler string is unknown to the reading kernel.

What       No schema has the string, or no handler of the reading kernel does.
Why        "No registered handler": the whole deserialization fails, and every open of /dev/liveupdate is EIO until the machine is
           rebooted.
Example    memfd-v9.
Instead    Jump to a kernel that has the handler, or do not preserve the file.
Reference  luo_file_deserialize() in kernel/liveupdate/luo_file.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, counts_at, field_pa
from devstate.finding import Reaction, Severity
from devstate.layout.release import writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("file-compatible", "A file's handler string is unknown to the reading kernel", Severity.ERROR, Reaction.OPEN_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Compare with the known handlers, and with those of the reading release."""
    handover = context.handover
    registry, release = handover.registry, context.release
    for file in handover.files:
        names = registry.names(file.compatible)
        mainline = [name for name in names if registry.summaries[name].status == "mainline"]
        known = any(writes(registry.summaries[name], release) for name in mainline) if release is not None and mainline else bool(names)
        if not known:
            message = "no handler has this string" if release is None else f"kernel {release} has no handler for this string"
            yield RULE.finding(
                handover,
                message,
                field_pa(file.pa, file.record, "compatible"),
                f"{file.path}.compatible",
                "a known handler",
                repr(file.compatible),
                related=counts_at(handover, file.pa),
            )
