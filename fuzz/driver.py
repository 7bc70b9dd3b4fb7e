# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs a fuzz target: under atheris where that is installed, else with a plain loop of random changes to known inputs.

Each ``NAME_fuzzer.py`` has one property, ``one_input(data)``, which raises on a violation, and ends in ``run(one_input)``::

    python fuzz/NAME_fuzzer.py [--seconds N] [--seed N] [--plain]     fuzz, 20 seconds long
    python fuzz/NAME_fuzzer.py FILE...                                run the property on each file, to see a finding again

Inputs to start from are the files in fuzz/corpus/NAME/ and what the target gives. An input that breaks the property is written to
build/fuzz/. Under atheris the corpus grows in build/fuzz/NAME/.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_INPUT = 1 << 16
"""Bytes of an input that the plain loop makes: findings shall be small, and rounds quick."""

ODD_WORDS = (*range(10), 0x7F, 0x80, 0xFF, 0xFFF, 0x1000, *((1 << bits) + more for bits in (31, 32, 63, 64) for more in (-1, 0)))


def run(one_input: Callable[[bytes], None], seeds: Iterable[bytes] = (), arguments: Sequence[str] | None = None) -> None:
    """The main function of a target. Leaves the process with status 1 when the property was broken."""
    target = Path(sys.argv[0]).stem.removesuffix("_fuzzer")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="inputs to run instead of fuzzing")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None, help="of the random changes; by default another one each time")
    parser.add_argument("--plain", action="store_true", help="do not use atheris even if it is there")
    options = parser.parse_args(arguments)
    if options.files:
        broken = [path for path in options.files if not _holds(one_input, path.read_bytes(), target)]
        sys.exit(int(bool(broken)))
    known = [*(path.read_bytes() for path in sorted((ROOT / "fuzz" / "corpus" / target).glob("*"))), *seeds]
    if not options.plain and _has_atheris():
        _run_atheris(one_input, known, target, options.seconds, options.seed)
    else:
        seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
        sys.exit(int(not run_plain(one_input, known, target, options.seconds, seed)))


def run_plain(one_input: Callable[[bytes], None], seeds: Sequence[bytes], target: str, seconds: float, seed: int) -> bool:
    """Run the property on each seed, then on changed ones until the time is over. Whether it always held."""
    rng = random.Random(seed)
    known = [*seeds] or [b""]
    if not all(_holds(one_input, data, target) for data in known):
        return False
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        if not _holds(one_input, changed(rng, known), target):
            print(f"{target}: broken in round {rounds} of --seed {seed}", file=sys.stderr)
            return False
    print(f"{target}: {rounds} inputs in {seconds:g} s from {len(known)} seeds, --seed {seed}: the property held")
    return True


def changed(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after one to six random changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        width = rng.choice((1, 2, 4, 8))
        match rng.randrange(8):
            case 0 if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                at -= at % width
                word = rng.choice((*ODD_WORDS, len(data), at, rng.getrandbits(8 * width)))
                data[at : at + width] = (word % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))
            case 2:
                del data[at:]
            case 3:
                del data[at : at + rng.randint(1, 32)]
            case 4:
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case 5:
                other = rng.choice(seeds)
                start = rng.randrange(len(other) + 1)
                data[at:at] = other[start : start + rng.randint(1, 64)]
            case _:
                start = rng.randrange(len(data) + 1)
                piece = data[start : start + rng.choice((4, 8, 12, 16, 32))]
                data[at : at + rng.choice((0, len(piece)))] = piece
    return bytes(data[:MAX_INPUT])


def _holds(one_input: Callable[[bytes], None], data: bytes, target: str) -> bool:
    try:
        one_input(data)
    except Exception:
        traceback.print_exc()
        path = ROOT / "build" / "fuzz" / f"{target}-{hashlib.sha256(data).hexdigest()[:16]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{target}: this input breaks the property: {path}", file=sys.stderr)
        return False
    return True


def _has_atheris() -> bool:
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def _run_atheris(one_input: Callable[[bytes], None], seeds: Sequence[bytes], target: str, seconds: float, seed: int | None) -> None:
    """libFuzzer takes over the process: it ends in there."""
    import atheris

    corpus = ROOT / "build" / "fuzz" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        (corpus / hashlib.sha256(data).hexdigest()).write_bytes(data)
    flags = [f"-max_total_time={max(int(seconds), 1)}", f"-artifact_prefix={corpus.parent}/{target}-", f"-max_len={MAX_INPUT}"]
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *flags, *([f"-seed={seed}"] if seed is not None else []), str(corpus)], one_input)
    atheris.Fuzz()
