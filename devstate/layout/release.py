# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Kernel releases, and which formats the kernels of one write.

Upstream accepts exactly the strings that it writes itself, so what a release writes is also what it reads.
"""

from __future__ import annotations

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.registry import Registry, Summary


@frozen
class Release:
    """A kernel release by its first two numbers; ``candidate`` is the N of ``-rcN``, None for a final release."""

    major: int
    minor: int
    candidate: int | None = None

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts releases; a final release comes after its candidates."""
        return self.major, self.minor, 1000 if self.candidate is None else self.candidate

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + ("" if self.candidate is None else f"-rc{self.candidate}")


def parse_release(text: str) -> Release | None:
    """The release in a ``uname -r`` or a schema's ``since``, such as 7.3.4, 7.1-rc5, 7.3.0-rc2-next; None when it is no release."""
    head, _, tail = text.partition("-")
    numbers = head.split(".")
    if len(numbers) < 2 or not all(number.isdecimal() and len(number) < 6 for number in numbers[:2]):
        return None
    candidate = tail.partition("-")[0].removeprefix("rc").partition("+")[0] if tail.startswith("rc") else ""
    return Release(int(numbers[0]), int(numbers[1]), int(candidate) if candidate.isdecimal() and len(candidate) < 4 else None)


def writes(summary: Summary, release: Release) -> bool:
    """Whether kernels of this release write (and so accept) the format. Only mainline formats are bound to releases.

    What is new in a release is in its first candidate: the merge window comes before it.
    """
    since = parse_release(summary.since or "")
    until = parse_release(summary.until) if summary.until is not None else None
    if summary.status != "mainline" or since is None:
        return False
    if since.candidate is None:
        since = Release(since.major, since.minor, 1)
    return since.order <= release.order and (until is None or release.order <= until.order)


def accepted(registry: Registry, found_by: str, release: Release) -> list[str]:
    """The compatibles that a kernel of ``release`` accepts at a place (``KHO subtree LUO``, the root, ``luo_file_ser.data``)."""
    names = [summary for summary in registry.summaries.values() if summary.found_by == found_by and writes(summary, release)]
    return sorted({summary.compatible for summary in names if summary.compatible is not None})
