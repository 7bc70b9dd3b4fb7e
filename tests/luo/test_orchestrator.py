# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The RFC's orchestrator: every row of the table, every failure and its unwinding, held to a small model written from the tables."""

from __future__ import annotations

import contextlib
import errno
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from devstate.errors import LiveUpdateError
from devstate.luo.engine import Engine
from devstate.luo.orchestrator import Orchestrator
from devstate.luo.states import TABLE, Event, State
from tests.luo.drivers import Subsystem

NAMES = ("memory", "iommu", "kvm")


def three(log: list[tuple[str, str]], failing: set[tuple[str, str]], state: State = State.NORMAL) -> Orchestrator:
    """An orchestrator with three participants."""
    made = Orchestrator(state=state)
    for name in NAMES:
        made.register(Subsystem(name, log, failing))
    return made


def reached(state: State) -> Orchestrator:
    """An orchestrator in a state."""
    made = three([], set(), State.UPDATED if state is State.UPDATED else State.NORMAL)
    for event in {State.PREPARED: [Event.PREPARE], State.FROZEN: [Event.PREPARE, Event.FREEZE]}.get(state, []):
        made.send(event)
    return made


@pytest.mark.parametrize("event", list(Event), ids=str)
@pytest.mark.parametrize("state", list(State), ids=str)
def test_each_event_in_each_state(state: State, event: Event) -> None:
    """What is in the table happens, what is not is EINVAL and changes nothing."""
    orchestrator = reached(state)
    wanted = {(row.state, row.event): row.to for row in TABLE}.get((state, event))
    if wanted is None:
        with pytest.raises(LiveUpdateError) as refused:
            orchestrator.send(event)
        assert (errno.EINVAL, state) == (refused.value.errno, orchestrator.state)
    else:
        orchestrator.send(event)
        assert wanted is orchestrator.state


UNWOUND = {
    # who fails in which event: who is cancelled then, in order
    ("memory", "prepare"): [],
    ("iommu", "prepare"): ["memory"],
    ("kvm", "prepare"): ["memory", "iommu"],
    ("memory", "freeze"): ["memory", "iommu", "kvm"],
    ("iommu", "freeze"): ["memory", "iommu", "kvm"],
    ("kvm", "freeze"): ["memory", "iommu", "kvm"],
}


@pytest.mark.parametrize(("who", "event"), UNWOUND)
def test_unwinding(who: str, event: str) -> None:
    """A failed PREPARE is cancelled by those that had prepared, a failed FREEZE by everyone; then the state is normal."""
    log: list[tuple[str, str]] = []
    orchestrator = three(log, {(who, event)})
    if event == "freeze":
        orchestrator.send(Event.PREPARE)
    with pytest.raises(LiveUpdateError) as failed:
        orchestrator.send(Event(event))
    assert (errno.EIO, State.NORMAL) == (failed.value.errno, orchestrator.state)
    assert UNWOUND[who, event] == [name for name, op in log if op == "cancel"]


@pytest.mark.parametrize("event", [Event.CANCEL, Event.FINISH], ids=str)
def test_what_must_not_fail(event: Event) -> None:
    """A failure there is a warning, and the others are told all the same."""
    log: list[tuple[str, str]] = []
    orchestrator = three(log, {("iommu", str(event))}, State.UPDATED if event is Event.FINISH else State.NORMAL)
    if event is Event.CANCEL:
        orchestrator.send(Event.PREPARE)
    orchestrator.send(event)
    assert State.NORMAL is orchestrator.state
    assert list(NAMES) == [name for name, op in log if op == str(event)]
    assert [f"{event}: iommu: iommu fails to {event} (EIO)"] == orchestrator.engine.warnings


def test_a_mistake_of_a_callback_is_unwound_too() -> None:
    """Whatever it raises."""
    log: list[tuple[str, str]] = []
    orchestrator = three(log, set())
    broken = Subsystem("broken", log)
    broken.prepare = lambda: {}["nothing"]  # type: ignore[method-assign]  # a driver's bug
    orchestrator.register(broken)
    with pytest.raises(LiveUpdateError, match=r"KeyError in prepare\(\)") as failed:
        orchestrator.send(Event.PREPARE)
    assert errno.EIO == failed.value.errno
    assert list(NAMES) == [name for name, op in log if op == "cancel"]


