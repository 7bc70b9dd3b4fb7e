# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Flattened devicetrees, the door of every handover: a strict reader, a writer, and the tree between them. Knows no schema.

``read`` (and ``read_partial`` for cut blobs) makes an :class:`Fdt`, ``write`` (in ``devstate.fdt.writer``) makes bytes of one;
``totalsize`` tells cheaply whether one may start at a place in memory, ``MAGIC`` is what to look for.
"""

from __future__ import annotations

from devstate.fdt.header import MAGIC, Header, header, totalsize
from devstate.fdt.model import Fdt, Node, Property
from devstate.fdt.reader import read, read_partial
from devstate.fdt.rules import ALL_RULES, RULES

__all__ = ["ALL_RULES", "MAGIC", "RULES", "Fdt", "Header", "Node", "Property", "header", "read", "read_partial", "totalsize"]
