# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""It depends on the page size or the byte order.

What       The two sides understand each other in some environments and not in others; or a size is made from PAGE_SIZE.
Why        What is tested on 4K pages breaks on 16K ones.
Example    the radix tree of kho-v3 became one level deeper, on 16K pages only.
Instead    Test all page sizes; put what depends on them into the record.
Reference  d64b0372760e
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devstate.finding import Finding
    from devstate.layout.model import Layout

RULE = Rule("DS501", "env-dependent-layout", Severity.WARNING, bump=False, category="SOURCE")


def lint(layout: Layout) -> Iterator[Finding]:
    """Fields and links whose size is a whole page, or most of one."""
    for struct in layout.structs:
        for field in struct.fields:
            if layout.environment.page_size // 2 < field.size <= layout.environment.page_size:
                message = f"{field.size} bytes: its size follows the page size"
                yield RULE.finding(message, f"{struct.name}.{field.name}", severity=Severity.INFO, offset=field.offset)


def differing(subject: str, outcomes: Mapping[str, tuple[Outcome, Outcome]]) -> Finding:
    """The finding for two sides whose outcome is not the same everywhere; ``outcomes`` by the words for an environment."""
    words: dict[tuple[Outcome, Outcome], list[str]] = {}
    for where, pair in outcomes.items():
        words.setdefault(pair, []).append(where)
    parts = [f"read-old {pair[0]}, read-new {pair[1]} with {' and '.join(where)}" for pair, where in words.items()]
    return RULE.finding("; ".join(parts), subject, severity=Severity.ERROR)
