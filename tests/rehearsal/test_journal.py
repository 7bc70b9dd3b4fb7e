# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent's journal: what was written is read back, and a kill at any byte leaves the state that was reached."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import DecodeError, LiveUpdateError
from devstate.luo.states import State
from devstate.rehearsal.journal import Journal, read_journal, state_of
from devstate.rehearsal.kernel import Kernel
from devstate.rehearsal.machine import RUNNING, Machine
from devstate.rehearsal.scenario import DevicePlan, Scenario

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


def test_a_disk_that_is_full_from_any_record_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever state the old kernel was in when its journal could not be written, it takes everything back and can jump afterwards."""
    for room in (1, 2, 3, 4):
        kernel = kernel_with_journal(room, tmp_path / str(room))
        kernel.hand_over()
        assert State.NORMAL is kernel.policy.state
        assert 1 == kernel.machine.words[RUNNING]
        assert "ENOSPC" in capfd.readouterr().out


def kernel_with_journal(room: int, path: Path) -> Kernel:
    """A kernel in this process whose journal has room for so many records."""
    machine = Machine.create(8 << 20, 1)
    scenario = Scenario("journal", memory=8 << 20, devices=(DevicePlan("d", slots=0, drivers=(1, 1)),))
    kernel = Kernel(machine, scenario, {"hop": 0, "events": {}, "journal": str(path)})
    kernel.boot()
    kernel.journal = FullJournal(str(path), room)
    return kernel


class FullJournal(Journal):
    """A journal on a disk that becomes full."""

    def __init__(self, path: str, room: int) -> None:
        super().__init__(path)
        self.room = room

    def write(self, **record: object) -> None:
        """ENOSPC when there is no room any more."""
        if not self.room:
            raise LiveUpdateError(errno.ENOSPC, "the journal: full")
        self.room -= 1
        super().write(**record)
