# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every fixed-size string that the kernel reads from a handover, with its place: what the string rules look at."""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.layout.model import BytesType, NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.handover.model import Handover


@frozen
class TextField:
    """All the bytes of a string field ``name`` at ``pa``, in the record at ``path``."""

    path: str
    name: str
    pa: int
    raw: bytes


def text_fields(handover: Handover) -> Iterator[TextField]:
    """The string fields of LUO's struct, sessions, files and FLBs, and of kexec-metadata."""
    luo = handover.luo
    if luo is not None:
        if luo.record is not None and luo.pa is not None:
            yield from _of_record("luo", luo.pa, luo.record)
        for session in luo.sessions:
            yield from _of_record(session.path, session.pa, session.record)
            for file in session.files:
                yield from _of_record(file.path, file.pa, file.record)
        for flb in luo.flbs:
            yield from _of_record(flb.path, flb.pa, flb.record)
    yield from _of_metadata(handover)


def _of_record(path: str, pa: int, record: Any) -> Iterator[TextField]:
    for field in record.layout.fields:
        if isinstance(field.type, BytesType) and field.type.text:
            yield TextField(path, field.name, pa + field.offset, getattr(record, field.name))


def _of_metadata(handover: Handover) -> Iterator[TextField]:
    """From the blob: a record of another version is not decoded, and its string stands where it always did or not at all."""
    subtree = handover.subtree("kexec-metadata")
    if handover.metadata is None or subtree is None or subtree.blob is None or subtree.layout is None:
        return
    if subtree.pa is None or isinstance(subtree.layout.root, NodeLayout):
        return
    for field in subtree.layout.struct().fields:
        if isinstance(field.type, BytesType) and field.type.text:
            raw = bytes(subtree.blob[field.offset : field.offset + field.size])
            yield TextField(subtree.path, field.name, subtree.pa + field.offset, raw)
