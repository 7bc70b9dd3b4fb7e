# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A lock that many readers or one writer hold, and whose waits can be killed: what the RFC used to guard its state."""

from __future__ import annotations

import contextlib
import errno
import threading

from devstate.errors import LiveUpdateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL = 0.01
"""Seconds between two looks at ``killed``: a thread has no signals of its own that could wake it."""


class StateLock:
    """Readers and a writer. A writer who waits goes before readers who come later, so that none starves it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writing = False
        self._waiting = 0

    @contextlib.contextmanager
    def reading(self, killed: threading.Event | None = None) -> Iterator[None]:
        """Hold it with other readers. LiveUpdateError EAGAIN when ``killed`` is set before."""
        with self._changed:
            self._wait(lambda: not self._writing and not self._waiting, killed)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def writing(self, killed: threading.Event | None = None) -> Iterator[None]:
        """Hold it alone. LiveUpdateError EAGAIN when ``killed`` is set before."""
        with self._changed:
            self._waiting += 1
            try:
                self._wait(lambda: not self._writing and not self._readers, killed)
                self._writing = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _wait(self, free: Callable[[], bool], killed: threading.Event | None) -> None:
        while not free():
            if killed is not None and killed.is_set():
                raise LiveUpdateError(errno.EAGAIN, "killed while others held the state")
            self._changed.wait(None if killed is None else POLL)
