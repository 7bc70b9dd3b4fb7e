# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The BTF of real kernels, 7.2 and 7.3: the facts of the ABI, an independent reader's word, and damage."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pahole
import pytest

from devstate.errors import DecodeError, UsageError
from devstate.source.btf import Btf

RELEASES = ("7.2", "7.3")

SIZES = {
    "luo_ser": 32, "luo_session_ser": 80, "luo_file_set_ser": 16, "luo_file_ser": 64, "luo_flb_header_ser": 16, "luo_flb_ser": 64,
    "memfd_luo_ser": 48, "memfd_luo_folio_ser": 16, "kho_block_header_ser": 16, "kho_kexec_metadata": 73, "kho_vmalloc": 16,
    "kho_vmalloc_hdr": 8, "kho_vmalloc_chunk": 4096, "kho_radix_node": 4096, "kho_radix_leaf": 4096, "kho_data": 32, "kho_scratch": 16,
}  # fmt: skip

MEMBERS = {
    "luo_ser": [("compatible", 0, 8, "char[8]"), ("liveupdate_num", 8, 8, "u64"), ("sessions_pa", 16, 8, "u64"), ("flbs_pa", 24, 8, "u64")],
    "luo_session_ser": [
        ("name", 0, 64, "char[64]"), ("file_set_ser", 64, 16, "struct luo_file_set_ser"),
        ("file_set_ser.files", 64, 8, "u64"), ("file_set_ser.count", 72, 8, "u64"),
    ],
    "luo_file_ser": [("compatible", 0, 48, "char[48]"), ("data", 48, 8, "u64"), ("token", 56, 8, "u64")],
    "luo_flb_ser": [("name", 0, 48, "char[48]"), ("data", 48, 8, "u64"), ("count", 56, 8, "u64")],
    "memfd_luo_ser": [
        ("pos", 0, 8, "u64"), ("size", 8, 8, "u64"), ("seals", 16, 4, "u32"), ("flags", 20, 4, "u32"), ("nr_folios", 24, 8, "u64"),
        ("folios", 32, 16, "struct kho_vmalloc"), ("folios.first", 32, 8, "union"), ("folios.first.phys", 32, 8, "u64"),
        ("folios.first.ptr", 32, 8, "struct kho_vmalloc_chunk *"), ("folios.total_pages", 40, 4, "unsigned int"),
        ("folios.flags", 44, 2, "short unsigned int"), ("folios.order", 46, 2, "short unsigned int"),
    ],
    "kho_kexec_metadata": [("version", 0, 4, "u32"), ("previous_release", 4, 65, "char[65]"), ("kexec_count", 69, 4, "u32")],
    "kho_block_header_ser": [("next", 0, 8, "u64"), ("count", 8, 8, "u64")],
    "kho_vmalloc_chunk": [
        ("hdr", 0, 8, "struct kho_vmalloc_hdr"), ("hdr.next", 0, 8, "union"), ("hdr.next.phys", 0, 8, "u64"),
        ("hdr.next.ptr", 0, 8, "struct kho_vmalloc_chunk *"), ("phys", 8, 4088, "u64[511]"),
    ],
    "kho_radix_leaf": [("bitmap", 0, 4096, "long unsigned int[512]")],
    "kho_scratch": [("addr", 0, 8, "phys_addr_t"), ("size", 8, 8, "phys_addr_t")],
}  # fmt: skip


@pytest.fixture(scope="module", params=RELEASES)
def path(request: pytest.FixtureRequest, captures: Path) -> Path:
    return captures / f"vmlinux-{request.param}.btf"


@pytest.fixture(scope="module")
def btf(path: Path) -> Btf:
    return Btf.open(path)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_abi(btf: Btf, name: str) -> None:
    """Each struct of the handover has the size that the reference records."""
    assert SIZES[name] == btf.layout(name).size


@pytest.mark.parametrize("name", MEMBERS)
def test_members_are_those_of_the_abi(btf: Btf, name: str) -> None:
    """Offsets, sizes and types of all members, nested ones by path, unaligned ones where they really are."""
    assert MEMBERS[name] == [(each.path, each.offset, each.type.size, each.type.text) for each in btf.layout(name).members]


def test_bitfields_of_a_folio(btf: Btf) -> None:
    """pfn has bits 0 to 51 of the first word, flags the rest: C's order, lowest bits first."""
    members = btf.layout("memfd_luo_folio_ser").members
    assert [("pfn", 0, 52, True), ("flags", 52, 12, True), ("index", 64, 64, False)] == [
        (each.path, each.bit_offset, each.bit_size, each.bitfield) for each in members
    ]


def test_typedefs_and_enums(btf: Btf) -> None:
    """Typedefs are resolved to what they are at last; enums give their values."""
    address = btf.typedef("phys_addr_t")
    assert ("u64", "int", "long long unsigned int", 8, False) == (address.text, address.kind, address.base, address.size, address.signed)
    assert {"HRTIMER_NORESTART": 0, "HRTIMER_RESTART": 1} == btf.enum("hrtimer_restart")
    assert {"PIDTYPE_PID": 0, "PIDTYPE_TGID": 1, "PIDTYPE_PGID": 2, "PIDTYPE_SID": 3, "PIDTYPE_MAX": 4} == btf.enum("pid_type")
    assert (True, 8, 8) == (btf.typedef("ssize_t").signed, btf.typedef("ssize_t").size, btf.pointer_size)


