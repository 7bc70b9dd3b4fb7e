# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A row of a benchmark's table: a figure, what it must reach and what it aims at."""

from __future__ import annotations

from typing import TypedDict


class Row(TypedDict):
    """``must`` and ``aim`` are in ``unit``, or None for a figure that only informs; ``ok`` is whether ``must`` is met."""

    name: str
    value: float
    unit: str
    must: float | None
    aim: float | None
    ok: bool


def at_most(name: str, value: float, unit: str, must: float | None = None, aim: float | None = None) -> Row:
    """A figure that is the better the lower it is."""
    return Row(name=name, value=value, unit=unit, must=must, aim=aim, ok=must is None or value <= must)


def at_least(name: str, value: float, unit: str, must: float | None = None, aim: float | None = None) -> Row:
    """A figure that is the better the higher it is."""
    return Row(name=name, value=value, unit=unit, must=must, aim=aim, ok=must is None or value >= must)
