# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The merged design held to a small reference model: any sequence of calls in a chain of kernels, any callback failing, every call that is
made in its order, every errno, every reference of a shared object; waits that are killed; threads.
"""

from __future__ import annotations

import errno
import functools
import random
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from devstate.errors import LiveUpdateError
from devstate.luo.sessions import Luo, Serialized
from tests.luo.drivers import Recorder, Shared
from tests.luo.reference import HANGS, SHARED, Calls, Reference

Preserved = tuple[str, int, str]

FILES = ("memfd a", "memfd b", "vfio a", "vfio b")
NAMES = ("one", "two", "three", "")
TOKENS = (1, 2, 3)


class Called(Recorder):
    """Whoever is called."""

    calls: Calls

    def note(self, op: str) -> None:
        """Be called."""
        if not self.calls.made(self.name, op):
            raise LiveUpdateError(errno.EIO, f"{self.name} fails to {op}")


class Object(Called, Shared):
    """A shared object."""

    def __init__(self, name: str, calls: Calls) -> None:
        super().__init__(name, [])
        self.calls = calls


class Files(Called):
    """A handler of the files whose names begin with its own; ``store`` outlives the kernel."""

    def __init__(self, name: str, store: list[str], calls: Calls, ready: dict[str, bool]) -> None:
        super().__init__(name, [])
        self.compatible, self.store, self.calls, self.ready = name, store, calls, ready

    def can_preserve(self, file: str) -> bool:
        """By its name."""
        return file.startswith(self.name)

    def get_id(self, file: str) -> str:
        """Its name."""
        return file

    def preserve(self, args: Any) -> None:
        """Keep it."""
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
        """It again."""
        self.note(f"retrieve {self.store[args.data]}")
        return self.store[args.data]

    def can_finish(self, args: Any) -> bool:
        """When it is ready."""
        self.note(f"can_finish {self.store[args.data]}")
        return self.ready[self.name]

    def finish(self, args: Any) -> None:
        """Let go."""
        self.note(f"finish {self.store[args.data]}")


FAILURES = st.none() | st.integers(0, 4)
"""Which callback of a call fails."""

MORE = st.lists(st.tuples(st.sampled_from(NAMES[:3]), st.sampled_from(TOKENS), st.sampled_from(FILES)), max_size=6)
"""Session, token and file of what is preserved."""


class Model(RuleBasedStateMachine):
    """The orchestrator and the reference, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Calls()
        self.store: list[str] = []
        self.ready = dict.fromkeys(HANGS, True)
        self.reference = Reference()
        self.luo = self.kernel(None)
        self.killed = threading.Event()
        self.killed.set()
        self.create_all()

    def create_all(self) -> None:
        """Most calls need sessions."""
        for name in NAMES[:3]:
            self.create(name)

    def kernel(self, received: Serialized | None) -> Luo:
        """A kernel with both handlers."""
        luo = Luo(received)
        objects = {name: Object(name, self.calls) for name in SHARED}
        for name, flbs in HANGS.items():
            handler = luo.register(Files(name, self.store, self.calls, self.ready))
            for flb in flbs:
                luo.register_flb(handler, objects[flb])
        luo.open()
        return luo

    def same(self, expected: Callable[[], int], call: Callable[..., Any], *arguments: Any, fail: int | None = None) -> int:
        """Both give the same errno, and call the same callbacks in the same order."""
        for calls in (self.calls, self.reference.calls):
            calls.log.clear()
            calls.fail = fail
        wanted = expected()
        try:
            call(*arguments)
            got = 0
        except LiveUpdateError as error:
            got = error.errno
        assert (wanted, self.reference.calls.log) == (got, self.calls.log)
        return got

    @rule(name=st.sampled_from(NAMES))
    def create(self, name: str) -> None:
        """CREATE_SESSION."""
        expected = errno.EINVAL if not name else errno.EEXIST if name in self.reference.outgoing else 0
        if not self.same(lambda: expected, self.luo.create, name):
            self.reference.outgoing[name] = {}

    @rule(name=st.sampled_from(NAMES[:3]), token=st.sampled_from(TOKENS), file=st.sampled_from([*FILES, "socket"]), fail=FAILURES)
    def preserve(self, name: str, token: int, file: str, fail: int | None) -> None:
        """SESSION_PRESERVE_FD."""
        if name in self.reference.outgoing and not self.reference.is_elsewhere(file):
            expected = lambda: self.reference.preserve(name, token, file)  # noqa: E731
            self.same(expected, self.luo.outgoing[name].preserve, token, file, fail=fail)

    @rule(name=st.sampled_from(NAMES[:3]), fail=FAILURES)
    def close(self, name: str, fail: int | None) -> None:
        """Close an outgoing session: what fails is a warning."""
        if name in self.reference.outgoing:
            self.same(lambda: self.reference.close(name) or 0, self.luo.outgoing[name].close, fail=fail)

    @rule(name=st.sampled_from(NAMES))
    def retrieve_session(self, name: str) -> None:
        """RETRIEVE_SESSION."""
        reference = self.reference
        expected = errno.ENOENT if name not in reference.incoming else errno.EINVAL if name in reference.retrieved else 0
        if not self.same(lambda: expected, self.luo.retrieve, name):
            reference.retrieved.add(name)

    def is_retrieved(self, name: str) -> bool:
        """Retrieve an incoming session, if it was not."""
        if name in self.reference.incoming and name not in self.reference.retrieved:
            self.retrieve_session(name)
        return name in self.reference.retrieved

    @rule(name=st.sampled_from(NAMES[:3]), token=st.sampled_from(TOKENS), fail=FAILURES)
    def retrieve(self, name: str, token: int, fail: int | None) -> None:
        """SESSION_RETRIEVE_FD; the file is the one that was preserved."""
        if self.is_retrieved(name):
            session = self.luo.incoming[name]
            if not self.same(lambda: self.reference.retrieve(name, token), session.retrieve, token, fail=fail):
                assert self.reference.incoming[name][token] == session.retrieve(token)

    @rule(name=st.sampled_from(NAMES[:3]), fail=FAILURES)
    def finish(self, name: str, fail: int | None) -> None:
        """SESSION_FINISH."""
        if self.is_retrieved(name):
            self.same(lambda: self.reference.finish(name), self.luo.incoming[name].finish, fail=fail)

    @rule(name=st.sampled_from(NAMES[:3]), fail=FAILURES)
    def close_retrieved(self, name: str, fail: int | None) -> None:
        """Close an incoming session: it is finished, or stays."""
        reference = self.reference
        if not self.is_retrieved(name):
            return
        stays: list[int] = []
        self.same(lambda: stays.append(reference.finish(name)) or 0, self.luo.incoming[name].close, fail=fail)
        if not stays[0]:
            reference.retrieved.discard(name)
            del reference.incoming[name]

    @rule(name=st.sampled_from(sorted(HANGS)), ready=st.booleans())
    def be_ready(self, name: str, ready: bool) -> None:
        """Files of a handler can finish, or not yet."""
        self.ready[name] = self.reference.ready[name] = ready

    @rule(flb=st.sampled_from(SHARED), fail=FAILURES)
    def get_incoming(self, flb: str, fail: int | None) -> None:
        """A driver asks for what the old kernel left of a shared object."""
        self.same(lambda: self.reference.get_incoming(flb), self.luo.flbs[flb].get_incoming, fail=fail)

    @rule(name=st.sampled_from(NAMES[:3]))
    def killed_while_others_read(self, name: str) -> None:
        """A reader holds the lock: whoever waits and is killed has done nothing."""
        calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [(self.luo.create, ("four",)), (self.luo.reboot, ())]
        calls.append((self.luo.retrieve, (name,)))
        if name in self.luo.outgoing:
            calls.append((self.luo.outgoing[name].preserve, (9, FILES[0])))
        if name in self.luo.incoming:
            calls += [(self.luo.incoming[name].retrieve, (1,)), (self.luo.incoming[name].finish, ())]
        with self.luo.lock.reading():
            for call, arguments in calls:
                self.same(lambda: errno.EAGAIN, functools.partial(call, killed=self.killed), *arguments)

    def fill(self, more: list[Preserved]) -> None:
        """Preserve more files."""
        for name, token, file in [each for each in more if not self.reference.is_elsewhere(each[2])]:
            if name not in self.reference.outgoing:
                self.create(name)
            self.same(functools.partial(self.reference.preserve, name, token, file), self.luo.outgoing[name].preserve, token, file)

    @rule(fail=FAILURES, more=MORE)
    def reboot_in_vain(self, fail: int | None, more: list[Preserved]) -> None:
        """A reboot that fails; or one that works, and nothing comes of it: what was frozen goes on."""
        self.fill(more)
        if self.same(self.reference.reboot, self.luo.reboot, fail=fail):
            return
        assert errno.EBUSY == self.same(lambda: errno.EBUSY, self.luo.create, "four")
        sessions = [[*files.values()] for files in self.reference.outgoing.values()]
        self.same(lambda: self.reference.unfreeze(sessions) or 0, self.luo.unfreeze)

    @precondition(lambda self: self.luo.number < 4)
    @rule(more=MORE)
    def jump(self, more: list[Preserved]) -> None:
        """Reboot into the next kernel."""
        self.fill(more)
        self.calls.fail = self.reference.calls.fail = None
        serialized = self.luo.reboot()
        counts = {each.name: each.count for each in serialized.flbs}
        assert counts == {name: count for name, count in self.reference.refs.items() if count}
        files = {each.name: [file.token for file in each.files] for each in serialized.sessions}
        assert files == {name: [*tokens] for name, tokens in self.reference.outgoing.items()}
        self.ready |= dict.fromkeys(HANGS, True)
        self.luo = self.kernel(serialized)
        self.reference.jump()
        self.create_all()

    @invariant()
    def references(self) -> None:
        """Each object counts the files that hang on it, here and from before."""
        for name in SHARED:
            user = self.luo.flbs[name]
            assert self.reference.refs[name] == user.outgoing
            assert self.reference.left.get(name) == user.incoming
            assert (name in self.reference.finished) is user.finished


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_many_walks() -> None:
    """The same model without a search for the shortest failure: so many steps that every pair of calls meets every failure."""
    chance = random.Random(7)
    for _ in range(400):
        model = Model()
        for _ in range(40):
            name, token, file = chance.choice(NAMES[:3]), chance.choice(TOKENS), chance.choice(FILES)
            fail = chance.choice([None, None, 0, 1, 2, 3, 4])
            more = [(chance.choice(NAMES[:3]), chance.choice(TOKENS), chance.choice(FILES)) for _ in range(chance.randrange(5))]
            steps: list[Callable[[], Any]] = [
                functools.partial(model.create, name),
                *[functools.partial(model.preserve, name, token, file, fail)] * 4,
                functools.partial(model.close, name, fail),
                *[functools.partial(model.retrieve, name, token, fail)] * 3,
                functools.partial(model.finish, name, fail),
                functools.partial(model.close_retrieved, name, fail),
                functools.partial(model.be_ready, file.split()[0], chance.random() < 0.7),
                functools.partial(model.get_incoming, chance.choice(SHARED), fail),
                functools.partial(model.killed_while_others_read, name),
                functools.partial(model.reboot_in_vain, fail, more),
                functools.partial(model.jump, more),
            ]
            chance.choice(steps)()
            model.references()


