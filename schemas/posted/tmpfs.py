# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""tmpfs: a mount, and the regular files in its root directory.

Contract (include/linux/kho/abi/tmpfs.h): any change of a struct means a new number in its string. Content is carried as in memfd-v2;
who owns the root directory is not carried.

::

    tmpfs-mnt-v1, 16 bytes:    | max_blocks u64 | mode u32 | flags u32 |
    tmpfs-file-v1, 312 bytes:  | mnt_token | pos | size | mode u32 | flags u32 | nr_folios | folios: kho_vmalloc @40 | name[256] @56 |
                                    +--> the file of this session with this token, a tmpfs-mnt-v1
"""

from devstate.schema import U32, U64, About, Chars, MustBeZero, Reaction, Schema, Struct, Token, this
from devstate_schemas.kho.kexec_handover import vmalloc_array
from devstate_schemas.kho.memfd import memfd_luo_folio_ser

NAME_SIZE = 256
"""NAME_MAX + 1."""

_COMMON = {
    "source": "include/linux/kho/abi/tmpfs.h in a branch (2026)",
    "status": "posted",
    "found_by": "luo_file_ser.data",
    "carrier": "string",
    "on_mismatch": Reaction.OPEN_FAILS,
    "owner": "tmpfs handler",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        compatible="tmpfs-mnt-v1",
        doc="a tmpfs mount",
        root=Struct(
            "tmpfs_luo_mnt_ser",
            "max_blocks" / U64 * About("most blocks that the filesystem may have, 0: no limit", unit="pages"),
            "mode" / U32 * "permissions of the root directory",
            "flags" / MustBeZero(U32),
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="tmpfs-file-v1",
        doc="a regular file in the root of a tmpfs mount",
        root=Struct(
            "tmpfs_luo_file_ser",
            "mnt_token" / Token("tmpfs-mnt-v1") * "the mount that the file is in",
            "pos" / U64 * About("file position", unit="bytes"),
            "size" / U64 * About("size of the file", unit="bytes", hint="bytes"),
            "mode" / U32 * "permissions",
            "flags" / MustBeZero(U32),
            "nr_folios" / U64 * "folios that the file has",
            "folios" / vmalloc_array(memfd_luo_folio_ser, this.nr_folios),
            "name" / Chars(NAME_SIZE) * "one path component, neither . nor ..; zeros behind the terminator",
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
