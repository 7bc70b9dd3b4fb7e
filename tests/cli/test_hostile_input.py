# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Damaged handovers on the command line: never a traceback, never status 4, never a line that a terminal would obey."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from edited import edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runner import Runner

from devstate.cli.document import Depth, Hashes, document
from devstate.cli.place import paths, select
from devstate.cli.tree import tree_lines
from devstate.errors import DevstateError
from devstate.handover.difference import differences
from devstate.handover.model import Handover
from devstate.handover.open import open_handover, open_memory
from devstate.handover.owners import name_owners
from devstate.memory.open import open_input
from devstate.memory.physmem import PhysMemory
from devstate.memory.save import save_elf

HOSTILE = [0, 1, 63, 64, 1 << 20, (1 << 32) - 1, 1 << 40, 1 << 52, 1 << 63, (1 << 64) - 1]
MAGICS = [b"", b"\x7fELF", b"\xd0\x0d\xfe\xed", b"\x28\xb5\x2f\xfd", b"\x7fELF\x02\x01\x01"]


@pytest.fixture(scope="module")
def capture(shipped: Path) -> Path:
    """A handover whose files have no content in the capture: 100 KiB, all of it structure."""
    return shipped / "tampered" / "7.3-file-count-minus1.core.zst"


@pytest.fixture(scope="module")
def whole(capture: Path) -> Handover:
    return open_handover(open_input(str(capture)))


def show_all(handover: Handover) -> None:
    """Everything that inspect can show, and the safety of its text."""
    handover.problems += name_owners(handover)
    chosen = select(handover)
    problems = list(chosen.problems())
    for line in tree_lines(chosen, problems, Depth(pages=True, raw=True, hash=Hashes(handover))):
        assert line.isprintable()
    document(chosen, problems, Depth(pages=True, raw=True, hash=Hashes(handover)))


def survives(memory: PhysMemory, against: Handover) -> None:
    """A handover in this memory is shown and compared, or refused with a DevstateError."""
    try:
        handover = open_memory(memory, fdt=against.fdt_pa)
        show_all(handover)
        differences(against, handover)
    except DevstateError as error:
        assert str(error)


def structure(handover: Handover) -> list[int]:
    """Addresses of all claimed structs that are not empty, and of the map's nodes."""
    assert handover.memory is not None and handover.preserved is not None
    starts = [claim.start for claim in handover.claims.items if claim.what in ("fdt", "blob", "block", "record", "page-list")]
    return starts + list(handover.preserved.map.node_pages)


def test_every_bit_of_the_records(capture: Path, whole: Handover) -> None:
    """One bit flipped in each of the first bytes of each struct: a sample of bits, the same in every run."""
    chance = random.Random(7)
    for start in structure(whole):
        for offset in sorted(chance.sample(range(128), 12)):
            assert whole.memory is not None
            if whole.memory.contains(start + offset, 1):
                flipped = whole.memory.read(start + offset, 1)[0] ^ 1 << chance.randrange(8)
                survives(edited(capture, {start + offset: bytes([flipped])}), whole)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_words_in_the_records(capture: Path, whole: Handover, data: st.DataObject) -> None:
    """A few 8-byte words replaced by hostile numbers: pointers into structs, to nowhere, huge counts, zeros."""
    places = structure(whole)
    numbers = st.sampled_from([*HOSTILE, *places]) | st.integers(0, 2**64 - 1)
    writes = {}
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places)) + 8 * data.draw(st.integers(0, 20))
        if whole.memory is not None and whole.memory.contains(place, 8):
            writes[place] = data.draw(numbers).to_bytes(8, "little")
    survives(edited(capture, writes), whole)


def test_every_prefix_of_a_core(run: Runner, capture: Path, whole: Handover, tmp_path: Path) -> None:
    """Cut anywhere, plain and compressed, with --partial and without: refused with one line, or shown."""
    assert whole.memory is not None
    plain = tmp_path / "plain"
    save_elf(str(plain), whole.memory.regions)
    for data in (capture.read_bytes(), plain.read_bytes()):
        chance = random.Random(len(data))
        for length in sorted({0, 1, 4, 16, 63, 64, 120, len(data) - 1, *(chance.randrange(len(data)) for _ in range(40))}):
            path = tmp_path / "cut"
            path.write_bytes(data[:length])
            for options in ([], ["--partial"]):
                outcome = run("inspect", path, *options)
                assert outcome.status in (0, 2)
                assert "Traceback" not in outcome.err and (outcome.status == 0 or 1 == outcome.err.count("\n"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(MAGICS), tail=st.binary(max_size=400))
def test_random_bytes(run: Runner, tmp_path: Path, head: bytes, tail: bytes) -> None:
    """Whatever the first bytes promise, for every verb that reads a handover."""
    path = tmp_path / "random"
    path.write_bytes(head + tail)
    for words in (["inspect", path], ["inspect", path, "--base", "0"], ["extract", path, "kho", "-o", "-"], ["diff", path, path]):
        outcome = run(*words)
        assert outcome.status in (0, 2) and "Traceback" not in outcome.err


def test_every_tampered_capture_is_shown(run: Runner, any_captures: Path) -> None:
    """All that were given to a real kernel, with all options, as text and as a document; and every path into them."""
    for path in sorted((any_captures / "tampered").glob("*.core.zst")):
        for options in ([], ["--json"]):
            outcome = run("inspect", path, "--raw", "--hash", "--pages", *options)
            if outcome.status:
                assert (2, 1) == (outcome.status, outcome.err.count("\n")), path
        if outcome.status == 0:
            handover = open_handover(open_input(str(path)))
            for each in paths(handover):
                select(handover, each)


def test_scattered_over_a_directory(run: Runner, tmp_path: Path) -> None:
    """Debugfs files of random bytes, links in circles, folders where files should be, files without permission to be files."""
    folder = tmp_path / "out"
    (folder / "sub_fdts").mkdir(parents=True)
    chance = random.Random(3)
    for name in ("fdt", "scratch_phys", "scratch_len", "sub_fdts/LUO", "sub_fdts/\x1b[1m"):
        (folder / name).write_bytes(chance.randbytes(200))
    assert run("inspect", folder).status in (0, 2)
    (folder / "fdt").unlink()
    (folder / "fdt").symlink_to("fdt")
    (folder / "scratch_len").unlink()
    (folder / "scratch_len").mkdir()
    outcome = run("inspect", tmp_path)
    assert 2 == outcome.status and 1 == outcome.err.count("\n")
