# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The version rule of a format: how a reading kernel decides by the version whether it takes the bytes.

::

    Versions()                                                    equal strings: what every kernel up to 7.3 does
    Versions(accepts=("memfd-v1",))                               and it still has a decoder for memfd-v1
    Versions("ordered", min_accepted=1, min_reader=3)             numbers: reads 1 up to its own; readers from 3 on read what it writes
    Versions("composite", accepts=("vmalloc-v1",))                "memfd-v2;vmalloc-v2", equal part by part
    Versions("several", writes=("luo-v5",))                       both versions stand in one handover
    Versions("features", knows=("SEALS",), needs=("FOLIOS",))     bits in place of a version
"""

from __future__ import annotations

from devstate.errors import SchemaError

KINDS = ("equal", "ordered", "composite", "several", "features")


class Versions:
    """See the module. SchemaError for an unknown kind, and for numbers that only ``ordered`` has."""

    def __init__(
        self,
        kind: str = "equal",
        *,
        accepts: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        min_accepted: int | None = None,
        min_reader: int | None = None,
        knows: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
    ) -> None:
        if kind not in KINDS:
            raise SchemaError(f"unknown version rule {kind!r}; known: {', '.join(KINDS)}")
        if kind != "ordered" and (min_accepted is not None or min_reader is not None):
            raise SchemaError("only ordered versions have a least accepted version and a least reader")
        self.kind = kind
        self.accepts = tuple(accepts)
        self.writes = tuple(writes)
        self.min_accepted = min_accepted
        self.min_reader = min_reader
        self.knows = tuple(knows)
        self.needs = tuple(needs)
