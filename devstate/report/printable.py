# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Text from the input, made safe for a terminal: names in a handover may hold anything, escape sequences and line breaks too."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with everything that is not printable as in a Python string literal; the same object when there is nothing such."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def quoted(text: str) -> str:
    """``text`` for a list of ``key=value`` words: as it is when it is one plain word, else in double quotes."""
    shown = printable(text)
    if shown and not any(each in ' "=' for each in shown):
        return shown
    return '"' + shown.replace('"', '\\"') + '"'
