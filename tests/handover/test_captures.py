# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every real handover against what its kernels said about it: all that truth.json tells, read from the memory alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from devstate.handover.content import file_pieces, file_runs, file_sha256, write_content
from devstate.handover.model import Handover, PreservedFile
from devstate.handover.open import open_handover
from devstate.memory.open import open_input

SHIPPED = ("empty-7.3", "small-7.3")
NAMES = (*SHIPPED, "base-7.3", "flb-7.2", "iommu-machine-7.3", "many-7.3", "reserve-7.3")


@pytest.fixture(scope="module", params=NAMES)
def capture(request: pytest.FixtureRequest, shipped: Path) -> tuple[Handover, dict[str, Any]]:
    """A capture, opened without any help, and its truth."""
    folder = shipped if request.param in SHIPPED else request.getfixturevalue("captures")
    truth = json.loads((folder / f"{request.param}.truth.json").read_text())
    return open_handover(open_input(str(folder / f"{request.param}.core.zst"))), truth


def number(text: str | int) -> int:
    return int(text, 16) if isinstance(text, str) else text


def test_nothing_is_wrong(capture: tuple[Handover, dict[str, Any]]) -> None:
    """The walk of a real handover meets no problem."""
    assert [] == capture[0].problems


def test_root(capture: tuple[Handover, dict[str, Any]]) -> None:
    """The root is found where the kernel put it, of the one form that 7.2 and 7.3 have; so are the scratch areas."""
    handover, truth = capture
    assert (number(truth["fdt_pa"]), "kho-v4") == (handover.fdt_pa, handover.compatible)
    assert handover.layout is not None and "kho-v4" == handover.layout.name
    assert number(truth["scratch_pa"]) == handover.scratch_pa
    assert [(number(start), number(size)) for start, size in truth["scratch"]] == handover.scratch
    assert len(handover.scratch) * 16 == truth["scratch_len"]


def test_subtrees(capture: tuple[Handover, dict[str, Any]]) -> None:
    """Each client's blob: place and bytes."""
    handover, truth = capture
    wanted = {name: (number(each["pa"]), each["size"]) for name, each in truth["subtrees"].items()}
    assert wanted == {each.name: (each.pa, each.size) for each in handover.subtrees}
    assert all(each.blob is not None and len(each.blob) == each.size for each in handover.subtrees)


def test_provenance(capture: tuple[Handover, dict[str, Any]]) -> None:
    """What kexec-metadata says is the kernel that was booted before."""
    handover, truth = capture
    wanted = truth["subtrees"]["kexec-metadata"]["metadata"]
    assert handover.metadata is not None
    assert truth["old_kernel"] == wanted["previous_release"] == handover.metadata.previous_release
    assert (wanted["version"], wanted["kexec_count"]) == (handover.metadata.version, handover.metadata.kexec_count)


def test_luo(capture: tuple[Handover, dict[str, Any]]) -> None:
    """LUO's struct and its FLBs."""
    handover, truth = capture
    wanted = truth["subtrees"].get("LUO", {}).get("luo")
    assert (wanted is None) == (handover.luo is None)
    if wanted is None or handover.luo is None:
        return
    luo = handover.luo
    assert luo.record is not None
    assert (wanted["compatible"], wanted["liveupdate_num"]) == (luo.compatible, luo.liveupdate_num)
    assert (number(wanted["sessions_pa"]), number(wanted["flbs_pa"])) == (luo.record.sessions_pa, luo.record.flbs_pa)
    assert (number(wanted["flbs_pa"]), {"pgcnt": wanted["flb"]["pgcnt"], "count": wanted["flb"]["count"]}) == luo.flb_header
    entries = [[name, number(data), count] for name, data, count in wanted["flb"]["entries"]]
    assert entries == [[flb.name, flb.data, flb.count] for flb in luo.flbs]


def of_file(handover: Handover, file: PreservedFile, row: dict[str, Any]) -> dict[str, Any]:
    """The row of the truth as it was read."""
    assert file.format == file.compatible == "memfd-v2"
    read = {"token": file.token, "size": file.size, "pos": file.pos, "seals": file.seals, "sha256": file_sha256(handover, file)}
    return row | read


def test_sessions(capture: tuple[Handover, dict[str, Any]]) -> None:
    """Sessions by name, files by token, each with size, position, seals and the hash of its content, in order."""
    handover, truth = capture
    sessions = handover.luo.sessions if handover.luo is not None else []
    assert [session["name"] for session in truth["sessions"]] == [session.name for session in sessions]
    for wanted, session in zip(truth["sessions"], sessions, strict=True):
        assert [row["token"] for row in wanted["files"]] == [file.token for file in session.files]
        rows = [of_file(handover, file, row) for file, row in zip(session.files, wanted["files"], strict=True)]
        assert wanted["files"] == rows


