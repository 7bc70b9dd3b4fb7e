# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Participants, handlers, shared objects, drivers to test with: they write down how they were called, and fail where told to."""

from __future__ import annotations

import errno
from typing import Any

from devstate.errors import LiveUpdateError


class Recorder:
    """Anything that is called: ``log`` gets (name, op), ``failing`` names (name, op) pairs that fail with EIO."""

    def __init__(self, name: str, log: list[tuple[str, str]], failing: set[tuple[str, str]] | None = None) -> None:
        self.name = name
        self.log = log
        self.failing = failing if failing is not None else set()

    def note(self, op: str) -> None:
        """Be called."""
        self.log.append((self.name, op))
        if (self.name, op) in self.failing:
            raise LiveUpdateError(errno.EIO, f"{self.name} fails to {op}")


class Subsystem(Recorder):
    """A participant of the RFC's orchestrator."""

    def prepare(self) -> None:
        """Guests run."""
        self.note("prepare")

    def freeze(self) -> None:
        """Guests are stopped."""
        self.note("freeze")

    def cancel(self) -> None:
        """It will not happen."""
        self.note("cancel")

    def finish(self) -> None:
        """It is over."""
        self.note("finish")


class Side(Recorder):
    """A driver or a bus."""

    def prepare(self, device: Any) -> None:
        """Guests run."""
        self.note(f"prepare {device.name}")

    def freeze(self, device: Any) -> None:
        """Guests are stopped."""
        self.note(f"freeze {device.name}")

    def cancel(self, device: Any) -> None:
        """It will not happen."""
        self.note(f"cancel {device.name}")

    def finish(self, device: Any) -> None:
        """It is over."""
        self.note(f"finish {device.name}")


class MemoryHandler(Recorder):
    """A file handler whose files are strings; the handle in the handover is an index into ``store``, which outlives the kernel."""

    def __init__(self, compatible: str, store: list[str], log: list[tuple[str, str]], failing: set[tuple[str, str]] | None = None) -> None:
        super().__init__(compatible, log, failing)
        self.compatible = compatible
        self.store = store
        self.ready = True

    def can_preserve(self, file: Any) -> bool:
        """Files that begin with the format's name."""
        return isinstance(file, str) and file.startswith(self.compatible.partition("-")[0])

    def get_id(self, file: Any) -> str:
        """Equal strings are one file."""
        return str(file)

    def preserve(self, args: Any) -> None:
        """Keep the string."""
        self.note(f"preserve {args.file}")
        self.store.append(args.file)
        args.data = len(self.store) - 1

    def unpreserve(self, args: Any) -> None:
        """Give it up."""
        self.note(f"unpreserve {args.file}")

    def freeze(self, args: Any) -> None:
        """In the reboot."""
        self.note(f"freeze {args.file}")

    def unfreeze(self, args: Any) -> None:
        """The reboot fails."""
        self.note(f"unfreeze {args.file}")

    def retrieve(self, args: Any) -> str:
        """The string again."""
        self.note(f"retrieve {args.data}")
        return self.store[args.data]

    def can_finish(self, args: Any) -> bool:
        """When it is ready."""
        self.note(f"can_finish {args.data}")
        return self.ready

    def finish(self, args: Any) -> None:
        """Let go."""
        self.note(f"finish {args.data}")


class Shared(Recorder):
    """A shared object."""

    def __init__(self, compatible: str, log: list[tuple[str, str]], failing: set[tuple[str, str]] | None = None) -> None:
        super().__init__(compatible, log, failing)
        self.compatible = compatible

    def preserve(self, args: Any) -> None:
        """With the first file."""
        self.note("preserve")
        args.data = 0x5000

    def unpreserve(self, args: Any) -> None:
        """With the last file."""
        self.note("unpreserve")

    def retrieve(self, args: Any) -> None:
        """Somebody asks."""
        self.note("retrieve")
        args.obj = f"object at {args.data:#x}"

    def finish(self, args: Any) -> None:
        """With the last file."""
        self.note("finish")
