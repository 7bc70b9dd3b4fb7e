# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""open(build(x)) == x for every form that a kernel ever wrote, on every page size, in both byte orders; and check finds nothing in it."""

from __future__ import annotations

import hashlib
import io
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.check.run import Report, check
from devstate.finding import Finding, Reaction, Severity
from devstate.frozen import replace
from devstate.handover.build import Built, build
from devstate.handover.content import file_sha256
from devstate.handover.model import Handover
from devstate.handover.open import open_handover, open_memory
from devstate.handover.spec import FileSpec, FlbSpec, Forms, RegionSpec, SessionSpec, Spec
from devstate.layout.model import PAGE_SIZES
from devstate.layout.release import parse_release
from devstate.memory.notes import HandoverNote
from devstate.memory.open import open_data
from tests.handover.builders import KERNELS, POSTED

MIB = 1 << 20
SCRATCH = ((0x8000_0000, 64 * MIB), (0x9000_0000, 0), (0xA000_0000, 512 * MIB))
"""Aligned as for the largest pageblock of 64K pages, and above the arena."""


def opened(built: Built) -> Handover:
    return open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch if built.scratch[1] else None)


def seen(handover: Handover) -> Spec:
    """What was read, as the description that it would be built from. Contents are hashes here, those of no bytes for empty regions."""
    luo, memory = handover.luo, handover.memory
    assert handover.layout is not None and memory is not None
    files = {file.format for file in handover.files}
    return Spec(
        Forms(
            handover.layout.name,
            luo.format if luo is not None else None,
            files.pop() if files else None,
            handover.metadata.previous_release if handover.metadata is not None else None,
        ),
        handover.environment.page_size,
        handover.environment.byte_order,
        tuple(
            SessionSpec(
                session.name,
                tuple(
                    FileSpec(file.token, file_sha256(handover, file).encode(), file.size or 0, file.pos or 0, file.seals or 0)
                    for file in session.files
                ),
            )
            for session in (luo.sessions if luo is not None else ())
        ),
        tuple(FlbSpec(flb.name, flb.data, flb.count) for flb in (luo.flbs if luo is not None else ())),
        tuple(
            RegionSpec(region.name, region.size, hashlib.sha256(memory.read(region.start, region.size)).hexdigest().encode())
            for region in handover.regions
        ),
        luo.liveupdate_num or 0 if luo is not None else 0,
        handover.metadata.kexec_count if handover.metadata is not None else 0,
        tuple(handover.scratch or ()),
    )


def able(wanted: Spec) -> Spec:
    """What of it the kernel has a place for: no sessions without LUO, no files, seals or FLBs before there were any."""
    forms = wanted.forms
    flbs = forms.luo not in (None, "luo-v1@6.19", "luo-v1@head", "luo-v1@session-v1")

    def session(each: SessionSpec) -> SessionSpec:
        files = tuple(replace(file, seals=0) if forms.memfd == "memfd-v1" else file for file in each.files)
        return replace(each, files=files if forms.memfd is not None else ())

    sessions = tuple(session(each) for each in wanted.sessions) if forms.luo is not None else ()
    return replace(wanted, sessions=sessions, flbs=wanted.flbs if flbs else ())


def meant(wanted: Spec) -> Spec:
    """What ``seen`` should give: contents as hashes, without what only the builder cares for."""
    wanted = able(wanted)
    forms = wanted.forms
    alike = forms.kho == "kho-v3@7.1-rc1" and wanted.page_size != 16384  # bytes of kho-v3 then
    any_file = any(session.files for session in wanted.sessions)

    def hashed(content: bytes | memoryview, size: int) -> bytes:
        return hashlib.sha256(bytes(content[:size]).ljust(size, b"\0")).hexdigest().encode()

    def session(each: SessionSpec) -> SessionSpec:
        return replace(each, files=tuple(replace(file, content=hashed(file.content, file.size), order=0) for file in each.files))

    return replace(
        wanted,
        forms=replace(forms, kho="kho-v3" if alike else forms.kho, memfd=forms.memfd if any_file else None),
        sessions=tuple(session(each) for each in wanted.sessions),
        regions=tuple(replace(region, content=hashed(region.content, region.size)) for region in wanted.regions),
        liveupdate_num=wanted.liveupdate_num if forms.luo is not None else 0,
        kexec_count=wanted.kexec_count if forms.release is not None else 0,
        per_block=None,
        per_list=None,
        list_order=0,
    )


