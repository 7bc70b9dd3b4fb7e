# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whether a reader takes what a writer wrote, by their versions alone. The rule is data of the layout (``VersionLayout``)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Layout

SAME, DECODES, PREFIX, REFUSED = "same", "decodes", "prefix", "refused"
"""Taken for its own version; taken by a decoder for that version; taken although newer, the known part of it; refused."""


def taken(reader: Layout, writer: Layout) -> str:
    """One of the four words, for a whole format."""
    rule = reader.versions
    if rule.kind == "ordered" and reader.version is not None and writer.version is not None:
        return _ordered(reader, writer)
    if rule.kind == "features":
        unknown = set(writer.versions.needs) - set(rule.knows)
        return REFUSED if unknown or not _same(reader, writer) else PREFIX
    if _same(reader, writer):
        return SAME
    own, written = version_of(reader), version_of(writer)
    if rule.kind == "composite" and written is not None and own is not None:
        known = {*own.split(";"), *rule.accepts}
        return DECODES if {*written.split(";")} <= known else REFUSED
    if written in rule.accepts:
        return DECODES
    if own in writer.versions.writes:  # the old form stands beside the new one
        return DECODES
    return DECODES if any(each in rule.accepts for each in writer.versions.writes) else REFUSED


def _same(reader: Layout, writer: Layout) -> bool:
    return version_of(reader) == version_of(writer)


def _ordered(reader: Layout, writer: Layout) -> str:
    assert reader.version is not None and writer.version is not None  # asked before
    own, written = reader.version[1], writer.version[1]
    if own == written:
        return SAME
    if reader.compatible != writer.compatible:
        return REFUSED
    if written < own:
        return DECODES if written >= (own if reader.versions.min_accepted is None else reader.versions.min_accepted) else REFUSED
    least = writer.versions.min_reader
    return PREFIX if least is not None and least <= own else REFUSED


def version_of(layout: Layout) -> str | None:
    """The version that a layout carries, in one text: its string, its number, or both."""
    number = None if layout.version is None else str(layout.version[1])
    parts = [part for part in (layout.compatible, number) if part is not None]
    return " version ".join(parts) if parts else None


def split_number(text: str) -> tuple[str, int | None]:
    """``luo-v5`` as (``luo-v``, 5); a text that ends in no number as (text, None)."""
    head = text.rstrip("0123456789")
    return (head, int(text[len(head) :])) if head != text else (text, None)


def next_version(text: str) -> str:
    """The string that comes after ``text``: ``luo-v6`` after ``luo-v5``, ``pci-v2`` after ``pci``, the first part of a composite one."""
    first, semicolon, rest = text.partition(";")
    head, number = split_number(first)
    return f"{head}{number + 1 if number is not None else '-v2'}{semicolon}{rest}"


def family(text: str) -> str:
    """What versions of one format share: ``luo`` of ``luo-v5``, ``luo-v5;block-v1`` and ``luo``."""
    return split_number(text.partition(";")[0])[0].rstrip("v").rstrip("-_,@")
