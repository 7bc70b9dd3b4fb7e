# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A pointer leads to something else.

What       The field is the same, what stands at its address is not.
Why        The reader takes the first bytes there for what it knows. No offset shows it.
Example    files of luo_file_set_ser: an array of luo_file_ser, then a chain of blocks of them.
Instead    Take another field for the new thing; or publish a new version.
Reference  1d1153097f4d, luo-v4 to luo-v5, where no field moves
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("DS402", "pointer-target-changed", Severity.ERROR, ("target",))


def message(change: Change) -> str:
    """The change in words."""
    return f"{was_and_is(change)}"
