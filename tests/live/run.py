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

BOOTS = 300.0
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


def main() -> int:
    """Run, and print what was learnt."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel", type=Path)
    parser.add_argument("following", type=Path, nargs="?")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    shared = arguments.keep or Path(tempfile.mkdtemp())
    shared.mkdir(parents=True, exist_ok=True)
    update(arguments.kernel, arguments.following or arguments.kernel, shared)
    for name in ("old", "new", "failed"):
        for what, value in facts(shared / f"{name}.jsonl").items():
            print(name, what, value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
