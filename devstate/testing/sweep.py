# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The sweep: every prefix of a record and every single bit turned over, judged by both.

Python's verdicts are those of ``first_fault`` and, for records of a fixed size, of ``first_faults``: many damaged copies stand in one
array, columns find those that may be wrong, each of these is looked at. Work grows with the square of the size: a page of 4 KiB has 37,000
copies, one of 64 KiB has 590,000.
"""

from __future__ import annotations

import warnings

from devstate.codec.validate import first_fault, first_faults
from devstate.testing.difference import Case
from devstate.testing.prover import C_RULES, FINE, SWEEP, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from devstate.codec.validate import Fault
    from devstate.layout.model import Layout

    Numbers = NDArray[np.int64]

SWEPT_MAX = (64 << 10) + 512
"""Bytes of a record that is swept: the largest page and something around it. A warning says that a larger one is not."""

COPIES = 1 << 22
"""Bytes of damaged copies that are looked at in one step."""

SAMPLE, ALONE = 61, 400
"""Every which copy is looked at alone as well, so that both ways to Python's verdict are held to each other; and how many at most."""

PLACELESS = ("truncated", "remainder", "limit")
"""Rules that are about the whole."""


def python_verdict(layout: Layout, data: bytes, shape: str) -> Verdict:
    """What Python says."""
    return _verdict(first_fault(layout, data, shape))


def _verdict(fault: Fault | None) -> Verdict:
    # Python says where the first field that is cut begins, C that the whole is too short.
    return FINE if fault is None else (fault.rule, 0 if fault.rule in PLACELESS else fault.offset)


def flipped(data: bytes, bit: int) -> bytes:
    """``data`` with one bit turned over."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def sweep(case: Case) -> None:
    """Difference for the first prefix or bit on which the two do not say the same."""
    size = len(case.data)
    if size > SWEPT_MAX:
        warnings.warn(f"{case.layout.name} {case.shape}: {size} bytes are too many to turn over every bit", stacklevel=2)
        return
    said = numbers(case.prover.ask((case.layout.name, case.shape), SWEEP, case.data))
    cut = [python_verdict(case.layout, case.data[:end], case.shape) for end in range(size)]
    compare(case, _numbered(cut), said[:size], lambda end: f"the first {end} of {size} bytes")
    compare(case, turned(case.layout, case.shape, case.data), said[size:], lambda bit: turning(case, bit))


def turning(case: Case, bit: int) -> str:
    """What was done to a bit, in words."""
    return f"bit {bit % 8} of byte {bit // 8} turned over ({case.name_of(bit)})"


def compare(case: Case, python: Numbers, c: Numbers, what: Callable[[int], str]) -> None:
    """Difference for the first row in which two lists of verdicts are not the same; ``what`` says which that is."""
    import numpy as np

    if len(python) != len(c):
        raise case.differ("the number of verdicts", str(len(python)), str(len(c)))
    apart = np.flatnonzero((python != c).any(axis=1))
    if len(apart):
        at = int(apart[0])
        case.verdict(what(at), *((C_RULES[int(each[at][0])], int(each[at][1])) for each in (python, c)))


def numbers(answer: bytes) -> Numbers:
    """The verdicts in an answer, a row each: the number of the rule, the place as Python gives it."""
    import numpy as np

    found = np.frombuffer(answer, "<u4").reshape(-1, 2).astype(np.int64)
    found[np.isin(found[:, 0], [C_RULES.index(rule) for rule in PLACELESS]), 1] = 0
    return found


def _numbered(verdicts: list[Verdict]) -> Numbers:
    import numpy as np

    return np.array([(C_RULES.index(rule), at) for rule, at in verdicts], np.int64).reshape(-1, 2)


def turned(layout: Layout, shape: str, data: bytes) -> Numbers:
    """What Python says of each bit turned over."""
    if layout.struct(shape).flexible:
        return _numbered([python_verdict(layout, flipped(data, bit), shape) for bit in range(8 * len(data))])
    import numpy as np

    every = 8 * len(data)
    step = max(1, COPIES // max(1, len(data)))
    copies = np.tile(np.frombuffer(data, np.uint8), (min(step, every), 1))
    found = np.zeros((every, 2), np.int64)
    for start in range(0, every, step):
        bits = np.arange(start, min(start + step, every))
        rows, places, masks = bits - start, bits // 8, (1 << bits % 8).astype(np.uint8)
        copies[rows, places] ^= masks
        part = copies[: len(bits)]
        for row, fault in enumerate(first_faults(layout, shape, part.data)):
            if fault is not None:
                found[start + row] = _numbered([_verdict(fault)])
        for row in range(-start % (SAMPLE + every // ALONE), len(bits), SAMPLE + every // ALONE):
            assert (found[start + row] == _numbered([python_verdict(layout, part[row].tobytes(), shape)])).all()
        copies[rows, places] ^= masks
    return found
