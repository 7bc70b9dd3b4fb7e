# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a convention above the kernel says about one session: the answer of ``devstate.handover.conventions``."""

from __future__ import annotations

from devstate.frozen import frozen

MAX_PROBLEMS = 32
"""Problems that are told one by one; a damaged mapping has as many as entries, and the first tell what is wrong."""


@frozen
class Labels:
    """``owner`` of the session (None: unknown), ``tokens`` {token: what the file is}, ``sessions`` {name of another session: whose it is},
    ``problems`` in words. Texts are printable, whatever bytes they were made of."""

    owner: str | None
    tokens: dict[int, str]
    sessions: dict[str, str]
    problems: tuple[str, ...]


def shown(text: str) -> str:
    """Text from the handover, safe for a terminal: what is not printable is escaped as in a Python string."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode() for each in text)


class Problems:
    """Collects problems in words: the first MAX_PROBLEMS, and how many more there are."""

    __slots__ = ("more", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.more = 0

    def add(self, text: str) -> None:
        """Take down one problem."""
        if len(self.texts) < MAX_PROBLEMS:
            self.texts.append(text)
        else:
            self.more += 1

    def told(self) -> tuple[str, ...]:
        """All of them, in order."""
        return (*self.texts, f"{self.more} more problems") if self.more else tuple(self.texts)
