# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The client and the double of /dev/liveupdate: numbers, sizes, errno, descriptors; and the way of a whole update through both."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from devstate.errors import LiveUpdateError
from devstate.luo import uapi
from devstate.luo.client import MEANS, Client
from devstate.luo.double import Double
from devstate.luo.sessions import Luo
from tests.luo.drivers import MemoryHandler
from tests.luo.test_sessions import Machine


def machine_and_calls() -> tuple[Machine, Double]:
    """A kernel, and a process on it."""
    machine = Machine()
    return machine, Double(machine.luo)


def test_the_table_of_ioctls() -> None:
    """Numbers and sizes as the kernel's header has them; each form is as long as it says."""
    assert [0xBA00, 0xBA01, 0xBA40, 0xBA41, 0xBA42, 0xBA43] == [each.request for each in uapi.ALL]
    assert [72, 72, 16, 16, 8, 72] == [struct.calcsize(each.form) for each in uapi.ALL] == [each.size for each in uapi.ALL]


def test_a_whole_update_through_the_device() -> None:
    """Two kernels, two processes."""
    machine, calls = machine_and_calls()
    with Client.open(calls=calls) as client:
        session = client.create("vm-alpha")
        session.preserve(calls.new_file("memfd ram"), 7)
        assert "vm-alpha" == session.name()
        new = machine.jump()
    calls = Double(new.luo)
    with Client.open(calls=calls) as client, client.retrieve("vm-alpha") as session:
        assert "memfd ram" == calls.files[session.retrieve(7)]
        session.finish()
    assert {} == new.luo.incoming


def raw(calls: Double, fd: int, request: int, buffer: bytes) -> int:
    """The errno of an ioctl made by hand."""
    try:
        return calls.ioctl(fd, request, bytearray(buffer))
    except OSError as error:
        return error.errno or -1


SIZED = struct.pack("=Ii64s", 72, -1, b"other")


@pytest.mark.parametrize(
    ("on", "request_", "buffer", "expected"),
    [
        ("device", 0xBA00, SIZED, 0),
        ("device", 0xBA00, SIZED[:72].replace(struct.pack("=I", 72), struct.pack("=I", 71), 1), errno.EINVAL),
        ("device", 0xBA00, struct.pack("=I", 80) + SIZED[4:] + bytes(8), 0),
        ("device", 0xBA00, struct.pack("=I", 80) + SIZED[4:] + b"\0\0\0\0\0\0\0\1", errno.E2BIG),
        ("device", 0xBA00, struct.pack("=I", 4096) + SIZED[4:], errno.EFAULT),
        ("device", 0xBA00, b"\0\0", errno.EFAULT),
        ("device", 0xBA00, struct.pack("=Ii64s", 72, -1, b"x" * 64), errno.EINVAL),
        ("device", 0xBA40, struct.pack("=IiQ", 16, 0, 0), errno.EINVAL),
        ("device", 0xBA02, SIZED, errno.EINVAL),
        ("device", 0xBB01, SIZED, errno.ENOTTY),
        ("device", 0xBB01, b"", errno.EFAULT),
        ("session", 0xBA00, SIZED, errno.EINVAL),
        ("session", 0xBA40, struct.pack("=IiQ", 16, 3, 0), errno.EBADF),
        ("session", 0xBA42, struct.pack("=II", 8, 1), errno.EINVAL),
        ("session", 0xBA43, struct.pack("=II64s", 72, 1, b""), errno.EINVAL),
        ("nothing", 0xBA00, SIZED, errno.EBADF),
    ],
)
def test_what_the_kernel_checks_first(on: str, request_: int, buffer: bytes, expected: int) -> None:
    """Sizes, tails, numbers, descriptors, reserved fields."""
    _, calls = machine_and_calls()
    client = Client.open(calls=calls)
    fds = {"device": client.fd, "session": client.create("vm").fd, "nothing": 5}
    assert expected == raw(calls, fds[on], request_, buffer)


def test_get_name_came_with_7_2() -> None:
    """An older kernel does not know it."""
    machine = Machine()
    calls = Double(machine.luo, calls=uapi.ALL[:5])
    with Client.open(calls=calls) as client, pytest.raises(LiveUpdateError, match="does not know the call") as refused:
        client.create("vm").name()
    assert errno.EINVAL == refused.value.errno


def test_opening() -> None:
    """Exclusive; not there; failed for ever."""
    _, calls = machine_and_calls()
    with Client.open(calls=calls), pytest.raises(LiveUpdateError, match="another agent has it open"):
        Client.open(calls=calls)
    Client.open(calls=calls).close()
    with pytest.raises(LiveUpdateError, match="no live update orchestrator"):
        Client.open(calls=Double(None))
    machine = Machine()
    machine.luo.create("vm").preserve(1, "memfd ram")
    with pytest.raises(LiveUpdateError, match="only a reboot helps") as refused:
        Client.open(calls=Double(Luo(machine.luo.reboot())))
    assert errno.EIO == refused.value.errno


def test_closing_the_session_gives_it_up() -> None:
    """As in a kernel: the descriptor is the session."""
    machine, calls = machine_and_calls()
    with Client.open(calls=calls) as client:
        with client.create("vm") as session:
            session.preserve(calls.new_file("memfd ram"), 1)
        assert {} == machine.luo.outgoing
        session.close()


def test_names_that_do_not_fit_are_refused_before_the_call() -> None:
    """A longer one would be cut."""
    _, calls = machine_and_calls()
    with Client.open(calls=calls) as client, pytest.raises(LiveUpdateError, match="1 to 63 bytes"):
        client.create("x" * 64)


def test_every_meaning_is_of_a_call() -> None:
    """The texts are about calls that there are."""
    assert {"open", "any"} | {each.name for each in uapi.ALL} >= {call for call, _ in MEANS}
    assert all(os.strerror(number) for _, number in MEANS)


def test_the_device_of_this_machine() -> None:
    """Whatever this machine has, opening it works or says why not."""
    try:
        Client.open().close()
    except LiveUpdateError as error:
        assert "/dev/liveupdate" in str(error)


def test_handlers_are_asked_in_order() -> None:
    """The first that takes a file gets it: the newest version, when it was registered first."""
    luo = Luo()
    store: list[str] = []
    for version in (2, 1):
        luo.register(MemoryHandler(f"memfd-v{version}", store, []))
    luo.create("vm").preserve(1, "memfd ram")
    assert ["memfd-v2"] == [file.compatible for session in luo.reboot().sessions for file in session.files]