def test_what_the_next_kernel_retrieved(capture: tuple[Handover, dict[str, Any]]) -> None:
    """The reading kernel gave its user space the same, file by file."""
    handover, truth = capture
    sessions = handover.luo.sessions if handover.luo is not None else []
    files = {(session.name, file.token): file for session in sessions for file in session.files}
    for row in truth["retrieved_in_new_kernel"]:
        file = files[row["session"], row["token"]]
        assert (row["size"], row["pos"], row["seals"]) == (file.size, file.pos, file.seals)
        assert row["sha256"] == file_sha256(handover, file)


def test_regions(capture: tuple[Handover, dict[str, Any]]) -> None:
    """reserve_mem regions: name, place, size and content."""
    handover, truth = capture
    memory = handover.memory
    assert memory is not None
    found = [
        {
            "name": region.name,
            "start": f"{region.start:#x}",
            "size": region.size,
            "sha256": hashlib.sha256(memory.read(region.start, region.size)).hexdigest(),
        }
        for region in handover.regions
    ]
    known = [{key: region[key] for key in ("name", "start", "size", "sha256")} for region in truth["regions"]]
    if "flb-7.2" in handover.source:  # its region was not hashed by user space
        assert ["r1"] == [row["name"] for row in found]
        return
    assert known == found


def test_preserved_pages(capture: tuple[Handover, dict[str, Any]]) -> None:
    """Blocks by order, and the bytes in all; all that the handover leads to is in them, and none of the map is."""
    handover, truth = capture
    preserved = handover.preserved
    assert preserved is not None
    assert {int(order): count for order, count in truth["preserved_orders"].items()} == preserved.map.orders
    assert truth["preserved_bytes"] == preserved.map.bytes
    assert not any(preserved.covers(pa) for pa in preserved.map.node_pages)
    assert all(preserved.covers(claim.start, claim.size) for claim in handover.claims.items)


def test_orders_of_folios(capture: tuple[Handover, dict[str, Any]]) -> None:
    """One lookup and many give the same order for every folio, and each folio is a block of the map."""
    import numpy as np

    handover, _ = capture
    assert handover.preserved is not None
    for file in handover.files:
        starts = np.fromiter((pa for _, pa, _ in file_runs(handover, file)), np.uint64)
        orders = handover.preserved.orders_at(starts)
        assert orders.tolist() == [handover.preserved.order_at(int(pa)) for pa in starts]
        assert (orders >= 0).all()


def test_written_content(capture: tuple[Handover, dict[str, Any]], tmp_path: Path) -> None:
    """A file that is written out has the size and the hash that user space saw; pieces ascend and stay inside."""
    handover, truth = capture
    rows = [row for session in truth["sessions"] for row in session["files"]]
    for file, row in list(zip(handover.files, rows, strict=True))[:20]:
        end = 0
        for offset, piece in file_pieces(handover, file):
            assert end <= offset and offset + len(piece) <= row["size"]
            end = offset + len(piece)
        path = tmp_path / "content"
        with path.open("wb") as output:
            write_content(handover, file, output)
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_kernel_test_subtree(captures: Path) -> None:
    """A client that nobody knows has a place and a blob, and no format."""
    handover = open_handover(open_input(str(captures / "flb-7.2.core.zst")))
    subtree = handover.subtree("kho_test")
    assert subtree is not None and subtree.format is None
    assert subtree.fdt is not None and ("kho-test-v1",) == subtree.fdt.root.compatible


@pytest.mark.parametrize("side", ["in", "out"])
def test_debugfs(side: str, shipped: Path) -> None:
    """The files of debugfs have no memory behind them, and lie: what they show is the root, provenance, and scratch on the old side.

    ``out/fdt`` is cut in its strings block, ``in/sub_fdts/LUO`` was freed and used again; ``out/sub_fdts/LUO`` has no sessions yet.
    """
    handover = open_handover(open_input(str(shipped / "debugfs-7.3" / side)))
    assert (False, None, None) == (handover.faithful, handover.memory, handover.preserved)
    assert ("kho-v4", 0x226A000) == (handover.compatible, handover.memory_map_pa)
    assert ["LUO", "kexec-metadata"] == [subtree.name for subtree in handover.subtrees]
    assert handover.metadata is not None and ("7.3.4", 1) == (handover.metadata.previous_release, handover.metadata.kexec_count)
    codes = {problem.code for problem in handover.problems}
    if side == "in":
        assert (None, {"subtree-format"}) == (handover.luo, codes)
        assert [(0x23FB000, 32), (0x2271000, 73)] == [(each.pa, each.size) for each in handover.subtrees]
    else:
        assert {"debugfs-cut", "kho-fdt"} == codes
        assert handover.luo is not None and ("luo-v5", 1, []) == (handover.luo.format, handover.luo.liveupdate_num, handover.luo.sessions)
        assert [(0x15000000, 32 << 20), (0x11000000, 64 << 20), (0xF000000, 32 << 20)] == handover.scratch
