# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One section of an ELF file, by name: all that is needed to find the ``.BTF`` of a vmlinux.

Both classes, both byte orders, and the extended numbering (more than 65,279 sections). Every offset is checked against the file;
what does not fit is a ``BtfError`` with the offset of the field. The fields that are read (System V gABI, chapters 4 and 5)::

    ELF header      class @4  data @5   e_shoff @32/40   e_shentsize @46/58   e_shnum @48/60   e_shstrndx @50/62   (32 / 64 bit)
    section header  sh_name @0  sh_type @4  sh_flags @8  sh_offset @16/24  sh_size @20/32  sh_link @24/40
"""

from __future__ import annotations

from struct import Struct

from devstate.errors import BtfError, LimitError
from devstate.frozen import frozen

MAX_SECTIONS = 1 << 20
"""A vmlinux built with a section a function has some 200,000; above this the count is not believed."""

SHT_NOBITS = 8
SHF_COMPRESSED = 0x800
SHN_XINDEX = 0xFFFF


@frozen
class Section:
    """One section header: numbers as they stand in the file."""

    name: int
    type: int
    flags: int
    offset: int
    size: int
    link: int


def section(data: memoryview, wanted: str) -> memoryview:
    """The bytes of the section called ``wanted``, as a view of ``data``. BtfError when there is none or the file is malformed."""
    if len(data) < 6 or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise BtfError("the ELF class is unknown", offset=4, expected="class 1..2, data 1..2", found=bytes(data[4:6]).hex() or "the end")
    wide, order = data[4] == 2, "<>"[data[5] - 1]
    fields = Struct(order + ("40xQ10xHHH" if wide else "32xI10xHHH"))
    form = Struct(order + ("IIQQQQI20x" if wide else "IIIIIII12x"))
    if len(data) < fields.size:
        raise BtfError("the ELF header is cut short", offset=0, expected=f"{fields.size} bytes", found=len(data))
    table, step, count, names_at = fields.unpack_from(data)
    if step < form.size:
        raise BtfError("section headers are too small", offset=58 if wide else 46, expected=form.size, found=step)
    if not table:
        raise BtfError("the ELF file has no section headers", offset=40 if wide else 32, expected=f"a section {wanted}", found="e_shoff 0")
    first = _header(data, form, table)
    count = count or first.size  # extended numbering: what does not fit the ELF header stands in the first section header
    if count > MAX_SECTIONS:
        raise LimitError("more sections than a kernel has", offset=table, expected=f"at most {MAX_SECTIONS}", found=count)
    if names_at == SHN_XINDEX:
        names_at = first.link
    if names_at >= count:
        raise BtfError("the index of the section names is out of range", offset=table, expected=f"below {count}", found=names_at)
    names = _content(data, _header(data, form, table + names_at * step))
    label = wanted.encode() + b"\0"
    for index in range(count):
        header = _header(data, form, table + index * step)
        if names[header.name : header.name + len(label)] == label:
            return _content(data, header)
    raise BtfError(f"the ELF file has no section {wanted}", expected="a kernel built with CONFIG_DEBUG_INFO_BTF")


def has_section(data: memoryview, wanted: str) -> bool:
    """Whether an ELF file has a section of this name, malformed ones aside."""
    try:
        section(data, wanted)
    except BtfError as error:
        return not error.message.startswith(("the ELF file has no section",))
    return True


def _header(data: memoryview, form: Struct, at: int) -> Section:
    if at + form.size > len(data):
        raise _outside("a section header", at, form.size, data)
    name, kind, flags, _, offset, size, link = form.unpack_from(data, at)
    return Section(name, kind, flags, offset, size, link)


def _content(data: memoryview, header: Section) -> memoryview:
    if header.type == SHT_NOBITS or header.flags & SHF_COMPRESSED:
        found = f"type {header.type}, flags {header.flags:#x}"
        raise BtfError("the section's bytes do not stand in the file as they are", expected="stored bytes", found=found)
    if header.offset + header.size > len(data):
        raise _outside("a section", header.offset, header.size, data)
    return data[header.offset : header.offset + header.size]


def _outside(what: str, offset: int, size: int, data: memoryview) -> BtfError:
    wanted, found = f"an end at or below {len(data):#x}", f"{offset + size:#x}"
    return BtfError(f"{what} is outside the file", offset=offset, expected=wanted, found=found)
