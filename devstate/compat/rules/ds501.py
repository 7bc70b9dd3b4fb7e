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
from devstate.compat.words import names_text
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from devstate.finding import Finding
    from devstate.layout.model import Layout, StructLayout

RULE = Rule("DS501", "env-dependent-layout", Severity.WARNING, bump=False, category="SOURCE")


def lint(layout: Layout) -> Iterator[Finding]:
    """Fields and links whose size is a whole page, or most of one."""
    for struct in layout.structs:
        for field in struct.fields:
            if layout.environment.page_size // 2 < field.size <= layout.environment.page_size:
                message = f"{field.size} bytes: its size follows the page size"
                yield RULE.finding(message, f"{struct.name}.{field.name}", severity=Severity.INFO, offset=field.offset)


def across(layouts: Sequence[Layout]) -> Iterator[Finding]:
    """Structs of one format that are not the same in all environments: their sizes, and the fields that make the difference."""
    first = layouts[0]
    others = [{struct.name: struct for struct in layout.structs} for layout in layouts[1:]]
    for struct in first.structs:
        twins = [known[struct.name] for known in others if struct.name in known]
        places = {field.name: (field.offset, field.size) for field in struct.fields}
        moving = [name for name, place in places.items() if any(_places(twin).get(name, place) != place for twin in twins)]
        if moving:
            pages = ", ".join(f"{layout.environment.page_size // 1024}K" for layout in layouts)
            sizes = ", ".join(str(each.size) for each in (struct, *twins))
            message = f"it follows the page size: {sizes} bytes with {pages} pages, by {names_text(moving)}"
            yield RULE.finding(message, struct.name, severity=Severity.INFO)


def _places(struct: StructLayout) -> dict[str, tuple[int, int]]:
    return {field.name: (field.offset, field.size) for field in struct.fields}


def differing(subject: str, outcomes: Mapping[str, tuple[Outcome, Outcome]]) -> Finding:
    """The finding for two sides whose outcome is not the same everywhere; ``outcomes`` by the words for an environment."""
    words: dict[tuple[Outcome, Outcome], list[str]] = {}
    for where, pair in outcomes.items():
        words.setdefault(pair, []).append(where)
    parts = [f"read-old {pair[0]}, read-new {pair[1]} with {' and '.join(where)}" for pair, where in words.items()]
    return RULE.finding("; ".join(parts), subject, severity=Severity.ERROR)