def test_what_is_not_there_is_said(btf: Btf) -> None:
    """A name that the kernel does not have is the caller's error, and names the file."""
    assert [] == btf.structs("luo_ser_v9")
    for ask in (btf.layout, btf.enum, btf.typedef):
        with pytest.raises(UsageError, match=r"vmlinux-7\.\d\.btf has no .* 'luo_ser_v9'"):
            ask("luo_ser_v9")


def test_several_structs_of_one_name(btf: Btf) -> None:
    """Drivers have static structs of one name: all of them are listed, and the one that is asked for is ambiguous when they differ."""
    twice = [name for name in btf.names() if len(btf.structs(name)) > 1]
    assert twice
    differing = [name for name in twice if btf.structs(name)[0] != btf.structs(name)[1]]
    with pytest.raises(UsageError, match=r"times a struct or union .*, and they differ"):
        btf.layout(differing[0])


def test_the_reduced_vmlinux_says_the_same(captures: Path, path: Path, btf: Btf) -> None:
    """The section is found in the ELF file inside the zstd frame, and is the same."""
    whole = Btf.open(captures / path.name.replace(".btf", ".reduced.zst"))
    assert len(btf) == len(whole)
    assert [btf.layout(name) for name in SIZES] == [whole.layout(name) for name in SIZES]


def test_7_2_and_7_3_do_not_differ_on_the_wire(captures: Path) -> None:
    """The compiler laid out every handover struct of both releases alike."""
    old, new = (Btf.open(captures / f"vmlinux-{release}.btf") for release in RELEASES)
    assert [old.layout(name) for name in SIZES] == [new.layout(name) for name in SIZES]


def test_pahole_agrees_on_every_struct(path: Path, btf: Btf) -> None:
    """All structs and unions of a whole kernel: size, and offset and width of each member, against an independent reader."""
    if not shutil.which("pahole"):
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have pahole (package dwarves)")
        pytest.skip("pahole is not installed")
    theirs = pahole.structs(path)
    assert sorted({*btf.names("struct"), *btf.names("union")}) == sorted(theirs)
    compared = 0
    for name, shapes in theirs.items():
        mine = btf.structs(name)
        if len(shapes) == 1 == len(mine):
            size, places = shapes[0]
            assert size == mine[0].size, name
            if pahole.NAMELESS not in places:
                assert places == own_places(mine[0].members), name
                compared += 1
    assert compared > 3500


def own_places(members: tuple[object, ...]) -> pahole.Places:
    """What pahole prints: members of unnamed types where they stand, nothing below a type that has a name."""
    places, below = {}, None
    for each in members:
        if below is None or not each.path.startswith(below):
            below = None
            places[each.path] = (each.bit_offset, each.bit_size)
            if each.type.kind in ("struct", "union") and not re.fullmatch(r"(const |volatile )*(struct|union)(\[\d+\])*", each.type.text):
                below = each.path + ("[]." if each.type.dims else ".")
    return places


def test_all_of_a_kernel_is_readable(btf: Btf) -> None:
    """Every enum and typedef of a kernel is described; a few have two meanings, some typedefs (functions) no size."""
    described = 0
    for keyword, ask in (("enum", btf.enum), ("typedef", btf.typedef)):
        for name in btf.names(keyword):
            try:
                ask(name)
                described += 1
            except (DecodeError, UsageError) as error:
                assert "has no size" in str(error) or "they differ" in str(error)
    assert described > 1300


def test_damage_to_a_real_section_is_an_error_of_ours(captures: Path) -> None:
    """Some hundred prefixes and single-byte changes of a real section: facts or a DecodeError, nothing else."""
    whole = (captures / "vmlinux-7.3.btf").read_bytes()
    chance = random.Random(7)
    for _ in range(60):
        with pytest.raises(DecodeError):
            Btf.open(whole[: chance.randrange(len(whole))])
    for turn in range(60):
        damaged = bytearray(whole)
        damaged[chance.randrange(24) if turn < 20 else chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        try:
            hurt = Btf.open(damaged)
            for name in SIZES:
                hurt.structs(name)
        except DecodeError as error:
            assert str(error)


def test_opening_a_kernel_is_quick(path: Path) -> None:
    """The index is one pass without an object a type: far below what parsing every type would take (some 10 ms; 500 with the
    start of the interpreter allowed here)."""
    code = "import sys, time; from devstate.source.btf import Btf; Btf.open(sys.argv[1]); print(time.process_time())"
    times = [float(subprocess.run([sys.executable, "-c", code, str(path)], check=True, stdout=subprocess.PIPE).stdout) for _ in range(3)]
    assert min(times) < 0.5