def test_budgets() -> None:
    """What takes too long has failed, is unwound with the others, and the report says who used the time."""
    now = [0]

    def clock() -> int:
        now[0] += 7_000_000
        return now[0]

    log: list[tuple[str, str]] = []
    orchestrator = Orchestrator(engine=Engine(budgets={"freeze": 5_000_000}, clock=clock))
    orchestrator.register(Subsystem("slow", log))
    orchestrator.send(Event.PREPARE)
    with pytest.raises(LiveUpdateError, match=r"freeze\(\) took 7000 us, its budget is 5000 us") as failed:
        orchestrator.send(Event.FREEZE)
    assert errno.ETIME == failed.value.errno
    assert [("slow", "prepare"), ("slow", "freeze"), ("slow", "cancel")] == log
    assert {"slow": 14_000_000} == orchestrator.engine.blackout()  # taking it back keeps guests waiting as well


def test_late_prepare_is_cancelled_by_the_late_one_too() -> None:
    """It has done its work, so it has something to take back."""
    log: list[tuple[str, str]] = []
    ticks = iter([0, 1, 0, 9, 0, 0, 0, 0])
    orchestrator = Orchestrator(engine=Engine(budgets={"prepare": 5}, clock=lambda: next(ticks)))
    for name in NAMES[:2]:
        orchestrator.register(Subsystem(name, log))
    with pytest.raises(LiveUpdateError):
        orchestrator.send(Event.PREPARE)
    assert ["memory", "iommu"] == [name for name, op in log if op == "cancel"]


def test_participants_stay_between_prepare_and_jump() -> None:
    """EBUSY, and ENOENT and EEXIST otherwise."""
    orchestrator = reached(State.PREPARED)
    late = Subsystem("late", [])
    for change in (orchestrator.register, orchestrator.unregister):
        with pytest.raises(LiveUpdateError) as refused:
            change(late)
        assert errno.EBUSY == refused.value.errno
    orchestrator.send(Event.CANCEL)
    orchestrator.register(late)
    with pytest.raises(LiveUpdateError) as refused:
        orchestrator.register(Subsystem("late", []))
    assert errno.EEXIST == refused.value.errno
    orchestrator.unregister(late)
    with pytest.raises(LiveUpdateError) as refused:
        orchestrator.unregister(late)
    assert errno.ENOENT == refused.value.errno


def test_a_killed_wait_is_eagain() -> None:
    """While a reader holds the state, an event waits; killed, it comes back without having told anyone."""
    log: list[tuple[str, str]] = []
    orchestrator = three(log, set())
    killed, results = threading.Event(), []

    def send() -> None:
        try:
            orchestrator.send(Event.PREPARE, killed=killed)
        except LiveUpdateError as error:
            results.append(error.errno)

    with orchestrator.reading() as state:
        thread = threading.Thread(target=send)
        thread.start()
        killed.set()
        thread.join(10)
        assert State.NORMAL is state
    assert ([errno.EAGAIN], [], State.NORMAL) == (results, log, orchestrator.state)


def test_readers_keep_the_state() -> None:
    """Many readers while events come: none of them ever sees it change under its hands."""
    orchestrator = three([], set())
    seen: list[bool] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with orchestrator.reading() as state:
                seen.append(state is orchestrator.state)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        orchestrator.send(Event.PREPARE)
        orchestrator.send(Event.CANCEL)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert seen
    assert all(seen)


