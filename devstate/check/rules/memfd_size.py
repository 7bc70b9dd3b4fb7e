# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A file's size and its folios disagree.

What       Pages of the file are in no folio (and read as zeros), or the size is negative.
Why        The kernel takes the size as it is: what no folio holds is a hole. A memfd is filled when it is preserved, so a hole is
           a loss.
Example    size 1 MiB, folios for 4 KiB; nr_folios 0 with a size.
Instead    Write size and folios from the same moment.
Reference  memfd_luo_retrieve() in mm/memfd_luo.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.model import PreservedFile

RULE = Rule("memfd-size", "A file's size and its folios disagree", Severity.ERROR, Reaction.SILENT_WRONG)


def check(context: Context) -> Iterator[Finding]:
    """Compare the pages that folios hold with the size."""
    handover = context.handover
    page = handover.environment.page_size
    for file in context.bodies():
        audit = context.ownership.audits.get(file.path)
        size = file.size
        if size is None or file.body is None or file.pages is None:
            continue
        pages = -(-size // page)
        if size >= 1 << 63:
            yield RULE.finding(
                handover, "the size is negative", field_pa(file.data_pa, file.body, "size"), f"{file.path}.size", "a size", f"{size:#x}"
            )
        elif not file.nr_folios and size:
            pa = field_pa(file.data_pa, file.body, "nr_folios")
            yield RULE.finding(
                handover,
                "the file has a size and no folios: it reads as zeros",
                pa,
                f"{file.path}.nr_folios",
                f"folios for {pages} pages",
                0,
            )
        elif (
            audit is not None
            and audit.missing is not None
            and not any(name in ("pfn-zero", "beyond-size", "duplicate-index") for name, _, _ in audit.faults)
        ):
            wrong = "nr_folios" if _has_more(context, file) else "size"
            message = f"page {audit.missing} of the file is in no folio: it reads as zeros"
            yield RULE.finding(
                handover,
                message,
                field_pa(file.data_pa, file.body, wrong),
                f"{file.path}.{wrong}",
                f"{pages} pages",
                f"{audit.present} pages",
            )


def _has_more(context: Context, file: PreservedFile) -> bool:
    """Whether the array goes on behind its last counted record."""
    memory, end = context.handover.memory, (file.nr_folios or 0) * 16
    at = file.pages.where(end) if file.pages is not None else None
    return memory is not None and at is not None and memory.contains(at, 16) and any(memory.read(at, 16))
