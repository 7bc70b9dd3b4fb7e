# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""File handlers without a machine: a whole update, every callback failing, and what handlers with a bug are told."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from devstate.errors import LiveUpdateError
from devstate.testing.handlers import faults, update

SCHEMAS = [str(Path(__file__).parents[1] / "rehearsal" / "toy_schema.py")]


class Toy:
    """A file."""

    def __init__(self, level: int) -> None:
        self.level, self.held = level, False


class ToyFiles:
    """The handler of one version of toys."""

    def __init__(self, version: int = 1, flbs: tuple[Any, ...] = ()) -> None:
        self.version, self.compatible, self.flbs = version, f"toy-v{version}", flbs

    def can_preserve(self, file: Any) -> bool:
        """Toys."""
        return isinstance(file, Toy)

    def get_id(self, file: Toy) -> int:
        """By level: each has its own."""
        return file.level

    def preserve(self, args: Any) -> None:
        """Once."""
        if args.file.held:
            raise LiveUpdateError(errno.EBUSY, "held already")
        args.file.held = True

    def unpreserve(self, args: Any) -> None:
        """Not any more."""
        args.file.held = False

    def freeze(self, args: Any) -> None:
        """The record."""
        args.record = {"level": args.file.level} | ({"padding": 0, "millis": 5} if self.version == 2 else {})

    def retrieve(self, args: Any) -> Toy:
        """From the record."""
        return Toy(args.record.level)

    def can_finish(self, args: Any) -> bool:
        """When somebody has it."""
        return args.status > 0

    def finish(self, args: Any) -> None:
        """Nothing."""


class Shelf:
    """What toys share."""

    compatible = "shelf-v1"

    def preserve(self, args: Any) -> None:
        """With the first."""
        args.data = 3

    def unpreserve(self, args: Any) -> None:
        """With the last."""

    def retrieve(self, args: Any) -> None:
        """When asked."""
        args.obj = args.data

    def finish(self, args: Any) -> None:
        """With the last."""


def files() -> dict[int, Toy]:
    """Two."""
    return {1: Toy(7), 9: Toy(8)}


def test_an_update() -> None:
    """What was preserved is retrieved, by an orchestrator that has a newer handler beside the old one."""
    found = update([ToyFiles(1)], [ToyFiles(2), ToyFiles(1)], files(), schemas=SCHEMAS)
    assert {1: 7, 9: 8} == {token: toy.level for token, toy in found.items()}


def test_a_version_without_handler() -> None:
    """EIO, as from every open of the device."""
    with pytest.raises(LiveUpdateError, match="no handler for toy-v2") as error:
        update([ToyFiles(2)], [ToyFiles(1)], files(), schemas=SCHEMAS)
    assert errno.EIO == error.value.errno


def test_every_callback_fails_once() -> None:
    """Nothing is wrong with handlers that undo what they did."""
    assert [] == faults(lambda: [ToyFiles(2, (Shelf(),))], lambda: [ToyFiles(2, (Shelf(),))], files, schemas=SCHEMAS)


class Sticky(ToyFiles):
    """It does not let go."""

    def unpreserve(self, args: Any) -> None:
        """Forgotten."""


class Hasty(ToyFiles):
    """It has done half of its work when it fails."""

    def freeze(self, args: Any) -> None:
        """It counts how often it was frozen, and never takes it back."""
        super().freeze(args)
        args.file.level += 1


class Shy(ToyFiles):
    """It can never finish."""

    def can_finish(self, args: Any) -> bool:
        """No."""
        return False


class Fickle(ToyFiles):
    """It says once that it can finish."""

    def can_finish(self, args: Any) -> bool:
        """Not twice."""
        said, args.private = args.private, True
        return not said


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (Sticky, "the update after it does not work: held already"),
        (Hasty, "leaves other records"),
        (Shy, "cannot finish yet"),
        (Fickle, "then the session cannot finish"),
    ],
)
def test_handlers_with_a_bug(handler: type[ToyFiles], text: str) -> None:
    """Said, with the callback after whose failure it shows."""
    assert any(text in each for each in faults(lambda: [handler()], lambda: [handler()], files, schemas=SCHEMAS))


def test_handlers_that_do_not_work_at_all() -> None:
    """One that takes nothing: said once."""
    assert ["nothing failed, and yet: no handler preserves this file (ENOENT)"] == faults(list, list, files, schemas=SCHEMAS)
