# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""live: a running kernel, as directory trees made of real captures: what is found, where, and why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livehost import LiveHost, kcore

from devstate.errors import DevstateError, ImageError, UsageError
from devstate.handover import carrier, live
from devstate.handover.capture import Origin, take
from devstate.handover.carrier import read_carrier
from devstate.handover.difference import differences
from devstate.handover.host import Host
from devstate.handover.live import find_live
from devstate.handover.missing import disagreements, missing_parts
from devstate.layout.registry import Registry
from devstate.memory import PhysMemory
from devstate.memory.open import open_input


def memory(path: Path) -> PhysMemory:
    found = open_input(str(path)).memory
    assert found is not None
    return found


@pytest.fixture
def live_host(shipped: Path, tmp_path: Path) -> LiveHost:
    """small-7.3, with nothing yet that shows it."""
    return LiveHost(tmp_path, memory(shipped / "small-7.3.core.zst"))


def found(made: LiveHost, side: str | None = None, fdt: int | None = None) -> Origin:
    return find_live(made.host(), Registry.shipped(), side=side, fdt=fdt)


FDT, SCRATCH = 0x2300000, (0x1EBF0000, 48)


# ---- the outgoing handover ----


def test_outgoing(live_host: LiveHost) -> None:
    """The root by the bytes that debugfs shows, the array by its entries; page size and release from the kernel."""
    live_host.debugfs()
    origin = found(live_host)
    assert (FDT, SCRATCH, "out", 4096, 62, ()) == (
        origin.fdt_pa, origin.scratch, origin.side, origin.page_size, origin.machine, origin.missing,
    )  # fmt: skip
    assert [] == differences(live_host.handover, take(origin).handover)


def test_outgoing_as_debugfs_really_was(captures: Path, tmp_path: Path) -> None:
    """The debugfs files of base-7.3, cut as the kernel left them, with its memory: addresses as the kernel printed them."""
    made = LiveHost(tmp_path, memory(captures / "base-7.3.core.zst"))
    for path in (captures / "debugfs-7.3").rglob("*"):
        if path.is_file():
            made.file(f"sys/kernel/debug/kho/{path.relative_to(captures / 'debugfs-7.3')}", path.read_bytes())
    for side in ("out", "in"):
        assert 0x226B000 == found(made, side).fdt_pa
    origin = found(made)
    assert (0x16FF0000, 48) == origin.scratch
    assert origin.dump is not None
    remarks = list(disagreements(take(origin).handover, origin.dump))
    assert [
        "debugfs out/fdt is cut, 233 of 285 bytes: read whole from memory",
        "debugfs out/sub_fdts/LUO is not what is in memory",
    ] == remarks


@pytest.mark.parametrize("cut", [40, 57, 96, 120, 180, 233, 284, None])
def test_wherever_it_is_cut(live_host: LiveHost, cut: int | None) -> None:
    """The first bytes are enough, whichever of names, values and nodes are gone."""
    live_host.debugfs(cut=cut)
    assert FDT == found(live_host).fdt_pa


@pytest.mark.parametrize("cut", [40, 233])
def test_a_copy_is_not_taken_for_the_root(live_host: LiveHost, cut: int) -> None:
    """A page with the same bytes that its own map does not preserve, such as a cached copy of the debugfs file."""
    assert live_host.handover.fdt is not None and live_host.handover.fdt.blob is not None
    live_host.page(0x1000, bytes(live_host.handover.fdt.blob))
    live_host.page(0x9000_0000, bytes(live_host.handover.fdt.blob))
    live_host.debugfs(cut=cut)
    assert FDT == found(live_host).fdt_pa


