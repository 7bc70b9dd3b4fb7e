# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The layout changed and the version did not.

What       At least one change needs a new version, and no version on the way to it changed. It stands for all of them; they follow by
           themselves.
Why        A kernel that finds its own version reads on: what would be refused is misread.
Example    the bitmaps of kho-v1 grew from 512 bytes to a page, and the string stayed.
Instead    Publish the next version; devstate says which edit that is.
Reference  "any change to the FDT structure, properties or structs requires a new compatible": the contract in include/linux/kho/abi/*.h
"""

from __future__ import annotations

from devstate.compat.change import unguarded
from devstate.compat.rule import Rule
from devstate.compat.versions import version_of
from devstate.compat.words import names_text
from devstate.finding import Severity
from devstate.layout.baseline import fingerprint
from devstate.layout.plain import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.compat.change import Change, Comparison
    from devstate.finding import Finding
    from devstate.layout.model import Layout

RULE = Rule("DS301", "layout-changed-without-bump", Severity.ERROR)


def check(comparison: Comparison) -> Iterator[Finding]:
    """One finding for each version that should have changed."""
    by_version: dict[str, list[Change]] = {}
    for change in unguarded(comparison):
        owner = next((guard for guard in reversed(change.guards) if guard.old is not None or guard.new is not None), None)
        if owner is not None:
            by_version.setdefault(f"{owner.where}\0{owner.old}", []).append(change)
    for key, changes in by_version.items():
        where, _, version = key.partition("\0")
        subjects = names_text(dict.fromkeys(change.subject for change in changes))
        outcomes = max(change.read_old for change in changes), max(change.read_new for change in changes)
        yield RULE.finding(f"{version} did not change, but what it stands for did: {subjects}", where or comparison.name, *outcomes)


def shared(formats: Sequence[Layout]) -> Iterator[tuple[Finding, tuple[str, ...]]]:
    """Layouts of one source that are found at one place, say the same version and are not the same: it was changed in place. Each
    finding with the names of all of them; what was only posted is apart from what was released."""
    kin: dict[tuple[str | None, str | None, str], list[Layout]] = {}
    for layout in formats:
        if layout.compatible is not None:
            kin.setdefault((version_of(layout), layout.found_by, layout.status), []).append(layout)
    for (version, *_), layouts in kin.items():
        prints = {fingerprint([to_plain(each.root), to_plain(each.structs)]) for each in layouts}
        if len(prints) > 1:
            names = tuple(each.name for each in layouts)
            yield RULE.finding(f"{version} stands for {len(prints)} different layouts: {names_text(names)}", names[0]), names
