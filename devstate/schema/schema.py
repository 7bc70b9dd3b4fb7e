# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A schema: one published format, with the contract around its bytes.

A published ``compatible`` is frozen. A change is a new string, in a new schema that ``replaces`` the old one. Where upstream
changed bytes without a new string, both forms are schemas with the same compatible and different ``variant``.
"""

from __future__ import annotations

from collections.abc import Mapping

from devstate.errors import SchemaError
from devstate.finding import Reaction
from devstate.schema.aggregates import Struct
from devstate.schema.expression import Size, checked_size
from devstate.schema.node import Node
from devstate.schema.versions import Versions

ENCODINGS = ("packed", "tagged")
"""A record as C has it; or msgpack maps from the numbers of fields (``About(tag=N)``) to values, for control-plane state."""

STATUSES = ("mainline", "posted", "project")
"""In a released kernel; on a mailing list or in a branch; devstate's own design."""


class Schema:
    """One format.

    ``compatible``  the version string that owns these bytes; None for a format that is versioned otherwise (``version``)
    ``variant``     tells apart forms that share a compatible, such as ``6.16``
    ``root``        a Struct, or a Node for a devicetree
    ``since``/``until``  first and last kernel release that writes it (``until`` None: still written)
    ``source``      the kernel header, commit or series that the layout was read from
    ``found_by``    where a reader finds the address: ``luo_file_ser.data``
    ``carrier``     where the version stands: ``fdt``, ``field:compatible``, ``field:version``, ``string`` (in another struct), ``umbrella``
    ``version``     (field, value) for formats with an integer version
    ``on_mismatch`` what the reading kernel does when it does not know the version
    ``owner``       who allocates the memory; ``freed`` when it is given back: ``restore``, ``finish``, ``never``
    ``limits``      named limits of the format, numbers or PAGE_SIZE arithmetic
    ``constants``   other numbers that writer and reader must share, such as the depth of a tree
    ``versions``    how a reader decides by the version whether it takes the bytes; equal strings when not said
    ``encoding``    ``packed``, or ``tagged`` for msgpack maps (docs/tagged.md)
    ``also``        further structs that belong to the format without being reached from the root
    """

    def __init__(
        self,
        *,
        root: Struct | Node,
        status: str,
        source: str,
        doc: str,
        compatible: str | None = None,
        name: str | None = None,
        variant: str = "",
        replaces: str | None = None,
        since: str | None = None,
        until: str | None = None,
        found_by: str | None = None,
        carrier: str = "umbrella",
        version: tuple[str, int] | None = None,
        on_mismatch: Reaction = Reaction.ACCEPTED,
        owner: str = "",
        freed: str = "",
        limits: Mapping[str, Size] | None = None,
        constants: Mapping[str, Size] | None = None,
        versions: Versions | None = None,
        also: tuple[Struct, ...] = (),
        encoding: str = "packed",
    ) -> None:
        base = name or compatible
        if not base:
            raise SchemaError("a schema has a compatible or a name")
        if status not in STATUSES:
            raise SchemaError(f"unknown status {status!r}; known: {', '.join(STATUSES)}", path=base)
        if encoding not in ENCODINGS:
            raise SchemaError(f"unknown encoding {encoding!r}; known: {', '.join(ENCODINGS)}", path=base)
        if not isinstance(root, Struct if encoding == "tagged" else Struct | Node):
            raise SchemaError(f"the root is a Struct or a Node, found {type(root).__name__}", path=base)
        if not doc or not source:
            raise SchemaError("a schema says what it is (doc) and where the facts come from (source)", path=base)
        self.name = f"{base}@{variant}" if variant else base
        self.compatible = compatible
        self.variant = variant
        self.root = root
        self.status = status
        self.source = source
        self.doc = doc
        self.replaces = replaces
        self.since = since
        self.until = until
        self.found_by = found_by
        self.carrier = carrier
        self.version = version
        self.on_mismatch = on_mismatch
        self.owner = owner
        self.freed = freed
        self.limits = {key: checked_size(value, f"{base}.{key}") for key, value in (limits or {}).items()}
        self.constants = {key: checked_size(value, f"{base}.{key}") for key, value in (constants or {}).items()}
        self.versions = versions or Versions()
        self.also = also
        self.encoding = encoding
