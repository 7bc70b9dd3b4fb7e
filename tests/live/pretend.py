# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the double in this process answers to the calls of ``calls``: an orchestrator with a handler of memfds, and a jump of its own."""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.luo.double import Double
from devstate.luo.handlers import FileArgs
from devstate.luo.sessions import Luo
from tests.live.calls import PRESERVED, Run, after, before


@frozen
class File:
    """A file of a kind; ``inode`` tells it from others."""

    kind: str
    inode: int


class Memfds:
    """The handler of memfds: it takes what is memory without a name, once each."""

    compatible = "memfd-v2"

    def can_preserve(self, file: File) -> bool:
        """Whether it is memory."""
        return file.kind in PRESERVED

    def get_id(self, file: File) -> int:
        """Which file it is."""
        return file.inode

    def preserve(self, args: FileArgs) -> None:
        """The handle is the inode."""
        args.data = args.file.inode

    def unpreserve(self, args: FileArgs) -> None:
        """Nothing to take back."""

    def retrieve(self, args: FileArgs) -> File:
        """The file of the handle."""
        return File("memfd", args.data)

    def finish(self, args: FileArgs) -> None:
        """Nothing is left."""


class Files:
    """Makes descriptors of the double."""

    def __init__(self, double: Double) -> None:
        self.double, self.made = double, 0

    def make(self, kind: str) -> int:
        """A file; a descriptor without one is not in the double's table."""
        self.made += 1
        return 5 if kind == "path" else self.double.new_file(File(kind, self.made))

    def again(self, fd: int) -> int:
        """Another descriptor of a file."""
        return self.double.new_file(self.double.files[fd])

    def look(self, fd: int) -> object:
        """Only its kind is known."""
        return self.double.files[fd]


def answers() -> dict[str, str]:
    """All answers, old and new kernel."""
    luo = Luo()
    luo.register(Memfds())
    calls = Double(luo)
    old = Run(calls, Files(calls))
    before(old)
    following = Luo(luo.reboot())
    following.register(Memfds())
    calls = Double(following)
    new = Run(calls, Files(calls))
    after(new)
    return old.answers | new.answers
