# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The merged design: what is refused and how, orders, unwinding, shared objects."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from devstate.errors import LiveUpdateError
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.luo.files import SerializedFile
from devstate.luo.sessions import OLDER, Limits, Luo, Serialized, SerializedFlb, SerializedSession
from tests.luo.drivers import MemoryHandler, Shared

Log = list[tuple[str, str]]


class Machine:
    """A kernel with one handler (files that begin with ``memfd``) and one shared object, and the memory that outlives it."""

    def __init__(self, received: Serialized | None = None, store: list[str] | None = None, limits: Limits | None = None) -> None:
        self.log: Log = []
        self.failing: set[tuple[str, str]] = set()
        self.store: list[str] = [] if store is None else store
        self.luo = Luo(received, limits=limits)
        self.ops = MemoryHandler("memfd-v2", self.store, self.log, self.failing)
        self.handler = self.luo.register(self.ops)
        self.flb = self.luo.register_flb(self.handler, Shared("shared-v1", self.log, self.failing))

    def jump(self) -> Machine:
        """The next kernel."""
        return Machine(self.luo.reboot(), self.store)

    def called(self, word: str) -> list[str]:
        """What of all calls begins with a word, in order."""
        return [what for _, what in self.log if what.startswith(word)]


def number_of(call: Callable[..., Any], *arguments: Any) -> int:
    """The errno of a call; 0 when it works."""
    try:
        call(*arguments)
    except LiveUpdateError as error:
        return error.errno
    return 0


def test_a_whole_update() -> None:
    """Preserved in one kernel, retrieved and finished in the next."""
    machine = Machine()
    session = machine.luo.create("vm")
    session.preserve(1, "memfd ram")
    session.preserve(2, "memfd bios")
    new = machine.jump()
    assert 2 == new.luo.number
    new.luo.open()
    incoming = new.luo.retrieve("vm")
    assert (1, 2) == incoming.tokens
    assert ["memfd bios", "memfd ram", "memfd bios"] == [incoming.retrieve(token) for token in (2, 1, 2)]
    assert ["retrieve 1", "retrieve 0"] == new.called("retrieve ")
    incoming.finish()
    assert ["finish 1", "finish 0"] == new.called("finish ")
    incoming.close()
    assert {} == new.luo.incoming


REFUSED: list[tuple[str, Callable[[Machine], int], int]] = [
    ("empty name", lambda m: number_of(m.luo.create, ""), errno.EINVAL),
    ("63 bytes", lambda m: number_of(m.luo.create, "n" * 63), 0),
    ("64 bytes", lambda m: number_of(m.luo.create, "n" * 64), errno.EINVAL),
    ("name twice", lambda m: number_of(m.luo.create, "vm"), errno.EEXIST),
    ("no such session", lambda m: number_of(m.luo.retrieve, "vm"), errno.ENOENT),
    ("token twice", lambda m: number_of(m.luo.outgoing["vm"].preserve, 1, "memfd other"), errno.EEXIST),
    ("file twice", lambda m: number_of(m.luo.outgoing["vm"].preserve, 2, "memfd ram"), errno.EBUSY),
    ("no handler", lambda m: number_of(m.luo.outgoing["vm"].preserve, 2, "socket"), errno.ENOENT),
    ("retrieve from outgoing", lambda m: number_of(m.luo.outgoing["vm"].retrieve, 1), errno.EINVAL),
    ("finish outgoing", lambda m: number_of(m.luo.outgoing["vm"].finish), errno.EINVAL),
    ("handler twice", lambda m: number_of(m.luo.register, m.ops), errno.EEXIST),
    ("handler without ops", lambda m: number_of(m.luo.register, Shared("x", [])), errno.EINVAL),
    ("shared object twice", lambda m: number_of(m.luo.register_flb, m.handler, m.flb.ops), errno.EEXIST),
    ("nothing incoming at all", lambda m: number_of(m.flb.get_incoming), errno.ENODATA),
]


