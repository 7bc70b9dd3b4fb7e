# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What happens when the reader meets a problem: the first one is raised, or all are collected and reading goes on."""

from __future__ import annotations

from devstate.errors import DecodeError, FdtError, LimitError
from devstate.fdt import rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Problems:
    """The policy of one reading: ``allow`` are the rules that may be broken, ``found`` collects problems (None: raise them)."""

    __slots__ = ("allow", "found", "source")

    def __init__(self, source: str | None, allow: AbstractSet[str], found: list[DecodeError] | None) -> None:
        self.source = source
        self.allow = allow
        self.found = found

    def meet(self, error: DecodeError) -> None:
        """Raise the error, or collect it; one above ``rules.MAX_PROBLEMS`` is a LimitError in any case."""
        error.at(source=self.source)
        if self.found is None:
            raise error
        if len(self.found) >= rules.MAX_PROBLEMS:
            raise LimitError("too many problems", source=self.source, offset=error.offset, expected=f"at most {rules.MAX_PROBLEMS}")
        self.found.append(error)

    def judge(self, rule: str, message: str, offset: int, path: str | None = None) -> None:
        """A rule is broken: nothing when that is allowed, else a problem that carries the rule's id."""
        if rule not in self.allow:
            error = FdtError(message, offset=offset, path=path)
            error.rule = rule
            self.meet(error)
