# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A real live update under QEMU: a kernel with Kexec HandOver boots, devstate preserves files through ``/dev/liveupdate`` and captures
the handover; at the instant of the jump the whole memory is taken; the next kernel gives the files back. Everything that devstate says,
before, at and after the jump, is held to what really happened.

``python -m tests.live.run KERNEL [NEXT]``: bzImages with the options of ``tests/live/kernel.config``. ``--keep DIR`` keeps the captures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.live.machine import Machine, host_root
from tests.live.promises import PROMISES, Seen

SHOWN = 10
"""Lines of what breaks one promise."""

BOOTS = 600.0
"""Seconds for a boot and all that the guest does, also without KVM."""


def facts(path: Path) -> dict[str, object]:
    """What the guest noted."""
    return dict(json.loads(line) for line in path.read_text().splitlines()) if path.exists() else {}


def update(kernel: Path, following: Path, shared: Path) -> None:
    """Boot, jump, and wait for the end. The core of the instant of the jump is ``jump.elf``."""
    shutil.copy(following, shared / "kernel")
    (shared / "place").write_text(f"{Path.cwd()} {sys.executable}\n")
    machine = Machine(kernel, shared, *host_root(shared))
    try:
        end = time.monotonic() + BOOTS
        while "machine_kexec" not in facts(shared / "old.jsonl"):
            if time.monotonic() > end or machine.process.poll() is not None:
                raise SystemExit("the guest did not come to the jump:\n" + (shared / "console").read_text(errors="replace")[-3000:])
            time.sleep(0.2)
        address = facts(shared / "old.jsonl")["machine_kexec"]
        assert isinstance(address, int)
        machine.stop_at(address, (shared / "go").touch)
        machine.dump(shared / "jump.elf")
        machine.go_on()
        machine.wait(BOOTS)
    finally:
        machine.kill()


def table(seen: Seen) -> bool:
    """Print each promise and whether it was kept; whether all were."""
    kept = True
    for promise in PROMISES:
        broken = list(promise(seen))
        kept = kept and not broken
        print("broken" if broken else "kept  ", (promise.__doc__ or "").strip())
        for each in broken[:SHOWN]:
            print("       ", each)
    return kept


def main() -> int:
    """Run, and print which promises were kept; 1 when one was not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel", type=Path)
    parser.add_argument("following", type=Path, nargs="?")
    parser.add_argument("--keep", type=Path, help="where cores and facts stay")
    arguments = parser.parse_args()
    place = arguments.keep or Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    update(arguments.kernel, arguments.following or arguments.kernel, place)
    failed = facts(place / "failed.jsonl")
    if failed:
        print(failed["failed"])
    return 0 if table(Seen(facts(place / "old.jsonl"), facts(place / "new.jsonl"), place)) and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
