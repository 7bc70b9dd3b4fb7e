# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Blobs to test with: built token by token, as random trees from a seed, and damaged. Quicker than hypothesis by the thousand."""

from __future__ import annotations

import random

from devstate.fdt import Fdt, Node
from devstate.fdt.header import HEADER_SIZE, Header

BEGIN, END_NODE, NOP, END = (value.to_bytes(4, "big") for value in (1, 2, 4, 9))
ROOT = BEGIN + bytes(4)
STRINGS = b"compatible\0reg\0x/y\0\0"
COMPATIBLE, REG, IBLE, SLASH, EMPTY = 0, 11, 6, 15, 19

NODE_NAMES = ("LUO", "kexec-metadata", "memblock", "n", "node@1f", "a,b", "sessions", "x_y+z.0")
PROPERTY_NAMES = ("compatible", "reg", "xreg", "g", "preserved-data", "data", "blob-size", "#size-cells", "size-cells", "s", "fdt")
"""Some are tails of others: that is where writers of strings blocks differ."""


def begin(name: str) -> bytes:
    """FDT_BEGIN_NODE, name, NUL, padding."""
    text = name.encode("latin-1") + b"\0"
    return BEGIN + text + bytes(-len(text) & 3)


def prop(name_offset: int, value: bytes = b"") -> bytes:
    """FDT_PROP, length, name offset, value, padding."""
    words = b"".join(word.to_bytes(4, "big") for word in (3, len(value), name_offset))
    return words + value + bytes(-len(value) & 3)


def assemble(structure: bytes, strings: bytes = STRINGS, reserve: bytes = bytes(16), **words: int) -> bytes:
    """A blob of these blocks, one after the other; ``words`` replace header words."""
    start = HEADER_SIZE + len(reserve)
    end = start + len(structure)
    usual = {
        "totalsize": end + len(strings), "off_dt_struct": start, "off_dt_strings": end, "off_mem_rsvmap": HEADER_SIZE, "version": 17,
        "last_comp_version": 16, "boot_cpuid_phys": 0, "size_dt_strings": len(strings), "size_dt_struct": len(structure),
    }  # fmt: skip
    return Header(**usual | words).pack() + reserve + structure + strings


def tree(seed: int, *, whole_words: bool = False) -> Fdt:
    """A tree of up to some dozen nodes, with a reserve map and a boot CPU now and then; values of any length, or of whole words."""
    rng = random.Random(seed)
    reserve_map = [(rng.getrandbits(64), rng.getrandbits(40) + 1) for _ in range(rng.choice((0, 0, 1, 3)))]
    return Fdt(_node(rng, "", rng.randrange(4), 4 if whole_words else 1), reserve_map, rng.choice((0, 0, 3)))


def _node(rng: random.Random, name: str, depth: int, word: int) -> Node:
    properties = {key: _value(rng, word) for key in rng.sample(PROPERTY_NAMES, rng.randrange(6))}
    below = rng.sample(NODE_NAMES, rng.randrange(4)) if depth else ()
    return Node(name, properties, [_node(rng, child, depth - 1, word) for child in below])


def _value(rng: random.Random, word: int) -> bytes:
    value = rng.choice((b"", b"kho-v4\0", b"a\0bc\0", rng.randbytes(8), rng.randbytes(rng.randrange(30))))
    return value[: len(value) // word * word]


def shuffled(seed: int) -> bytes:
    """A blob of mostly fitting tokens in an order that mostly makes sense."""
    rng = random.Random(seed)
    tokens, depth = [ROOT], 1
    for _ in range(rng.randrange(12)):
        kind = rng.choice("bbpppneN")
        if kind == "b":
            tokens.append(begin(rng.choice(("a", "b", "node@1", "", "x/y") if rng.random() < 0.2 else ("a", "b", "c", "d", "e"))))
        elif kind == "p":
            names = (COMPATIBLE, REG, IBLE, SLASH, EMPTY, 20, 30) if rng.random() < 0.2 else (COMPATIBLE, REG, IBLE)
            tokens.append(prop(rng.choice(names), rng.randbytes(rng.choice((0, 3, 4, 8)))))
        elif kind == "n":
            tokens.append(NOP)
        elif depth > 1 or rng.random() < 0.05:
            tokens.append(END_NODE)
        depth += {"b": 1, "e": -1, "N": -1}.get(kind, 0)
    tokens += [END_NODE] * max(depth, 0) + [END]
    if rng.random() < 0.3:
        at = rng.randrange(len(tokens))
        tokens[at : at + rng.randrange(2)] = rng.choice(([], [NOP], [END], [ROOT], [prop(REG)], [b"\0\0\0\7"], [END_NODE, END]))
    return assemble(b"".join(tokens))


def damaged(blob: bytes, seed: int) -> bytes:
    """The blob with one to three changes: words overwritten, bits flipped, pieces cut, doubled or made NOPs, header words moved."""
    rng = random.Random(seed)
    data = bytearray(blob)
    for _ in range(rng.choice((1, 1, 2, 3))):
        word, other = (rng.randrange(max(len(data) // 4, 1)) * 4 for _ in range(2))
        match rng.randrange(7):
            case 0:
                data[word : word + 4] = rng.choice((0, 1, 2, 3, 4, 9, 0xFFFFFFFF, len(data), 40, 48, word)).to_bytes(4, "big")
            case 1 if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                del data[rng.randrange(len(data) + 1) :]
            case 3:
                data[word:word] = data[other : other + rng.choice((4, 8, 12, 24))]
                data[4:8] = len(data).to_bytes(4, "big")
            case 4:
                del data[word : word + rng.choice((4, 12, 24))]
                data[4:8] = len(data).to_bytes(4, "big")
            case 5:
                data[word : word + 4] = NOP
            case _:
                at = rng.choice(range(4, 40, 4))
                moved = int.from_bytes(data[at : at + 4], "big") + rng.choice((-8, -4, -1, 1, 4, 8))
                data[at : at + 4] = (moved % (1 << 32)).to_bytes(4, "big")
    return bytes(data)