def test_threads_do_not_disturb_each_other() -> None:
    """Agents create, preserve and close at once: an object is preserved and unpreserved in turn, and nothing is left at the end."""
    calls, luo = Calls(), Luo()
    handler = luo.register(Files("memfd", [], calls, {"memfd": True}))
    luo.register_flb(handler, Object("iommu", calls))
    refused: list[int] = []

    def agent(number: int) -> None:
        for turn in range(60):
            try:
                session = luo.create(f"agent {number} {turn % 3}")
                session.preserve(1, f"memfd {number % 2}")  # two agents want the same file
            except LiveUpdateError as error:
                refused.append(error.errno)
            for each in [each for each in [*luo.outgoing.values()] if each.name.startswith(f"agent {number} ")]:
                each.close()

    threads = [threading.Thread(target=agent, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ops = [op for name, op in calls.log if name == "iommu"]
    assert ops == ["preserve", "unpreserve"] * (len(ops) // 2)
    assert {errno.EBUSY} >= {*refused}
    assert ({}, 0, set()) == (luo.outgoing, luo.flbs["iommu"].outgoing, luo.taken)


def test_who_waits_for_a_reboot_can_be_killed() -> None:
    """A callback of the freeze takes its time: another call waits, is killed, and has done nothing; who is not killed finds it begun."""
    luo = Luo()
    ops = Files("memfd", [], Calls(), {"memfd": True})
    entered, go_on = threading.Event(), threading.Event()

    def freeze(args: Any) -> None:
        entered.set()
        assert go_on.wait(30)

    ops.freeze = freeze  # type: ignore[method-assign]  # one that waits
    luo.register(ops)
    luo.create("one").preserve(1, "memfd a")
    killed, results = threading.Event(), []

    def call(method: Callable[..., Any], *arguments: Any, **more: Any) -> None:
        try:
            method(*arguments, **more)
            results.append(0)
        except LiveUpdateError as error:
            results.append(error.errno)

    reboot = threading.Thread(target=call, args=(luo.reboot,))
    reboot.start()
    assert entered.wait(30)
    waiting = threading.Thread(target=call, args=(luo.create, "two"), kwargs={"killed": killed})
    waiting.start()
    killed.set()
    waiting.join(30)
    assert [errno.EAGAIN] == results
    late = threading.Thread(target=call, args=(luo.create, "three"))
    late.start()
    go_on.set()
    for thread in (reboot, late):
        thread.join(30)
    assert ([errno.EAGAIN, 0, errno.EBUSY], ["one"]) == (results, [*luo.outgoing])