letters = st.characters(min_codepoint=33, max_codepoint=0x2FFF, categories=("L", "N", "P", "S"), exclude_characters="/")
names = st.text(letters, min_size=1, max_size=15)
words = st.sampled_from([0, 1, (1 << 63) - 1, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)


@st.composite
def files(draw: st.DrawFn, page: int) -> FileSpec:
    """A memfd of up to a dozen pages, or of one huge folio."""
    order = draw(st.sampled_from([0, 0, 0, 1, 3, 9]))
    pages = draw(st.integers(0, 12 if order < 9 else 1))
    size = max(0, pages * page - draw(st.sampled_from([0, 0, 1, page // 2])))
    pos = draw(st.integers(0, size))  # check wonders at one behind the end
    content = draw(st.binary(max_size=64)) * draw(st.sampled_from([1, 1, page // 16]))
    return FileSpec(draw(words), content, size, pos, draw(st.integers(0, 31)), order)


@st.composite
def wanted(draw: st.DrawFn, kernels: tuple[Forms, ...]) -> Spec:
    """Any handover that a kernel can have written."""
    kernel, page = draw(st.sampled_from(kernels)), draw(st.sampled_from(PAGE_SIZES))
    sessions = tuple(
        SessionSpec(name, tuple(draw(st.lists(files(page), max_size=4, unique_by=lambda file: file.token))))
        for name in draw(st.lists(names, max_size=4, unique=True))
    )
    count = sum(len(session.files) for session in sessions)
    lowest = 2 if page == 16384 and kernel.kho in ("kho-v2", "kho-v3@7.1-rc1") else 1
    region_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=15)
    kexecs = draw(st.integers(1, (1 << 32) - 1))
    return Spec(
        kernel,
        page,
        draw(st.sampled_from(["little", "big"])),
        sessions,
        tuple(FlbSpec(name, draw(words), count) for name in draw(st.lists(names, max_size=3, unique=True))) if count else (),
        tuple(
            RegionSpec(name, page * lowest * draw(st.integers(1, 6)), draw(st.binary(max_size=40)))
            for name in draw(st.lists(region_names, max_size=3, unique=True))
        ),
        draw(st.integers(1, kexecs)),
        kexecs,
        draw(st.sampled_from([(), SCRATCH])),
        draw(st.sampled_from([None, 1, 2])),
        draw(st.sampled_from([None, 1, 2])),
        draw(st.sampled_from([0, 0, 1, 2])),
    )


FULL = Spec(
    KERNELS[-1],
    sessions=(
        SessionSpec("vm-alpha", (FileSpec(1, b"a" * 5000, 5000), FileSpec(77, b"b" * 100, 40_000, 17, 6, 1), FileSpec(0))),
        SessionSpec("empty"),
        SessionSpec("vm-beta", (FileSpec(1, b"c", 2 * MIB - 5, order=9),)),
    ),
    flbs=(FlbSpec("flb-a", 0xFEED, 4), FlbSpec("flb-b", 0, 4)),
    regions=(RegionSpec("trace", 3 << 16, b"trace"), RegionSpec("odd", 1 << 16, b"")),
    scratch=SCRATCH,
    per_block=2,
    per_list=1,
)


def told_of(report: Report) -> list[Finding]:
    """The findings, without the true one that a commit between releases is no release."""
    releases = [each.found for each in report.findings if each.rule == "metadata-release"]
    commits = {repr(each.release) for each in KERNELS if each.release is not None and parse_release(each.release) is None}
    return [each for each in report.findings if each.rule != "metadata-release" or not commits.issuperset(releases)]


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("kernel", KERNELS + POSTED, ids=lambda kernel: "+".join(filter(None, (kernel.kho, kernel.luo, kernel.release))))
def test_every_form(kernel: Forms, page_size: int, byte_order: str) -> None:
    """One handover with some of everything, in each form, page size and byte order: read as it was meant, nothing to complain about."""
    want = replace(FULL, forms=kernel, page_size=page_size, byte_order=byte_order)  # type: ignore[arg-type]  # one of the two
    built = build(able(want))
    handover = opened(built)
    assert [] == handover.problems
    assert meant(want) == seen(handover)
    assert handover.preserved is not None
    orders = Counter({run.order: 0 for run in built.preserved})
    for run in built.preserved:
        orders[run.order] += run.blocks
    assert dict(orders) == handover.preserved.map.orders
    assert sum(run.blocks * page_size << run.order for run in built.preserved) == handover.preserved.map.bytes
    assert {f"memblock/{region.name}": region.start for region in handover.regions}.items() <= built.placed.items()


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: "+".join(filter(None, (kernel.kho, kernel.luo, kernel.release))))
def test_no_false_alarm(kernel: Forms, page_size: int, byte_order: str) -> None:
    """What a kernel wrote is what its own successor accepts: no finding but the note that nobody knows the FLBs' names; and, where the
    map cannot hold single pages, that the other page of a pair is nobody's.
    """
    report = check(opened(build(able(replace(FULL, forms=kernel, page_size=page_size, byte_order=byte_order)))))  # type: ignore[arg-type]
    pairs = page_size == 16384 and kernel.kho in ("kho-v2", "kho-v3@7.1-rc1")
    told = told_of(report)
    assert {"flb-name"} | ({"unowned-pages"} if pairs else set()) >= {each.rule for each in told}
    assert all(each.severity is Severity.INFO for each in told)
    assert Reaction.ACCEPTED is report.predicted


@given(wanted(KERNELS))
@settings(max_examples=120, deadline=None)
@example(FULL)
def test_open_gives_what_was_built(want: Spec) -> None:
    """The main property: open(build(x)) == x; and check is silent."""
    handover = opened(build(able(want)))
    assert meant(want) == seen(handover)
    report = check(handover)
    assert ([], Reaction.ACCEPTED) == ([each for each in told_of(report) if each.severity > Severity.INFO], report.predicted)


def test_a_damaged_tree_is_not_taken_for_the_short_form() -> None:
    """On 16K pages a tree with a wild pointer still is the one in which the root FDT is preserved, read to its full depth."""
    built = build(able(replace(FULL, forms=KERNELS[6], page_size=16384)))
    root = built.placed["kho/map/0"]
    built.arena.write(root + 8 * 3, ((1 << 40) + 16384).to_bytes(8, "little"))
    handover = opened(built)
    assert handover.layout is not None and "kho-v3" == handover.layout.name
    assert {"radix-key"} == {problem.code for problem in handover.problems}
    assert handover.preserved is not None and handover.preserved.covers(built.fdt_pa)


@given(wanted(POSTED))
@settings(max_examples=40, deadline=None)
def test_posted_forms(want: Spec) -> None:
    """What was posted under a string that mainline has too is told apart by what is there."""
    assert meant(want) == seen(opened(build(able(want))))


@pytest.mark.parametrize("kernel", [each for each in KERNELS if each.luo], ids=lambda kernel: f"{kernel.luo}+{kernel.release}")
def test_more_than_one_block(kernel: Forms) -> None:
    """More sessions, files and folios than a page holds of each: chains where there are chains, areas where there are areas."""
    crowd = SessionSpec("crowd", (*(FileSpec(token, b"x", 1) for token in range(127)), FileSpec(999, b"y" * 9, 4096 * 300)))
    want = Spec(kernel, sessions=(crowd, *(SessionSpec(f"session {number}") for number in range(120))))
    handover = opened(build(able(want)))
    assert meant(want) == seen(handover)
    assert Reaction.ACCEPTED is check(handover).predicted


@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_scratch_is_found(page_size: int) -> None:
    """Without a word about it, the array is the page that nothing else explains."""
    built = build(replace(FULL, page_size=page_size))
    handover = open_memory(built.arena.view(), fdt=built.fdt_pa)
    assert (list(SCRATCH), built.scratch[0]) == (handover.scratch, handover.scratch_pa)


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_a_saved_handover_opens_by_itself(byte_order: str) -> None:
    """As a core with a note, page size and byte order are known; without one the root is found."""
    want = replace(FULL, page_size=16384, byte_order=byte_order)  # type: ignore[arg-type]  # one of the two
    built = build(able(want))
    note = HandoverNote(fdt_pa=built.fdt_pa, scratch_pa=built.scratch[0], scratch_len=built.scratch[1], page_size=16384)
    for each in (note, HandoverNote(page_size=16384)):
        file = io.BytesIO()
        built.arena.save(file, each)
        assert meant(want) == seen(open_handover(open_data(memoryview(file.getvalue()))))