@pytest.mark.parametrize(("call", "expected"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_is_refused(call: Callable[[Machine], int], expected: int) -> None:
    """The errno of the kernel for each."""
    machine = Machine()
    machine.luo.create("vm").preserve(1, "memfd ram")
    assert expected == call(machine)


def test_limits() -> None:
    """At each limit, and one above."""
    machine = Machine(limits=Limits(sessions=2, files=2))
    first = machine.luo.create("a")
    assert [0, 0, errno.ENOSPC] == [number_of(first.preserve, token, f"memfd {token}") for token in range(3)]
    assert [0, errno.ENOSPC] == [number_of(machine.luo.create, name) for name in "bc"]
    assert errno.ENOMEM == OLDER.full


def test_closing_an_outgoing_session_unpreserves_newest_first() -> None:
    """And its files may be preserved again."""
    machine = Machine()
    session = machine.luo.create("vm")
    for token in (1, 2, 3):
        session.preserve(token, f"memfd {token}")
    session.close()
    assert ["unpreserve memfd 3", "unpreserve memfd 2", "unpreserve memfd 1"] == machine.called("unpreserve m")
    machine.luo.create("vm").preserve(1, "memfd 1")


@pytest.mark.parametrize("at", range(4))
def test_a_failed_freeze_unfreezes(at: int) -> None:
    """Files before it in its session, in order; then the sessions before it, last first. Afterwards everything can go on."""
    machine = Machine()
    for name, tokens in (("a", (0, 1)), ("b", (2, 3))):
        session = machine.luo.create(name)
        for token in tokens:
            session.preserve(token, f"memfd {token}")
    machine.failing.add(("memfd-v2", f"freeze memfd {at}"))
    assert errno.EIO == number_of(machine.luo.reboot)
    assert [[], ["0"], ["0", "1"], ["2", "0", "1"]][at] == [what.split()[2] for what in machine.called("unfreeze")]
    machine.failing.clear()
    assert [0, 0] == [number_of(machine.luo.create, "c"), number_of(machine.luo.reboot)]
    assert errno.EBUSY == number_of(machine.luo.create, "d")


def test_a_file_that_could_not_be_retrieved_stays_so() -> None:
    """The first error, for ever; the handler is not asked again."""
    machine = Machine()
    machine.luo.create("vm").preserve(1, "memfd ram")
    new = machine.jump()
    new.failing.add(("memfd-v2", "retrieve 0"))
    new.luo.open()
    session = new.luo.retrieve("vm")
    assert errno.EINVAL == number_of(new.luo.retrieve, "vm")
    assert errno.EIO == number_of(session.retrieve, 1)
    new.failing.clear()
    assert (errno.EIO, errno.ENOENT) == (number_of(session.retrieve, 1), number_of(session.retrieve, 2))
    assert ["retrieve 0"] == new.called("retrieve ")


def test_can_finish_is_asked_of_all_first() -> None:
    """EBUSY and nothing finished; a close then leaves the session as it is."""
    machine = Machine()
    machine.luo.create("vm").preserve(1, "memfd ram")
    new = machine.jump()
    new.luo.open()
    session = new.luo.retrieve("vm")
    new.ops.ready = False
    assert errno.EBUSY == number_of(session.finish)
    session.close()
    assert ([], ["vm"]) == (new.called("finish "), [*new.luo.incoming])
    assert ["close: vm: vm/0x1 (memfd-v2) cannot finish yet (EBUSY)"] == new.luo.engine.warnings
    new.ops.ready = True
    session.close()
    assert ({}, True) == (new.luo.incoming, session.closed)


def test_a_handover_without_handler_fails_every_open() -> None:
    """EIO, also when the handler comes later."""
    machine = Machine()
    machine.luo.create("vm").preserve(1, "memfd ram")
    luo = Luo(machine.luo.reboot())
    assert errno.EIO == number_of(luo.open)
    luo.register(MemoryHandler("memfd-v2", machine.store, []))
    assert errno.EIO == number_of(luo.open)


@pytest.mark.parametrize(
    "sessions",
    [
        (SerializedSession("vm", ()), SerializedSession("vm", ())),
        (SerializedSession("vm", (SerializedFile("memfd-v2", 0, 1), SerializedFile("memfd-v2", 0, 1))),),
    ],
    ids=["session twice", "token twice"],
)
def test_a_damaged_handover_fails_every_open(sessions: tuple[SerializedSession, ...]) -> None:
    """Names and tokens are unique."""
    new = Machine(Serialized(1, sessions))
    assert errno.EIO == number_of(new.luo.open)


def test_shared_objects_live_from_the_first_file_to_the_last() -> None:
    """In both kernels."""
    machine = Machine()
    one, other = machine.luo.create("a"), machine.luo.create("b")
    one.preserve(1, "memfd 1")
    other.preserve(2, "memfd 2")
    one.close()
    assert ["preserve"] == [what for name, what in machine.log if name == "shared-v1"]
    one = machine.luo.create("a")
    one.preserve(1, "memfd 1")
    serialized = machine.luo.reboot()
    assert (SerializedFlb("shared-v1", 0x5000, 2),) == serialized.flbs
    new = Machine(serialized, machine.store)
    new.luo.open()
    new.luo.retrieve("a").finish()
    assert "object at 0x5000" == new.flb.get_incoming()
    new.luo.retrieve("b").finish()
    assert ["retrieve", "finish"] == [what for name, what in new.log if name == "shared-v1"]
    assert errno.ENODEV == number_of(new.flb.get_incoming)


def test_a_shared_object_that_nobody_asked_for_is_retrieved_to_be_finished() -> None:
    """With the last file; and when that fails, it is a warning."""
    machine = Machine()
    machine.luo.create("a").preserve(1, "memfd 1")
    serialized = machine.luo.reboot()
    for failing, expected in ((set(), ["retrieve", "finish"]), ({("shared-v1", "retrieve")}, ["retrieve"])):
        new = Machine(serialized, machine.store)
        new.failing |= failing
        new.luo.open()
        new.luo.retrieve("a").finish()
        assert expected == [what for name, what in new.log if name == "shared-v1"]
        assert bool(failing) == bool(new.luo.engine.warnings)


def test_a_shared_object_that_the_handover_does_not_have() -> None:
    """ENOENT when it has others."""
    new = Machine(Serialized(1, (), (SerializedFlb("other-v1", 0, 1),)))
    assert errno.ENOENT == number_of(new.flb.get_incoming)


@pytest.mark.parametrize(("who", "op"), [("shared-v1", "preserve"), ("memfd-v2", "preserve memfd 1")])
def test_a_failed_preserve_leaves_nothing(who: str, op: str) -> None:
    """No file, no shared object, no token; the next try works."""
    machine = Machine()
    session = machine.luo.create("a")
    machine.failing.add((who, op))
    assert errno.EIO == number_of(session.preserve, 1, "memfd 1")
    assert ((), 0, set()) == (session.tokens, machine.flb.outgoing, machine.luo.taken)
    machine.failing.clear()
    session.preserve(1, "memfd 1")


class Ring:
    """A handler on a schema: one record a file. Version 1 has no count."""

    def __init__(self, compatible: str, sets: dict[str, Any] | None = None) -> None:
        self.compatible, self.name = compatible, compatible
        self.sets = sets
        self.seen: list[Any] = []

    def can_preserve(self, file: Any) -> bool:
        """All."""
        return True

    def get_id(self, file: Any) -> Any:
        """A bug, with a file that has none."""
        return file.number

    def preserve(self, args: Any) -> None:
        """Set what it leaves."""
        args.record = self.sets

    def unpreserve(self, args: Any) -> None:
        """It was preserved."""
        self.seen.append("unpreserve")

    def unfreeze(self, args: Any) -> None:
        """It was frozen."""
        self.seen.append("unfreeze")

    def freeze(self, args: Any) -> None:
        """The last word."""
        args.record = {**args.record, "stamps": 9}

    def retrieve(self, args: Any) -> Any:
        """What is there."""
        self.seen.append(args.record)
        return File()

    def finish(self, args: Any) -> None:
        """Nothing."""


class File:
    """A file with a number."""

    number = 1


def ring_layout(compatible: str) -> Any:
    """Its layout."""
    return Registry.shipped().layout(compatible, Environment()) if compatible.startswith("rehearsed") else None


def test_records_are_typed_by_the_compatible() -> None:
    """Values in the old kernel, a Record in the new one; bytes in between."""
    luo = Luo(layout_of=ring_layout)
    luo.register(Ring("rehearsed-ring-v1", {"device": 7, "stamps": 1}))
    luo.create("vm").preserve(1, File())
    serialized = luo.reboot()
    assert [("rehearsed-ring-v1", b"\7\0\0\0\x09\0\0\0")] == [(each.compatible, each.record) for each in serialized.sessions[0].files]
    new = Luo(serialized, layout_of=ring_layout)
    new.register(Ring("rehearsed-ring-v2"))
    ops = Ring("rehearsed-ring-v1")
    new.register(ops)
    new.open()
    new.retrieve("vm").retrieve(1)
    assert [(7, 9)] == [(record.device, record.stamps) for record in ops.seen]


def test_the_newest_version_takes_files() -> None:
    """Handlers are asked in the order of their registration."""
    luo = Luo(layout_of=ring_layout)
    for version in (2, 1):
        luo.register(Ring(f"rehearsed-ring-v{version}", {"device": 7, "padding": 0, "stamps": 1, "faults": 0}))
    luo.create("vm").preserve(1, File())
    assert ["rehearsed-ring-v2"] == [each.compatible for each in luo.reboot().sessions[0].files]


@pytest.mark.parametrize("values", [{"device": 7}, {"device": 1 << 40, "stamps": 1}, {"device": 7, "stamps": 1, "more": 1}, 7])
def test_a_record_that_does_not_fit_is_not_preserved(values: Any) -> None:
    """EINVAL outside of the blackout; what the handler had done is undone, and nothing is left."""
    luo = Luo(layout_of=ring_layout)
    ops = Ring("rehearsed-ring-v1", values)
    luo.register(ops)
    session = luo.create("vm")
    assert errno.EINVAL == number_of(session.preserve, 1, File())
    assert (["unpreserve"], (), set()) == (ops.seen, session.tokens, luo.taken)


def test_a_record_without_schema() -> None:
    """EINVAL: nobody could read it."""
    luo = Luo()
    luo.register(Ring("rehearsed-ring-v1", {"device": 7, "stamps": 1}))
    assert errno.EINVAL == number_of(luo.create("vm").preserve, 1, File())


def test_a_record_that_does_not_fit_after_the_freeze_unfreezes() -> None:
    """All of them, the one that did not fit as well: it was frozen."""
    luo = Luo(layout_of=ring_layout)
    ops = Ring("rehearsed-ring-v1", {"device": 7, "stamps": 1})
    ops.freeze = lambda args: setattr(args, "record", {})  # type: ignore[method-assign]  # a driver's bug
    luo.register(ops)
    luo.create("vm").preserve(1, File())
    assert errno.EINVAL == number_of(luo.reboot)
    assert (["unfreeze"], False) == (ops.seen, luo.rebooting)


def test_a_damaged_record_is_not_retrieved() -> None:
    """EINVAL, for ever; the handler does not see it."""
    new = Luo(Serialized(1, (SerializedSession("vm", (SerializedFile("rehearsed-ring-v1", 0, 1, b"short"),)),)), layout_of=ring_layout)
    ops = Ring("rehearsed-ring-v1")
    new.register(ops)
    new.open()
    session = new.retrieve("vm")
    assert [errno.EINVAL] * 2 == [number_of(session.retrieve, 1) for _ in range(2)]
    assert [] == ops.seen


def test_get_id_with_a_bug_is_unwound() -> None:
    """It is a callback like the others: EIO, and shared objects are let go."""
    luo = Luo(layout_of=ring_layout)
    log: Log = []
    flb = luo.register_flb(luo.register(Ring("rehearsed-ring-v1")), Shared("shared-v1", log))
    assert errno.EIO == number_of(luo.create("vm").preserve, 1, object())
    assert (0, ["preserve", "unpreserve"]) == (flb.outgoing, [op for _, op in log])


def test_what_overran_its_budget_is_given_up() -> None:
    """It has done its work, so that there is something to take back: of a file, and of a shared object."""
    for late, expected in (("memfd-v2", ["preserve x", "unpreserve x"]), ("shared-v1", [])):
        now = [0]
        machine = Machine()
        engine = machine.luo.engine
        engine.budgets, engine.clock = {"preserve": 5}, lambda now=now: now[0]

        def wait(phase: str, participant: str, op: str, late: str = late, now: list[int] = now) -> None:
            now[0] += 9 * (op == "preserve" and late in participant)

        engine.before = wait
        assert errno.ETIME == number_of(machine.luo.create("vm").preserve, 1, "memfd x")
        assert [each.replace("x", "memfd x") for each in expected] == [what for name, what in machine.log if name == "memfd-v2"]
        assert (0, ["preserve", "unpreserve"]) == (machine.flb.outgoing, [what for name, what in machine.log if name == "shared-v1"])


def test_unfreeze_needs_a_reboot() -> None:
    """EINVAL otherwise."""
    assert errno.EINVAL == number_of(Luo().unfreeze)