class Model(RuleBasedStateMachine):
    """Any sequence of events, with any participants failing, against sets: who has prepared, who was told what."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, str]] = []
        self.failing: set[tuple[str, str]] = set()
        self.orchestrator = three(self.log, self.failing)
        self.state = State.NORMAL

    @rule(event=st.sampled_from(list(Event)), failing=st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from([str(e) for e in Event]))))
    def send(self, event: Event, failing: set[tuple[str, str]]) -> None:
        """Send an event."""
        self.failing.clear()
        self.failing |= failing
        self.log.clear()
        try:
            self.orchestrator.send(event)
            got = 0
        except LiveUpdateError as error:
            got = error.errno
        assert self.expected(event) == (got, self.log, self.orchestrator.state)
        self.state = self.orchestrator.state

    def expected(self, event: Event) -> tuple[int, list[tuple[str, str]], State]:
        """The tables of the RFC, once more."""
        bad = [name for name in NAMES if (name, str(event)) in self.failing]
        told = [(name, str(event)) for name in NAMES]
        if event is Event.PREPARE and self.state is State.NORMAL:
            if not bad:
                return 0, told, State.PREPARED
            count = NAMES.index(bad[0])
            return errno.EIO, told[: count + 1] + [(name, "cancel") for name in NAMES[:count]], State.NORMAL
        if event is Event.FREEZE and self.state is State.PREPARED:
            if not bad:
                return 0, told, State.FROZEN
            return errno.EIO, told[: NAMES.index(bad[0]) + 1] + [(name, "cancel") for name in NAMES], State.NORMAL
        if event is Event.CANCEL and self.state in (State.PREPARED, State.FROZEN):
            return 0, told, State.NORMAL
        if event is Event.FINISH and self.state is State.UPDATED:
            return 0, told, State.NORMAL
        return errno.EINVAL, [], self.state

    @rule(event=st.sampled_from(list(Event)), readers=st.integers(1, 3))
    def killed_while_others_read(self, event: Event, readers: int) -> None:
        """Readers hold the state: whoever waits for them and is killed has told nobody, whatever the event; readers do not wait."""
        self.log.clear()
        killed = threading.Event()
        killed.set()
        with contextlib.ExitStack() as held:
            assert [self.state] * readers == [held.enter_context(self.orchestrator.reading(killed=killed)) for _ in range(readers)]
            with pytest.raises(LiveUpdateError) as refused:
                self.orchestrator.send(event, killed=killed)
        assert (errno.EAGAIN, [], self.state) == (refused.value.errno, self.log, self.orchestrator.state)

    @rule(event=st.sampled_from(list(Event)))
    def killed_while_it_changes(self, event: Event) -> None:
        """A reader that comes while participants are told waits; killed, it has seen nothing. The event is not disturbed."""
        killed = threading.Event()
        killed.set()
        seen: list[int] = []

        def look(phase: str, participant: str, op: str) -> None:
            if not seen:
                with pytest.raises(LiveUpdateError) as refused, self.orchestrator.reading(killed=killed):
                    pass
                seen.append(refused.value.errno)

        self.failing.clear()
        self.log.clear()
        self.orchestrator.engine.before = look
        try:
            self.orchestrator.send(event)
            got = 0
        except LiveUpdateError as error:
            got = error.errno
        finally:
            self.orchestrator.engine.before = None
        assert self.expected(event) == (got, self.log, self.orchestrator.state)
        assert seen == ([errno.EAGAIN] if self.log else [])
        self.state = self.orchestrator.state

    @rule()
    def jump(self) -> None:
        """A new kernel that found what a frozen one left."""
        if self.state is State.FROZEN:
            self.orchestrator = three(self.log, self.failing, State.UPDATED)
            self.state = State.UPDATED

    @invariant()
    def state_is_known(self) -> None:
        """Both agree."""
        assert self.state is self.orchestrator.state


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@given(st.lists(st.sampled_from(list(Event)), max_size=12))
def test_whoever_prepared_is_told_the_end(events: list[Event]) -> None:
    """After each event: nobody has prepared in the state normal, everybody in the others."""
    log: list[tuple[str, str]] = []
    orchestrator = three(log, set())
    for event in events:
        try:
            orchestrator.send(event)
        except LiveUpdateError:
            continue
        open_by = dict.fromkeys(NAMES, 0)
        for name, op in log:
            open_by[name] += {"prepare": 1, "cancel": -1}.get(op, 0)
        assert {int(orchestrator.state is not State.NORMAL)} == {*open_by.values()}
