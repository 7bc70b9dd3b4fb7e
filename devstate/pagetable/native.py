# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The only importer of the C core ``devstate._core``: thin typed wrappers, with slow Python twins when it is not built."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Buffer

try:
    from devstate._core import ffi, lib
except ImportError:  # DEVSTATE_PURE=1
    ffi = lib = None


def crc32c(data: Buffer, crc: int = 0) -> int:
    """CRC-32C of ``data``; ``crc`` is the result over the bytes before."""
    if lib is None:
        import crc32c as package

        return package.crc32c(data, crc)
    view = ffi.from_buffer(data)
    return lib.ds_crc32c(crc, view, len(view))
