# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The merged design as a small model: what each call gives, and whom it calls, in which order. Written from the tables of the kernel."""

from __future__ import annotations

import errno

Log = list[tuple[str, str]]

HANGS = {"memfd": ("iommu",), "vfio": ("iommu", "pci")}
"""Handlers, and the shared objects of their files."""

SHARED = ("iommu", "pci")


class Calls:
    """The callbacks of one call, in order. The one at ``fail`` does not work; None: all do."""

    def __init__(self) -> None:
        self.log: Log = []
        self.fail: int | None = None

    def made(self, name: str, op: str) -> bool:
        """Whether it works."""
        self.log.append((name, op))
        return self.fail != len(self.log) - 1


class Reference:
    """The tables of the kernel, once more: what a call gives, and whom it calls."""

    def __init__(self) -> None:
        self.outgoing: dict[str, dict[int, str]] = {}
        self.incoming: dict[str, dict[int, str]] = {}
        self.retrieved: set[str] = set()
        self.status: dict[tuple[str, int], int] = {}
        self.refs = dict.fromkeys(SHARED, 0)
        self.left: dict[str, int] = {}
        self.objects: set[str] = set()
        self.finished: set[str] = set()
        self.ready = dict.fromkeys(HANGS, True)
        self.calls = Calls()
        self.call = self.calls.made

    def drop(self, flbs: list[str]) -> None:
        """Files do not depend on these any more."""
        for flb in reversed(flbs):
            self.refs[flb] -= 1
            if not self.refs[flb]:
                self.call(flb, "unpreserve")

    def is_elsewhere(self, file: str) -> bool:
        """Whether a file is still in the handover, so that nobody can have it."""
        return any(
            each == file and self.status.get((name, token)) != 0 for name in self.incoming for token, each in self.incoming[name].items()
        )

    def preserve(self, name: str, token: int, file: str) -> int:
        """SESSION_PRESERVE_FD."""
        if token in self.outgoing[name]:
            return errno.EEXIST
        kind = file.split()[0]
        if kind not in HANGS:
            return errno.ENOENT
        held: list[str] = []
        for flb in HANGS[kind]:
            if not self.refs[flb] and not self.call(flb, "preserve"):
                self.drop(held)
                return errno.EIO
            self.refs[flb] += 1
            held.append(flb)
        back = [self.incoming[name].get(token) for (name, token), number in self.status.items() if not number and name in self.incoming]
        taken = any(file in files for files in (*[each.values() for each in self.outgoing.values()], back))
        if taken or not self.call(kind, f"preserve {file}"):
            self.drop(held)
            return errno.EBUSY if taken else errno.EIO
        self.outgoing[name][token] = file
        return 0

    def close(self, name: str) -> None:
        """An outgoing session."""
        files = [*self.outgoing.pop(name).values()][::-1]
        for file in files:
            self.call(file.split()[0], f"unpreserve {file}")
        for file in files:
            self.drop([*HANGS[file.split()[0]]])

    def reboot(self) -> int:
        """Freeze all of them, or none."""
        done: list[list[str]] = []
        for files in self.outgoing.values():
            own: list[str] = []
            for file in files.values():
                if not self.call(file.split()[0], f"freeze {file}"):
                    self.unfreeze([*done, own])
                    return errno.EIO
                own.append(file)
            done.append(own)
        return 0

    def unfreeze(self, sessions: list[list[str]]) -> None:
        """Last session first, the files of each in order."""
        for files in reversed(sessions):
            for file in files:
                self.call(file.split()[0], f"unfreeze {file}")

    def jump(self) -> None:
        """The next kernel."""
        self.incoming, self.outgoing = self.outgoing, {}
        self.left = {name: count for name, count in self.refs.items() if count}
        self.refs = dict.fromkeys(SHARED, 0)
        self.retrieved, self.status, self.objects, self.finished = set(), {}, set(), set()
        self.ready = dict.fromkeys(HANGS, True)

    def get_incoming(self, flb: str) -> int:
        """Somebody asks for a shared object."""
        if flb in self.finished:
            return errno.ENODEV
        if flb not in self.left:
            return errno.ENOENT if self.left else errno.ENODATA
        if flb not in self.objects and not self.call(flb, "retrieve"):
            return errno.EIO
        self.objects.add(flb)
        return 0

    def retrieve(self, name: str, token: int) -> int:
        """SESSION_RETRIEVE_FD."""
        file = self.incoming[name].get(token)
        if file is None:
            return errno.ENOENT
        key = name, token
        if key not in self.status:
            self.status[key] = 0 if self.call(file.split()[0], f"retrieve {file}") else errno.EIO
        return self.status[key]

    def finish(self, name: str) -> int:
        """SESSION_FINISH."""
        files = [*self.incoming[name].values()]
        for file in files:
            kind = file.split()[0]
            if not self.call(kind, f"can_finish {file}"):
                return errno.EIO
            if not self.ready[kind]:
                return errno.EBUSY
        for file in files[::-1]:
            self.call(file.split()[0], f"finish {file}")
        for file in files[::-1]:
            for flb in HANGS[file.split()[0]]:
                self.one_less(flb)
        self.incoming[name] = {}
        return 0

    def one_less(self, flb: str) -> None:
        """A file of the handover that depends on it is finished."""
        self.left[flb] -= 1
        if not self.left[flb]:
            if not self.get_incoming(flb):
                self.call(flb, "finish")
            self.finished.add(flb)
