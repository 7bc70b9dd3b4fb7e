# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What else one could do with 257 MiB of page tables: general compressors, called from C on reused memory, and Python libraries.

A peer that is not there (a shared library, a package of the ``bench`` extra) is left out, and said so on standard error. Python libraries
only parse, and do so for a slice; their times are scaled by the factor in SLICES.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.tables import ENTRIES, Tables, Words

SLICES = {"numpy": 8, "construct": 512, "dissect.cstruct": 256}
"""Peers that run on one of so many tables."""

PAGE = 8 * ENTRIES
WHERE, SIZE, LEVEL = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


class Compressor:
    """A peer on reused memory. ``size``: what came of the tables, once ``compress`` has been called."""

    def __init__(self, compress: Callable[[], int], decompress: Callable[[], int]) -> None:
        self._compress, self._decompress = compress, decompress
        self.size = 0

    def compress(self) -> None:
        """All tables, as one buffer."""
        self.size = self._compress()
        assert self.size > 0

    def decompress(self) -> None:
        """What was compressed last."""
        self._decompress()


def compressors(tables: Tables, target: Words, out: Words) -> dict[str, Compressor]:
    """zstd -1 and -3, lz4 and blosc2, by name; they write to ``out``, and decompress to ``target``."""
    found: dict[str, Compressor] = {}
    image = tables.image
    ours, size = image.ctypes.data, image.nbytes
    zstd = _library("libzstd.so.1", ("ZSTD_compress", "ZSTD_decompress"))
    if zstd is not None:
        found["zstd -1"] = _zstd(zstd, 1, tables, target, out)
        found["zstd -3"] = _zstd(zstd, 3, tables, target, out)
    lz4 = _library("liblz4.so.1", ("LZ4_compress_default", "LZ4_decompress_safe"))
    if lz4 is not None:
        found["lz4"] = made = Compressor(
            lambda: lz4.LZ4_compress_default(ours, out.ctypes.data, size, out.nbytes),
            lambda: lz4.LZ4_decompress_safe(out.ctypes.data, target.ctypes.data, made.size, size),
        )
    blosc2 = _package("blosc2")
    if blosc2 is not None:
        blosc2.set_nthreads(1)
        codec, filters = blosc2.Codec.LZ4, [blosc2.Filter.BITSHUFFLE]
        settings = {"typesize": 8, "codec": codec, "clevel": 1, "filters": filters, "nthreads": 1}
        found["blosc2"] = Compressor(lambda: len(blosc2.compress2(image, **settings)), lambda: 0)
    return found


def _zstd(library: Any, level: int, tables: Tables, target: Words, out: Words) -> Compressor:
    ours, size = tables.image.ctypes.data, tables.image.nbytes
    made = Compressor(
        lambda: library.ZSTD_compress(out.ctypes.data, out.nbytes, ours, size, level),
        lambda: library.ZSTD_decompress(target.ctypes.data, size, out.ctypes.data, made.size),
    )
    return made


def _library(name: str, functions: tuple[str, ...]) -> Any:
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    for function in functions:
        made = getattr(library, function)
        made.restype = ctypes.c_size_t if function.startswith("ZSTD") else ctypes.c_int
    if hasattr(library, "ZSTD_compress"):
        library.ZSTD_compress.argtypes = [WHERE, SIZE, WHERE, SIZE, LEVEL]
        library.ZSTD_decompress.argtypes = [WHERE, SIZE, WHERE, SIZE]
    else:
        library.LZ4_compress_default.argtypes = library.LZ4_decompress_safe.argtypes = [WHERE, WHERE, LEVEL, LEVEL]
    return library


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"left out: {error}; pip install '.[bench]' has it", file=sys.stderr)
        return None


def python_peers(tables: Tables) -> dict[str, Callable[[], object]]:
    """Those in SLICES, each on its slice of the leaf tables."""
    found: dict[str, Callable[[], object]] = {"numpy": lambda: numpy_runs(tables, SLICES["numpy"])}
    construct, cstruct = _package("construct"), _package("dissect.cstruct")
    for name, package in (("construct", construct), ("dissect.cstruct", cstruct)):
        if package is None:
            continue
        data = tables.image[tables.leaf_pages[: max(len(tables.leaf_pages) // SLICES[name], 1)]].tobytes()
        if name == "construct":
            parse = package.Array(ENTRIES, package.Int64ul).parse
        else:
            parse = package.cstruct(f"struct table {{ uint64 entries[{ENTRIES}]; }};").table
        found[name] = lambda parse=parse, data=data: [parse(data[at : at + PAGE]) for at in range(0, len(data), PAGE)]  # type: ignore[misc]
    return found


def numpy_runs(tables: Tables, part: int) -> tuple[Words, Words]:
    """What a numpy programmer makes of tables: the first entries of runs, and their lengths."""
    entries = tables.image[tables.leaf_pages[: len(tables.leaf_pages) // part]].ravel()
    starts = np.flatnonzero(np.diff(entries, prepend=np.uint64(0)) != np.uint64(1 << (21 if tables.shape == "2M pages" else 12)))
    return entries[starts], np.diff(starts, append=len(entries))