def test_only_preserved_memory_is_searched(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map's address is in the bytes that debugfs shows: all of RAM need not be read."""
    live_host.debugfs(cut=233)
    searched: list[int] = []
    real = PhysMemory.find_pages

    def seen(self: PhysMemory, magic: bytes, align: int = 4096) -> object:
        searched.append(self.size)
        return real(self, magic, align)

    monkeypatch.setattr(PhysMemory, "find_pages", seen)
    find_live(live_host.host(), Registry.shipped())
    assert 1499136 == searched[0]  # all that is preserved; what follows is for the scratch array


def test_copies_that_cannot_be_told_apart(live_host: LiveHost) -> None:
    """With the map gone, equal pages are listed, and the user chooses."""
    assert live_host.handover.fdt is not None and live_host.handover.fdt.blob is not None
    assert live_host.handover.memory_map_pa is not None
    live_host.page(0x1000, bytes(live_host.handover.fdt.blob))
    live_host.write(live_host.handover.memory_map_pa, bytes(4096))
    live_host.debugfs()
    with pytest.raises(UsageError, match="is here 2 times; choose one: --fdt 0x1000, --fdt 0x2300000"):
        found(live_host)
    assert (FDT, "out") == (found(live_host, fdt=FDT).fdt_pa, found(live_host, fdt=FDT).side)


def test_limit_of_copies(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are looked at, and no more."""
    assert live_host.handover.fdt is not None and live_host.handover.fdt.blob is not None
    assert live_host.handover.memory_map_pa is not None
    monkeypatch.setattr(live, "CANDIDATES_MAX", 3)
    live_host.write(live_host.handover.memory_map_pa, bytes(4096))
    live_host.debugfs()
    for count, listed in ((1, 2), (2, 3), (3, 3)):
        live_host.page(0x1000 * count, bytes(live_host.handover.fdt.blob))
        with pytest.raises(UsageError, match=f"is here {listed} times"):
            found(live_host)


def test_root_that_is_not_in_memory(live_host: LiveHost) -> None:
    """It changed between the two readings."""
    live_host.debugfs()
    live_host.write(FDT + 8, b"\xff")
    with pytest.raises(UsageError, match="nowhere in this memory; try again"):
        found(live_host)


def test_names_since_7_4(live_host: LiveHost) -> None:
    """bootmem_phys and bootmem_len are scratch_phys and scratch_len."""
    live_host.debugfs(scratch="bootmem")
    assert SCRATCH == found(live_host).scratch


def test_scratch_where_this_kernel_got_it(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The array that came with the carrier is used on: nothing is searched if it holds the entries that debugfs shows."""
    monkeypatch.setattr(live, "SEARCH_MAX", 0)
    live_host.debugfs()
    live_host.setup_data()
    assert SCRATCH == found(live_host).scratch
    live_host.setup_data(0x5000, 4096, 0x1500000, 48)
    assert (None, ("scratch array: not looked for in 0x175000 bytes of memory",)) == (found(live_host).scratch, found(live_host).missing)


def test_limit_of_the_search(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is looked for, above it not."""
    live_host.debugfs()
    size = sum(len(data) for _, data in live_host.regions)
    monkeypatch.setattr(live, "SEARCH_MAX", size)
    assert SCRATCH == found(live_host).scratch
    monkeypatch.setattr(live, "SEARCH_MAX", size - 1)
    assert found(live_host).scratch is None


def test_scratch_is_nowhere(live_host: LiveHost) -> None:
    """Its entries are known, its page is not there; or not even these are known."""
    live_host.debugfs()
    live_host.write(SCRATCH[0] + 8, b"\xff")
    assert ("scratch array: its entries, which debugfs shows, are nowhere in this memory",) == found(live_host).missing
    live_host.debugfs(scratch=None)
    for name in ("phys", "len"):
        (live_host.sys / f"kernel/debug/kho/out/scratch_{name}").unlink()
    assert ("scratch array: debugfs does not show its entries",) == found(live_host).missing


def test_scratch_that_begins_with_nothing(live_host: LiveHost) -> None:
    """An array whose first entry is empty begins as any page of zeros does: it is not looked for."""
    live_host.debugfs()
    for name in ("phys", "len"):
        live_host.file(f"sys/kernel/debug/kho/out/scratch_{name}", b"0x0\n0x15000000\n")
    assert ("scratch array: not looked for in 0x175000 bytes of memory",) == found(live_host).missing


def test_debugfs_and_memory_disagree(live_host: LiveHost) -> None:
    """Subtrees that only one of them has."""
    live_host.debugfs()
    live_host.file("sys/kernel/debug/kho/out/sub_fdts/gone", b"x")
    (live_host.sys / "kernel/debug/kho/out/sub_fdts/LUO").unlink()
    origin = found(live_host)
    assert origin.dump is not None
    assert [
        "debugfs shows out/sub_fdts/gone, which is not in the root FDT",
        "debugfs does not show the subtree LUO",
    ] == list(disagreements(take(origin).handover, origin.dump))


def test_damage_is_not_explained_away(live_host: LiveHost) -> None:
    """On the outgoing side, and in an input, nothing has been used up: no reason is given. A bad link to the map is said of the map."""
    live_host.write(FDT + 0x60, b"\x01")
    handover = take(found(live_host, fdt=FDT)).handover
    for side in ("out", None):
        assert ["memory map: the memory map is not at a page boundary at 0x2300060"] == list(missing_parts(handover, side))


def test_before_the_reboot(live_host: LiveHost) -> None:
    """LUO's struct leads nowhere until the reboot serialises: that is said."""
    luo = live_host.handover.subtree("LUO")
    assert luo is not None and luo.pa is not None
    live_host.write(luo.pa + 16, bytes(16))
    live_host.debugfs()
    handover = take(found(live_host)).handover
    assert ["sessions and files: LUO writes them only inside the reboot, until then there are none"] == list(missing_parts(handover, "out"))
    assert [] == list(missing_parts(handover, None))


# ---- the incoming handover ----


def test_incoming_by_setup_data(live_host: LiveHost) -> None:
    """x86: struct kho_data, wherever in the list. It is what is taken when debugfs shows nothing."""
    live_host.setup_data()
    origin = found(live_host)
    assert (FDT, SCRATCH, "in", None) == (origin.fdt_pa, origin.scratch, origin.side, origin.release)
    assert (("SIDE", "in"),) == origin.extra


@pytest.mark.parametrize("scratch", ["linux,kho-scratch", "linux,kho-bootmem"])
@pytest.mark.parametrize("cells", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("under", ["proc/device-tree", "sys/firmware/devicetree/base"])
def test_incoming_by_devicetree(live_host: LiveHost, scratch: str, cells: tuple[int, int], under: str) -> None:
    """/chosen, in cells of either width, under the property's name of either kernel."""
    live_host.chosen(scratch, cells=cells, under=under)
    origin = found(live_host)
    assert (FDT, SCRATCH, "in") == (origin.fdt_pa, origin.scratch, origin.side)


def test_incoming_without_the_array(live_host: LiveHost) -> None:
    """A root alone: this kernel does not know the property of the one before."""
    live_host.chosen("linux,kho-future")
    assert (None, ("scratch array: no carrier names it",)) == (found(live_host).scratch, found(live_host).missing)


def test_incoming_by_debugfs(live_host: LiveHost) -> None:
    """Without a carrier, its bytes are looked for."""
    live_host.debugfs("in", scratch=None)
    assert (FDT, "in") == (found(live_host).fdt_pa, found(live_host).side)


def test_sides(live_host: LiveHost) -> None:
    """out wins when there are both; an address that is the carrier's is that of in."""
    live_host.debugfs("out")
    live_host.debugfs("in", scratch=None)
    live_host.setup_data()
    assert ("out", "in", "in") == (found(live_host).side, found(live_host, "in").side, found(live_host, fdt=FDT).side)


def test_used_up(live_host: LiveHost) -> None:
    """What the new kernel uses again is damage in memory: each part is named, with the reason."""
    luo, root = live_host.handover.subtree("LUO"), live_host.handover.memory_map_pa
    assert luo is not None and luo.pa is not None and root is not None
    live_host.write(luo.pa, b"\x7fELF\x02\x01\x01\x03")
    live_host.write(root + 16, b"\x01\x02\x03\x04\x05\x06\x07\x08")
    live_host.setup_data()
    handover = take(found(live_host)).handover
    assert [
        "memory map: radix node 0x807060504030201 is not at a page boundary at 0x22ff010 (its own pages are not preserved: this kernel "
        "uses them again)",
        "subtree LUO: the blob is of no known format at 0x23e2000 (this kernel has taken it over and freed it)",
    ] == list(missing_parts(handover, "in"))
    assert handover.metadata is not None and "7.3.4" == handover.metadata.previous_release


# ---- carriers ----


def test_carriers_that_are_none(live_host: LiveHost) -> None:
    """Another type, a struct that is cut, cells that are no cells, a property of another length."""
    place = (str(live_host.sys), str(live_host.proc))
    assert read_carrier(*place, Registry.shipped(), "little") is None
    live_host.setup_data(kind=9)
    assert read_carrier(*place, Registry.shipped(), "little") is None
    live_host.setup_data(FDT, 4096, 1)
    assert read_carrier(*place, Registry.shipped(), "little") is None
    live_host.chosen()
    for name, data in (("#size-cells", b""), ("chosen/linux,kho-fdt", bytes(12)), ("chosen/linux,kho-fdt", bytes(20))):
        live_host.chosen()
        live_host.file(f"proc/device-tree/{name}", data)
        assert read_carrier(*place, Registry.shipped(), "little") is None
    live_host.chosen(cells=(3, 1))
    assert read_carrier(*place, Registry.shipped(), "little") is None


def test_limit_of_setup_data(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit the node is found, above it not."""
    live_host.setup_data()
    for limit, expected in ((2, True), (1, False)):
        monkeypatch.setattr(carrier, "SETUP_DATA_MAX", limit)
        assert expected == (read_carrier(str(live_host.sys), str(live_host.proc), Registry.shipped(), "little") is not None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.binary(max_size=12), data=st.binary(max_size=64), cells=st.binary(max_size=5), value=st.binary(max_size=17))
def test_any_bytes_in_a_carrier(live_host: LiveHost, kind: bytes, data: bytes, cells: bytes, value: bytes) -> None:
    """Files of any content give a carrier or none."""
    for path, content in (("setup_data/1/type", kind), ("setup_data/1/data", data)):
        live_host.file(f"sys/kernel/boot_params/{path}", content)
    for name in ("#address-cells", "#size-cells"):
        live_host.file(f"proc/device-tree/{name}", cells)
    live_host.file("proc/device-tree/chosen/linux,kho-fdt", value)
    found = read_carrier(str(live_host.sys), str(live_host.proc), Registry.shipped(), "little")
    assert found is None or found.fdt_pa >= 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from([b"", b"\xd0\x0d\xfe\xed"]), blob=st.binary(max_size=300), lines=st.binary(max_size=60))
def test_any_bytes_in_debugfs(live_host: LiveHost, head: bytes, blob: bytes, lines: bytes) -> None:
    """A root FDT and scratch entries of any content end in one of our errors, or in an origin."""
    live_host.file("sys/kernel/debug/kho/out/fdt", head + blob)
    live_host.file("sys/kernel/debug/kho/out/scratch_phys", lines)
    live_host.file("sys/kernel/debug/kho/out/scratch_len", lines)
    try:
        found(live_host)
    except DevstateError as error:
        assert str(error)


# ---- refusals ----


def denied(path: str, error: type[OSError]) -> Callable[..., int]:
    real = os.open

    def opened(name: str, *arguments: int) -> int:
        if name.endswith(path):
            raise error(1 if error is PermissionError else 2, os.strerror(1), name)
        return real(name, *arguments)

    return opened


def test_built_without(live_host: LiveHost) -> None:
    """The configuration says so."""
    live_host.configured("CONFIG_DEBUG_FS")
    with pytest.raises(ImageError, match=r"kernel 7.3.4 was built without Kexec HandOver .*boot one that has it: 6.16 or later"):
        found(live_host)


def test_debugfs_not_mounted(live_host: LiveHost) -> None:
    """An empty mount point; with an address there is no need of it."""
    with pytest.raises(ImageError, match=r"debugfs is not mounted \(mount -t debugfs none .*--fdt PA\)"):
        found(live_host)
    assert FDT == found(live_host, fdt=FDT).fdt_pa


def test_no_debugfs(live_host: LiveHost) -> None:
    """Not even a mount point."""
    (live_host.sys / "kernel/debug").rmdir()
    with pytest.raises(ImageError, match=r"there is no debugfs \(the kernel needs CONFIG_DEBUG_FS"):
        found(live_host)


def test_debugfs_for_root_only(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory is closed to others."""

    def closed(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", closed)
    with pytest.raises(ImageError, match=r"cannot be read: Permission denied \(run it as root"):
        found(live_host)


@pytest.mark.parametrize(
    ("line", "options", "advice"),
    [
        (b"kho=on kho=0", ["CONFIG_KEXEC_HANDOVER"], "booted with KHO switched off: boot it with kho=on"),
        (b"kho=on", ["CONFIG_KEXEC_HANDOVER"], "built without CONFIG_KEXEC_HANDOVER_DEBUGFS; give the root FDT's address with --fdt PA"),
        (b"quiet", ["CONFIG_KEXEC_HANDOVER", "CONFIG_KEXEC_HANDOVER_DEBUGFS"], "boot it with kho=on; it needs"),
        (b"kho=on", [], "it needs CONFIG_KEXEC_HANDOVER and CONFIG_KEXEC_HANDOVER_DEBUGFS"),
    ],
)
def test_no_kho_in_debugfs(live_host: LiveHost, line: bytes, options: list[str], advice: str) -> None:
    """Mounted, but without kho: what the command line and the configuration say about it."""
    (live_host.sys / "kernel/debug/clk").mkdir()
    live_host.file("proc/cmdline", line)
    if options:
        live_host.configured(*options)
    with pytest.raises(ImageError, match=f"this kernel shows no handover.*{advice}"):
        found(live_host)


def test_kho_without_a_root(live_host: LiveHost) -> None:
    """The directory is there, its files cannot be read."""
    (live_host.sys / "kernel/debug/kho/out").mkdir(parents=True)
    with pytest.raises(ImageError, match=r"no root FDT can be read here; expected out/fdt or in/fdt \(run it as root"):
        found(live_host)


def test_side_that_is_not_shown(live_host: LiveHost) -> None:
    """The other side is no substitute for the one that was asked for."""
    live_host.debugfs("in", scratch=None)
    with pytest.raises(ImageError, match="no root FDT can be read here"):
        found(live_host, "out")


def test_no_kcore(live_host: LiveHost) -> None:
    """Not built in, or hidden from a container."""
    live_host.debugfs()
    host = Host(str(live_host.sys), str(live_host.proc))
    with pytest.raises(ImageError, match=r"kcore: there is no way to physical memory \(the kernel needs CONFIG_PROC_KCORE"):
        find_live(host, Registry.shipped())
    os.symlink(os.devnull, live_host.proc / "kcore")
    with pytest.raises(ImageError, match=r"is no file: something covers it \(containers mask it"):
        find_live(host, Registry.shipped())


def test_kcore_denied(live_host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """To those who are not root; and to all in lockdown, of which only one mode covers it."""
    live_host.debugfs()
    host = live_host.host()
    monkeypatch.setattr(os, "open", denied("kcore", PermissionError))
    for mode in (b"[none] integrity confidentiality\n", b"none [integrity] confidentiality\n"):
        live_host.file("sys/kernel/security/lockdown", mode)
        with pytest.raises(ImageError, match=r"physical memory cannot be read: Operation not permitted \(run it as root.*CAP_SYS_RAWIO"):
            find_live(host, Registry.shipped())
    live_host.file("sys/kernel/security/lockdown", b"none integrity [confidentiality]\n")
    with pytest.raises(ImageError, match=r"the kernel is locked down \(confidentiality\)"):
        find_live(host, Registry.shipped())


def test_kcore_that_is_no_core(live_host: LiveHost) -> None:
    """A devicetree, text, nothing: no memory in it."""
    live_host.debugfs()
    host = live_host.host()
    for data in (b"\xd0\x0d\xfe\xed" + bytes(60), b"text", b""):
        live_host.file("proc/kcore", data)
        with pytest.raises(DevstateError):
            find_live(host, Registry.shipped())


def test_page_size(live_host: LiveHost) -> None:
    """What the user says goes before what the kernel says; 4K where nobody does; nonsense is refused."""
    live_host.debugfs()
    host = live_host.host()
    assert 16384 == find_live(host, Registry.shipped(), page_size=16384, fdt=FDT).page_size
    regions = [(pa, bytes(data)) for pa, data in live_host.regions]
    live_host.file("proc/kcore", kcore(regions, info=b"PAGESIZE=65536\n"))
    assert 65536 == find_live(host, Registry.shipped(), fdt=FDT).page_size
    live_host.file("proc/kcore", kcore(regions, info=b""))
    assert 4096 == find_live(host, Registry.shipped()).page_size
    with pytest.raises(UsageError, match="the page size is one of"):
        find_live(host, Registry.shipped(), page_size=5000)


def test_configuration(live_host: LiveHost) -> None:
    """Whole names only; a file that is no gzip says nothing."""
    live_host.configured("CONFIG_KEXEC_HANDOVER_DEBUGFS")
    host = live_host.host()
    assert (True, False, False) == tuple(host.configured(f"CONFIG_{name}") for name in ("KEXEC_HANDOVER_DEBUGFS", "KEXEC_HANDOVER", "X"))
    live_host.file("proc/config.gz", b"text")
    assert host.configured("CONFIG_KEXEC_HANDOVER") is None
