# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where a schema's names and a kernel's differ: the few places, each with its reason, shared by the proofs in C and in BTF."""

from __future__ import annotations

from devstate.layout.model import FieldLayout, StructLayout

IN_HEADER = {
    ("kho_vmalloc_chunk", "next"): "hdr.next",
    ("khoser_mem_chunk", "next"): "hdr.next",
    ("khoser_mem_chunk", "order"): "hdr.order",
    ("khoser_mem_chunk", "num_elms"): "hdr.num_elms",
    ("khoser_mem_chunk", "num_ranges"): "hdr.num_ranges",
}
"""Fields that C keeps in a struct ``hdr`` of one page; a schema has them directly."""

FLAT_FORMS = {"linux-kho,v1"}
"""Forms whose C struct has no ``hdr`` either."""

BEHIND = {
    ("luo_session_header_ser", "sessions"),
    ("luo_session_head_ser", "sessions"),
    ("luo_flb_header_ser", "flbs"),
    ("luo_flb_head_ser", "flbs"),
}
"""Arrays that C code finds behind a header struct that does not declare them."""

UNDECLARED = {("iommu_obj_ser", "unused"), ("iommu_domain_ser", "unused")}
"""Bits of a byte that C leaves over behind its bit-fields."""

OWN_STRUCTS = {"kho_cells"}
"""Structs without a counterpart in C: a pair of devicetree cells."""


def c_path(form: str, struct: StructLayout, field: FieldLayout) -> str | None:
    """The name that C has for a field, dots for members of members; None for what C does not declare."""
    key = (struct.name, field.name)
    if field.gap or key in BEHIND or key in UNDECLARED:
        return None
    return field.name if form in FLAT_FORMS else IN_HEADER.get(key, field.name)
