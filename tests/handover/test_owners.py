# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What conventions say reaches the sessions and files of a handover; the first bytes of a file are those of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from edited import opened

from devstate.handover import owners
from devstate.handover.content import file_pieces, file_sha256
from devstate.handover.model import Handover, PreservedFile
from devstate.handover.open import open_handover
from devstate.memory.open import open_input

STORE = [{"type": "fd", "name": "cache", "token": 2}, {"type": "luo_session", "name": "vm", "sessionName": "vm-beta"}]
MAPPING = {"version": 1, "units": {"a.service": {"fdstore": STORE}}}


def small(shipped: Path) -> Handover:
    return open_handover(open_input(str(shipped / "small-7.3.core.zst")))


def first_page(handover: Handover, file: PreservedFile) -> int:
    """Where the first page of a file is."""
    assert handover.memory is not None and file.pages is not None
    return (handover.memory.u64(file.pages.where(0) or 0) & ((1 << 52) - 1)) * 4096


def systemd_session(shipped: Path, mapping: object = MAPPING) -> dict[int, bytes]:
    """The edits that make vm-alpha systemd's session, with its first file as the mapping."""
    handover = small(shipped)
    assert handover.luo is not None
    session = handover.luo.sessions[0]
    content = mapping if isinstance(mapping, bytes) else json.dumps(mapping).encode()
    return {
        session.pa: b"systemd".ljust(64, b"\0"),
        session.files[0].pa + 56: bytes(8),
        session.files[0].data_pa + 8: len(content).to_bytes(8, "little"),
        first_page(handover, session.files[0]): content,
    }


def test_systemd_names_files_and_sessions(shipped: Path) -> None:
    """The unit stands beside the file, and its session beside the session."""
    handover = opened(shipped / "small-7.3.core.zst", systemd_session(shipped))
    assert [] == owners.name_owners(handover)
    assert handover.luo is not None
    assert ["systemd", "unit a.service"] == [session.owner for session in handover.luo.sessions]
    assert ["systemd mapping", "unit a.service fd cache", None, None] == [file.label for file in handover.files]


def test_a_damaged_mapping_is_a_problem(shipped: Path) -> None:
    """The session is systemd's all the same; nothing else is said."""
    handover = opened(shipped / "small-7.3.core.zst", systemd_session(shipped, b"{nonsense"))
    problems = owners.name_owners(handover)
    assert [("session-owner", "luo/session/systemd")] == [(problem.code, problem.path) for problem in problems]
    assert "cannot be read" in problems[0].message
    assert handover.luo is not None and "systemd" == handover.luo.sessions[0].owner


def test_cpr_state_is_told_by_its_first_bytes(shipped: Path) -> None:
    """A file with token 1 that begins like QEMU's state makes the session QEMU's."""
    handover = small(shipped)
    state = b"QCPR" + (1).to_bytes(4, "big") + b"\0"
    handover = opened(shipped / "small-7.3.core.zst", {first_page(handover, handover.files[0]): state})
    assert [] == owners.name_owners(handover)
    assert handover.luo is not None
    assert ["QEMU", None] == [session.owner for session in handover.luo.sessions]
    assert "QEMU CPR state" == handover.files[0].label


def test_sessions_of_nobody_stay_unnamed(shipped: Path) -> None:
    """No owner, no label, no problem."""
    handover = small(shipped)
    assert [] == owners.name_owners(handover)
    assert handover.luo is not None
    assert {None} == {session.owner for session in handover.luo.sessions} | {file.label for file in handover.files}


def test_the_bytes_read_for_all_sessions_are_limited(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the budget is used up, mappings count as not captured; the last byte of it still reads a whole one."""
    handover = small(shipped)
    last = handover.files[3]
    state = {last.pa + 56: (1).to_bytes(8, "little"), first_page(handover, last): b"QCPR" + (1).to_bytes(4, "big") + b"\0"}
    writes = systemd_session(shipped) | state
    for budget, named in ((owners.READ_MAX, "QEMU CPR state"), (1, None)):
        monkeypatch.setattr(owners, "READ_MAX", budget)
        handover = opened(shipped / "small-7.3.core.zst", writes)
        assert [] == owners.name_owners(handover)
        assert ("systemd mapping", named) == (handover.files[0].label, handover.files[3].label)
    monkeypatch.setattr(owners, "READ_MAX", 0)
    problems = owners.name_owners(opened(shipped / "small-7.3.core.zst", writes))
    assert ["the mapping (token 0) is not in the capture"] == [problem.message for problem in problems]


@pytest.mark.parametrize("name", ["small-7.3", "base-7.3"])
def test_first_bytes_are_those_of_the_content(any_captures: Path, name: str) -> None:
    """For every file of a capture and odd limits: equal to what the full reader gives, huge pages and sparse files too."""
    path = any_captures / f"{name}.core.zst"
    if not path.exists():
        pytest.skip(f"{name} does not ship")
    handover = open_handover(open_input(str(path)))
    for file in handover.files:
        whole = bytearray(file.size or 0)
        for offset, piece in file_pieces(handover, file):
            whole[offset : offset + len(piece)] = piece
        assert hashlib.sha256(whole).hexdigest() == file_sha256(handover, file)
        for limit in (0, 1, 4095, 4096, 4097, 1 << 20, 1 << 25):
            assert bytes(whole[:limit]) == owners.read_start(handover, file, limit)


def test_content_that_was_left_out_is_none(shipped: Path) -> None:
    """Tampered captures hold no pages of files."""
    handover = open_handover(open_input(str(shipped / "tampered" / "7.3-file-compat-unknown.core.zst")))
    file = next(file for file in handover.files if file.body is not None)
    assert owners.read_start(handover, file, 10) is None
