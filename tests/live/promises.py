# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What devstate promises of a live update, each held to what a real kernel did. It is kept when its function finds nothing to say."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from devstate.frozen import frozen
from devstate.handover.model import Handover
from devstate.handover.open import open_handover
from devstate.memory.open import open_input
from tests.live.pretend import answers

MISSES = "nothing was noted"


@frozen
class Seen:
    """What came of a run: the facts that the guest noted in the old and in the new kernel, and the directory with the cores."""

    old: dict[str, object]
    new: dict[str, object]
    place: Path

    def handover(self, name: str) -> Handover:
        """The handover in a core."""
        return open_handover(open_input(str(self.place / name)))


def devstate(*arguments: str | Path) -> tuple[int, str]:
    """Run devstate here."""
    done = subprocess.run([sys.executable, "-m", "devstate", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def inspected(path: Path) -> dict[str, object]:
    """What ``inspect`` says of a core."""
    return dict(json.loads(devstate("inspect", path, "--json", "--hash")[1]))


def succeeded(facts: dict[str, object], *verbs: str) -> Iterator[str]:
    """Verbs that ran in the guest."""
    for verb in verbs:
        match facts.get(verb):
            case [0, _, ""]:
                pass
            case [status, said, error]:
                yield f"{verb}: status {status}: {said}{error}"
            case _:
                yield f"{verb}: {MISSES}"


def old_verbs(seen: Seen) -> Iterator[str]:
    """luo status, create, preserve and names, and capture, run in the old kernel."""
    yield from succeeded(seen.old, "status", "names", "capture", "capture preserved")
    match seen.old.get("names"):
        case [0, "vm-beta\n", _]:
            pass
        case found:
            yield f"names: {found}"


def new_verbs(seen: Seen) -> Iterator[str]:
    """luo status, retrieve and finish, and capture, run in the new kernel; what is finished is gone."""
    yield from succeeded(seen.new, "capture", "status", "retrieve", "finish")
    match seen.new.get("finish again"):
        case [2, "", str(error)] if "ENOENT" in error:
            pass
        case found:
            yield f"finish again: {found}"


def refusals(seen: Seen) -> Iterator[str]:
    """Whatever the client refuses has the kernel's errno and a reason."""
    for facts, what, number in (
        (seen.old, "create twice", errno.EEXIST), (seen.old, "open twice", errno.EBUSY), (seen.old, "token twice", errno.EEXIST),
        (seen.old, "no handler", errno.ENOENT), (seen.old, "no descriptor", errno.EBADF),
        (seen.old, "retrieve from an outgoing session", errno.EINVAL), (seen.old, "finish an outgoing session", errno.EINVAL),
        (seen.new, "retrieve an unknown session", errno.ENOENT), (seen.new, "no such token", errno.ENOENT),
    ):  # fmt: skip
        match facts.get(what):
            case [found, str(reason)] if found == number and reason:
                pass
            case found:
                yield f"{what}: {found}, expected {errno.errorcode[number]}"


def double(seen: Seen) -> Iterator[str]:
    """The double in this process answers each call as the kernel does."""
    found: dict[str, object] = {}
    for facts in (seen.old, seen.new):
        noted = facts.get("answers")
        found |= noted if isinstance(noted, dict) else {}
    expected = answers()
    for what in expected | found:
        if expected.get(what) != found.get(what):
            yield f"{what}: the kernel {found.get(what, MISSES)}, the double {expected.get(what)}"


def at_the_jump(seen: Seen) -> Iterator[str]:
    """inspect of the memory at the jump names every session and file, its size, position, seals and content, and nothing else."""
    luo = inspected(seen.place / "jump.elf")["luo"]
    assert isinstance(luo, dict)
    found = {
        f"{session['name']}/{file['token']}": [file["size"], file["pos"], file["seals"], file["sha256"]]
        for session in luo["sessions"]
        for file in session["files"]
    }
    truth = seen.old.get("truth")
    yield from differences(truth if isinstance(truth, dict) else {}, found)


def differences(expected: dict[str, object], found: dict[str, object]) -> Iterator[str]:
    """Entries that are not the same."""
    for what in sorted(expected | found):
        if expected.get(what) != found.get(what):
            yield f"{what}: {found.get(what)}, expected {expected.get(what)}"


def checked(seen: Seen) -> Iterator[str]:
    """check finds nothing wrong at the jump, and everything was retrieved."""
    status, said = devstate("check", seen.place / "jump.elf")
    if status:
        yield said


def captured_before(seen: Seen) -> Iterator[str]:
    """capture before the jump has the root, the metadata and the preserved pages of the jump, but for what the reboot adds."""
    before, after = seen.handover("out-preserved.core.zst"), seen.handover("jump.elf")
    if before.fdt_pa != after.fdt_pa:
        yield f"root at {before.fdt_pa}, expected {after.fdt_pa}"
    if before.metadata != after.metadata:
        yield f"{before.metadata}, expected {after.metadata}"
    assert before.preserved is not None and after.preserved is not None
    lost = [pa for pa in pages(before) if not after.preserved.covers(pa, 4096)]
    if lost:
        yield f"{len(lost)} preserved pages are gone at the jump, the first {lost[0]:#x}"


def pages(handover: Handover) -> Iterator[int]:
    """Addresses of preserved pages."""
    assert handover.preserved is not None
    edges = handover.preserved.map.edges
    for at in range(0, len(edges), 2):
        yield from range(int(edges[at]), int(edges[at + 1]), 4096)


def reduced(seen: Seen) -> Iterator[str]:
    """capture --from the memory at the jump leaves out nothing that inspect shows."""
    small = seen.place / "reduced.core.zst"
    devstate("capture", "--from", seen.place / "jump.elf", "-o", small, "--force")
    whole, part = inspected(seen.place / "jump.elf"), inspected(small)
    yield from (f"{each} differs" for each in whole if each != "scratch" and whole[each] != part.get(each))


def captured_after(seen: Seen) -> Iterator[str]:
    """capture --side in, in the new kernel, finds the root and the metadata that were handed over."""
    before, after = seen.handover("jump.elf"), seen.handover("in.core.zst")
    if before.fdt_pa != after.fdt_pa:
        yield f"root at {after.fdt_pa}, expected {before.fdt_pa}"
    if before.metadata != after.metadata:
        yield f"{after.metadata}, expected {before.metadata}"


def retrieved(seen: Seen) -> Iterator[str]:
    """Every file came back with the bytes, the size, the position and the seals that it had."""
    truth, found = seen.old.get("truth"), seen.new.get("truth")
    assert isinstance(truth, dict)
    asked = found if isinstance(found, dict) else {}
    yield from differences({what: truth[what] for what in truth if what.startswith("vm-")}, asked)
    if not (seen.place / "retrieved").exists() or (seen.place / "retrieved").read_bytes() != b"once":
        yield "by-verb/5: not what was preserved"


PROMISES: tuple[Callable[[Seen], Iterator[str]], ...] = (
    old_verbs, refusals, captured_before, at_the_jump, checked, reduced, captured_after, new_verbs, retrieved, double,
)  # fmt: skip
