# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Compressed inputs: zstd frames, told by their magic, into memory.

::

    frame      magic 28 b5 2f fd | header | blocks | checksum u32 if flagged        (RFC 8878, 3.1.1)
    block      u24: last (bit 0), type (bits 1-2: 0 raw, 1 one byte repeated, 2 compressed), size (21 bits) | content
    skippable  magic 5? 2a 4d 18 | u32 size | content

The blocks are walked before anything is decompressed: that finds truncation, the exact end of each frame, and a bound of what it can become
(a block gives at most 128 KiB), so that memory is never allocated on the word of a header alone. What a small file may become is limited
(a kilobyte of zstd can stand for 32 MiB of zeros): see :func:`allowance`.

The C half of ``zstandard`` is loaded without its Python face, which imports typing and re: 0.5 ms against 4.6 ms, a third of an interpreter
start. Of the others, backports.zstd, which is Python 3.14's own (1.4 ms), cannot decompress in one go and takes twice as long for 22 MB
(31 against 14 ms).
"""

from __future__ import annotations

from devstate.errors import ImageError, LimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import IO

MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x2a\x4d\x18"
"""Bytes 1 to 3 of a skippable frame; the high nibble of byte 0 is 5."""

MAX_RATIO = 1024
"""Bytes out for a byte in. Real captures stay below 200; memory that is all zeros would reach 32768."""

MIN_ALLOWED = 1 << 28
"""Bytes that even the smallest file may become: 256 MiB, what any machine that looks at handovers has."""

MAX_DECOMPRESSED = 1 << 33
"""Bytes that any file may become, for it is held in memory: 8 GiB. Above that, a decompressed file can be mapped."""

MAX_FRAMES = 1 << 16
"""Frames in one file. Parallel and seekable compressors write one for each MiB or so."""

_BLOCK_MAX = 1 << 17
_HEADER_MAX = 18


def allowance(compressed: int) -> int:
    """Bytes that ``compressed`` bytes may become, unless the user says otherwise."""
    return min(MAX_DECOMPRESSED, max(MIN_ALLOWED, MAX_RATIO * compressed))


def is_zstd(head: bytes | memoryview) -> bool:
    """Whether a file that begins with ``head`` (8 bytes are enough) is zstd."""
    return bytes(head[:4]) == MAGIC or (bytes(head[1:4]) == SKIPPABLE and head[0] >> 4 == 5)


def decompress(data: memoryview, *, source: str, limit: int | None = None) -> memoryview:
    """All frames of ``data``, one after the other. ``limit`` in bytes stands in for :func:`allowance`.

    ImageError for a damaged or truncated frame, LimitError for more than the limit or more than MAX_FRAMES frames.
    """
    zstandard = backend()
    left = allowed = allowance(len(data)) if limit is None else limit
    decompressor, at, out = zstandard.ZstdDecompressor(), 0, []
    for _ in range(MAX_FRAMES):
        end, size = _frame(zstandard, data, at, source)
        try:
            if size > left:
                raise LimitError(
                    "zstd input becomes too long", source=source, offset=at, expected=f"at most {allowed:#x} bytes from {len(data):#x}",
                    found=f"a frame of {size:#x}", advice="decompress it with zstd -d and give that file",
                )  # fmt: skip
            if size:
                out.append(decompressor.decompress(data[at:end], max_output_size=size))
                left -= len(out[-1])
        except zstandard.ZstdError as error:
            raise ImageError(f"damaged zstd frame: {error}", source=source, offset=at) from None
        at = end
        if at == len(data):
            return memoryview(out[0] if len(out) == 1 else b"".join(out))
    raise LimitError("too many zstd frames", source=source, offset=at, expected=f"at most {MAX_FRAMES}")


def writer(file: IO[bytes], size: int) -> IO[bytes]:
    """A writer that compresses ``size`` bytes into ``file``, with their number and a checksum in the frame. Close it to end the frame."""
    made: IO[bytes] = backend().ZstdCompressor(level=3, write_checksum=True).stream_writer(file, size=size, closefd=False)
    return made


def _frame(zstandard: ModuleType, data: memoryview, at: int, source: str) -> tuple[int, int]:
    """(end, most bytes that it becomes) of the frame at ``at``, from its headers alone. Each block gives at most the window or 128 KiB."""
    if is_zstd(data[at : at + 4]) and bytes(data[at : at + 4]) != MAGIC:
        return _inside(data, at + 8 + int.from_bytes(data[at + 4 : at + 8], "little"), at, source), 0
    try:
        header = zstandard.get_frame_parameters(data[at : at + _HEADER_MAX])
        end = at + zstandard.frame_header_size(data[at : at + _HEADER_MAX])
    except zstandard.ZstdError as error:
        raise ImageError(f"damaged zstd frame: {error}", source=source, offset=at) from None
    most, bound, last = min(header.window_size, _BLOCK_MAX), 0, 0
    while not last:
        word = int.from_bytes(data[end : _inside(data, end + 3, at, source)], "little")
        last, kind, size = word & 1, word >> 1 & 3, word >> 3
        bound += most if kind == 2 else size
        end += 3 + (1 if kind == 1 else size)
    end = _inside(data, end + 4 * header.has_checksum, at, source)
    if header.content_size == zstandard.CONTENTSIZE_UNKNOWN:
        return end, bound
    if header.content_size > bound:
        limit = f"content of at most {bound:#x} bytes"
        raise ImageError("damaged zstd frame", source=source, offset=at, expected=limit, found=f"{header.content_size:#x}")
    return end, header.content_size


def _inside(data: memoryview, end: int, at: int, source: str) -> int:
    if end > len(data):
        raise ImageError("truncated zstd frame", source=source, offset=at, expected=f"{end - at:#x} bytes", found=f"{len(data) - at:#x}")
    return end


def backend() -> ModuleType:
    """The C half of zstandard; all of it where there is no such half (PyPy)."""
    from importlib.machinery import PathFinder

    package = PathFinder.find_spec("zstandard")
    spec = PathFinder.find_spec("zstandard.backend_c", package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        import zstandard

        return zstandard
    backend = spec.loader.create_module(spec)
    if backend is None:
        raise ImportError("zstandard has no C backend")
    spec.loader.exec_module(backend)
    return backend
