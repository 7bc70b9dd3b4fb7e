# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Trees and damaged blobs by the thousand, each from a seed: quicker than hypothesis, for the differential tests."""

from __future__ import annotations

import random

from devstate.fdt import Fdt, Node

NODE_NAMES = ("LUO", "kexec-metadata", "memblock", "n", "node@1f", "a,b", "sessions", "x_y+z.0")
PROPERTY_NAMES = ("compatible", "reg", "xreg", "g", "preserved-data", "data", "blob-size", "#size-cells", "size-cells", "s", "fdt")
"""Some are tails of others: that is where writers of strings blocks differ."""


def tree(seed: int, *, whole_words: bool = False) -> Fdt:
    """A tree of up to some dozen nodes, with a reserve map and a boot CPU now and then; values of any length, or of whole words."""
    rng = random.Random(seed)
    reserve_map = [(rng.getrandbits(64), rng.getrandbits(40) + 1) for _ in range(rng.choice((0, 0, 1, 3)))]
    return Fdt(_node(rng, "", rng.randrange(4), whole_words), reserve_map, rng.choice((0, 0, 3)))


def _node(rng: random.Random, name: str, depth: int, whole_words: bool) -> Node:
    size = 4 if whole_words else 1
    properties = {key: _value(rng, size) for key in rng.sample(PROPERTY_NAMES, rng.randrange(6))}
    below = rng.sample(NODE_NAMES, rng.randrange(4)) if depth else ()
    return Node(name, properties, [_node(rng, child, depth - 1, whole_words) for child in below])


def _value(rng: random.Random, size: int) -> bytes:
    value = rng.choice((b"", b"kho-v4\0", b"a\0bc\0", rng.randbytes(8), rng.randbytes(rng.randrange(30))))
    return value[: len(value) // size * size]


def damaged(blob: bytes, seed: int) -> bytes:
    """The blob with one to three changes: words overwritten, bits flipped, pieces cut, doubled, moved or made NOPs."""
    rng = random.Random(seed)
    data = bytearray(blob)
    for _ in range(rng.choice((1, 1, 2, 3))):
        word = rng.randrange(max(len(data) // 4, 1)) * 4
        other = rng.randrange(max(len(data) // 4, 1)) * 4
        match rng.randrange(7):
            case 0:
                data[word : word + 4] = rng.choice((0, 1, 2, 3, 4, 9, 0xFFFFFFFF, len(data), 40, 48, word)).to_bytes(4, "big")
            case 1 if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                del data[rng.randrange(len(data) + 1) :]
            case 3:
                data[word:word] = data[other : other + rng.choice((4, 8, 12, 24))]
                _claim(data)
            case 4:
                del data[word : word + rng.choice((4, 12, 24))]
                _claim(data)
            case 5:
                data[word : word + 4] = b"\0\0\0\4"
            case _:
                at = rng.choice(range(4, 40, 4))
                data[at : at + 4] = ((int.from_bytes(data[at : at + 4], "big") + rng.choice((-8, -4, -1, 1, 4, 8))) % (1 << 32)).to_bytes(4, "big")
    return bytes(data)


def _claim(data: bytearray) -> None:
    """Make totalsize what is there, so that the damage inside is what counts."""
    if len(data) >= 8:
        data[4:8] = len(data).to_bytes(4, "big")
