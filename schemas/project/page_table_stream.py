# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The page-table stream: IOMMU page tables as a file, to be put back bit for bit.

Contract ([page-table-stream.md](page-table-stream.md), which has every byte): written by ``devstate pt pack``, no kernel reads it. A reader
refuses another version, and every part whose crc32c does not fit; the chunks that are whole stay usable. All integers are little-endian.
These are the structs; that page has the page lists and records inside of chunks too.

::

    header 64 bytes | chunk 0 | chunk 1 | ... | chunk n | trailer 96 bytes      addresses ascend over all chunks

    chunk:  header 32 bytes | page list | records | zeros up to a multiple of 8
    record: ZERO | REPEAT | RUN base, step | PACKED: head 8 bytes, form 16 bytes, arrays of bits | LITERAL 4096 bytes
"""

from devstate.schema import U8, About, Array, Chars, Const, Flags, MustBeZero, Reaction, Schema, Struct, U16le, U32le, U64le

_CRC = About("crc32c of all before it", hint="hex")
_BYTES = About("bytes", unit="bytes", hint="bytes")

ds_pages_header = Struct(
    "ds_pages_header",
    "magic" / Const(U64le, int.from_bytes(b"ds-pages", "little")) * About("ds-pages", hint="hex"),
    "version" / Const(U16le, 1),
    "header_size" / Const(U16le, 64),
    "levels" / U8 * About("levels of the tree; 0, and all of the tree's fields, for pages of no tree", maximum=7),
    "table_shift" / U8 * "log2 of the bytes of a table: 12, 14, 16",
    "page_shift" / U8 * "log2 of the bytes of a page: 12",
    "flags" / Flags(U8, SIGN_EXTENDED=0),
    "format" / Chars(24) * "name of the format of the entries",
    "top_table" / U64le * About("top table", hint="pa"),
    "top_entries" / U32le * "entries of the top table, a power of two",
    "zero" / MustBeZero(U64le),
    "crc" / U32le * _CRC,
    packed=True,
)

ds_pages_chunk = Struct(
    "ds_pages_chunk",
    "magic" / Const(U32le, int.from_bytes(b"chnk", "little")) * About("chnk", hint="hex"),
    "number" / U32le * "from 0",
    "first_pa" / U64le * About("its first page", hint="pa"),
    "body_size" / U32le * About("page list, records and zeros: a multiple of 8", unit="bytes", hint="bytes"),
    "pages" / U16le * About("pages in it", minimum=1, maximum=256),
    "list_size" / U16le * About("bytes of the page list", unit="bytes", hint="bytes"),
    "body_crc" / U32le * About("crc32c of the body", hint="hex"),
    "crc" / U32le * _CRC,
    packed=True,
)

ds_pages_run = Struct(
    "ds_pages_run",
    "kind" / Const(U8, 2),
    "step" / U8 * About("0, or log2 of the step", maximum=63),
    "base" / U64le * About("the first word", hint="hex"),
    packed=True,
)

ds_pages_packed = Struct(
    "ds_pages_packed",
    "kind" / U8 * "3, or 11 for the form of the packed record before",
    "step" / U8 * About("0, or log2 of the step", maximum=63),
    "runs" / U16le * About("runs of words that are not 0", minimum=1, maximum=512),
    "gaps" / U16le * About("smallest gap in bits 0-9, width of the array in bits 12-15", hint="hex"),
    "lengths" / U16le * About("the same of the lengths of runs", hint="hex"),
    packed=True,
)

ds_pages_form = Struct(
    "ds_pages_form",
    "mask" / U64le * About("bits in which the first words of runs differ", hint="hex"),
    "rest" / U64le * About("bits that all of them have, outside of the mask", hint="hex"),
    packed=True,
)

ds_pages_trailer = Struct(
    "ds_pages_trailer",
    "magic" / Const(U32le, int.from_bytes(b"tail", "little")) * About("tail", hint="hex"),
    "chunks" / U32le * "chunks in the stream",
    "pages" / U64le * "pages in the stream",
    "size" / U64le * _BYTES,
    "levels" / Array(8, U64le) * "pages by level; the last of no tree",
    "chain" / U32le * About("crc32c over the crcs of all headers, in order", hint="hex"),
    "crc" / U32le * _CRC,
    packed=True,
)

SCHEMAS = [
    Schema(
        name="page-table-stream",
        version=("version", 1),
        status="project",
        doc="IOMMU page tables as a file; the structs around page lists and records",
        source="docs/page-table-stream.md",
        root=ds_pages_header,
        found_by="the start of the file",
        carrier="field:version",
        on_mismatch=Reaction.OPEN_FAILS,
        owner="devstate",
        freed="never",
        limits={"pages_in_chunk": 256},
        also=(ds_pages_chunk, ds_pages_run, ds_pages_packed, ds_pages_form, ds_pages_trailer),
    )
]
