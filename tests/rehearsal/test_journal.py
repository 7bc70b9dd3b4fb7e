# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent's journal: what was written is read back, and a kill at any byte leaves the state that was reached."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import DecodeError, LiveUpdateError
from devstate.rehearsal.journal import Journal, read_journal, state_of

STATES = ("prepared", "frozen", "handed-over", "normal")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal of a whole update, as bytes."""
    path = tmp_path_factory.mktemp("journal") / "journal"
    journal = Journal(str(path))
    for state in STATES:
        journal.write(intent=state)
        journal.write(state=state, hop=0)
    journal.close()
    return path.read_bytes()


def ends(data: bytes) -> list[int]:
    """Where each record ends."""
    found, at = [], 0
    while at < len(data):
        at += 8 + int.from_bytes(data[at : at + 4], "little")
        found.append(at)
    return found


def test_every_prefix(written: bytes, tmp_path: Path) -> None:
    """A record counts when its last byte is there."""
    for cut in range(len(written) + 1):
        (tmp_path / "j").write_bytes(written[:cut])
        whole = sum(end <= cut for end in ends(written))
        records = read_journal(str(tmp_path / "j"))
        assert whole == len(records)
        assert ("normal", *STATES)[whole // 2] == state_of(records)


@given(bit=st.integers(0, 1 << 12), data=st.data())
def test_every_flip(written: bytes, tmp_path_factory: pytest.TempPathFactory, bit: int, data: st.DataObject) -> None:
    """Records before the damage stay; the damaged one and what follows are gone."""
    bit %= 8 * len(written)
    broken = bytearray(written)
    broken[bit // 8] ^= 1 << bit % 8
    path = tmp_path_factory.mktemp("flip") / "j"
    path.write_bytes(broken)
    assert sum(end <= bit // 8 for end in ends(written)) == len(read_journal(str(path)))


def test_a_full_disk() -> None:
    """Said, with its errno."""
    with pytest.raises(LiveUpdateError) as error:
        Journal("/dev/full").write(state="prepared")
    assert errno.ENOSPC == error.value.errno


def test_no_journal(tmp_path: Path) -> None:
    """DecodeError; an empty one says nothing happened."""
    with pytest.raises(DecodeError):
        read_journal(str(tmp_path / "none"))
    (tmp_path / "empty").touch()
    assert "normal" == state_of(read_journal(str(tmp_path / "empty")))
