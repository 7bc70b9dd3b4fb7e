# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""zstd input: any way of writing frames is read, any damage is said, and a small file cannot become a large memory."""

from __future__ import annotations

import io
import sys

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import ImageError, LimitError
from devstate.memory import zstd

TEXT = bytes(range(256)) * 40
SKIP = b"\x53\x2a\x4d\x18\x03\x00\x00\x00abc"


def decompress(data: bytes, limit: int | None = None) -> bytes:
    return bytes(zstd.decompress(memoryview(data), source="t.zst", limit=limit))


def streamed(data: bytes, step: int = 1000) -> bytes:
    """One frame that does not say how long its content is, in many blocks."""
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as writer:
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            writer.flush(zstandard.FLUSH_BLOCK)
    return out.getvalue()


def sized(data: bytes) -> bytes:
    """One frame with the length of its content and a checksum."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (sized(TEXT), TEXT),
        (sized(b""), b""),
        (streamed(TEXT), TEXT),
        (streamed(b""), b""),
        (sized(TEXT) + streamed(TEXT) + SKIP + sized(b"end"), TEXT + TEXT + b"end"),
        (SKIP + sized(TEXT) + SKIP, TEXT),
        (sized(bytes(1 << 20)), bytes(1 << 20)),
        (zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=10)).compress(TEXT), TEXT),
    ],
)
def test_frames_of_all_kinds(data: bytes, text: bytes) -> None:
    """With and without content size and checksum, several in a row, skippable ones between, empty ones."""
    assert zstd.is_zstd(data)
    assert text == decompress(data)


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), min_size=1, max_size=5))
@settings(max_examples=50)
def test_any_frames(parts: list[tuple[bytes, bool]]) -> None:
    """Whatever was put into frames comes out."""
    assert b"".join(data for data, _ in parts) == decompress(b"".join(sized(d) if known else streamed(d, 50) for d, known in parts))


@pytest.mark.parametrize("data", [sized(TEXT), streamed(TEXT), SKIP + sized(b"x" * 99)])
def test_every_prefix_fails_cleanly(data: bytes) -> None:
    """A frame that ends early is damaged, wherever it ends (but an end between two frames is none)."""
    for length in range(1, len(data)):
        if length != len(SKIP) or not data.startswith(SKIP):
            with pytest.raises(ImageError) as caught:
                decompress(data[:length])
            assert "t.zst" == caught.value.source


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=150)
def test_damage_is_found(at: int, flip: int) -> None:
    """A frame with a checksum gives its content or an error, never something else; a changed skippable frame is no matter."""
    data = bytearray(SKIP + sized(TEXT))
    data[at % len(data)] ^= flip
    try:
        assert TEXT == decompress(bytes(data), limit=1 << 20)
    except (ImageError, LimitError):
        return


def test_content_size_is_not_believed() -> None:
    """A header that promises more than its blocks can hold is refused before memory is taken."""
    data = bytearray(sized(bytes(1 << 20)))
    claimed = data.index((1 << 20).to_bytes(4, "little"))
    data[claimed : claimed + 4] = (0x0FFFFFFF).to_bytes(4, "little")
    with pytest.raises(ImageError, match="content of at most"):
        decompress(bytes(data))


def test_limit() -> None:
    """At the limit it is read, one byte above it is refused, with and without a content size; the sum of frames counts."""
    for data in (sized(TEXT), sized(TEXT[:100]) + sized(TEXT[100:])):
        assert TEXT == decompress(data, limit=len(TEXT))
        with pytest.raises(LimitError, match="zstd -d"):
            decompress(data, limit=len(TEXT) - 1)


def test_bomb_without_content_size() -> None:
    """Blocks of one repeated byte: each gives 128 KiB for 4 bytes. The bound is known before anything is decompressed."""
    block = ((1 << 17 << 3) | 2).to_bytes(3, "little") + b"\0"
    bomb = zstd.MAGIC + b"\x00\x58" + block * 5000 + b"\x01\x00\x00"
    assert 20_000 < len(bomb) < 21_000
    with pytest.raises(LimitError, match=f"{5000 << 17:#x}"):
        decompress(bomb)
    assert bytes(3 << 17) == decompress(zstd.MAGIC + b"\x00\x58" + block * 3 + b"\x01\x00\x00")


def test_allowance() -> None:
    """Small files may become MIN_ALLOWED, larger ones MAX_RATIO times themselves, none more than MAX_DECOMPRESSED."""
    edge = zstd.MIN_ALLOWED // zstd.MAX_RATIO
    assert [zstd.MIN_ALLOWED, zstd.MIN_ALLOWED + zstd.MAX_RATIO] == [zstd.allowance(edge), zstd.allowance(edge + 1)]
    assert zstd.MAX_DECOMPRESSED == zstd.allowance(1 << 40)


def test_limit_on_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit they are read, one above it is refused."""
    monkeypatch.setattr(zstd, "MAX_FRAMES", 3)
    assert b"aaa" == decompress(sized(b"a") * 3)
    with pytest.raises(LimitError):
        decompress(sized(b"a") * 4)


def test_dictionary_is_refused() -> None:
    """A frame that needs a dictionary cannot be read without it."""
    trained = zstandard.ZstdCompressionDict(TEXT, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    data = zstandard.ZstdCompressor(dict_data=trained).compress(TEXT)
    with pytest.raises(ImageError):
        decompress(data[:4] + bytes([data[4] | 1]) + b"\x07" + data[5:])


def test_python_face_of_zstandard_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C half alone is loaded, and where there is none, all of it."""
    monkeypatch.delitem(sys.modules, "zstandard")
    assert b"x" == zstd.backend().ZstdDecompressor().decompress(sized(b"x"))
    assert "zstandard" not in sys.modules
    monkeypatch.setattr("importlib.machinery.PathFinder.find_spec", lambda name, path=None: None)
    monkeypatch.setitem(sys.modules, "zstandard", zstandard)
    assert zstandard is zstd.backend()


def test_writer() -> None:
    """What is written says its length and has a checksum."""
    out = io.BytesIO()
    with zstd.writer(out, len(TEXT)) as writer:
        writer.write(TEXT[:1000])
        writer.write(TEXT[1000:])
    header = zstandard.get_frame_parameters(out.getvalue())
    assert (len(TEXT), True, TEXT) == (header.content_size, header.has_checksum, decompress(out.getvalue()))
