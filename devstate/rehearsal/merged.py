# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A live update by the merged design: agents preserve files in sessions, the reboot freezes them, new agents retrieve and finish them.

The guest's session: memory, iommufd, virtual machine, interrupts, then a file for each requested device. The tokens are the agent's own
numbers; it knows them after the jump as before.
"""

from __future__ import annotations

from devstate.codec.encode import encode
from devstate.errors import LiveUpdateError
from devstate.handover.spec import FileSpec, FlbSpec, SessionSpec
from devstate.layout.model import Environment, NodeLayout
from devstate.layout.registry import Registry
from devstate.luo.files import SerializedFile
from devstate.luo.sessions import OLDER, Limits, Luo, Serialized, SerializedFlb, SerializedSession
from devstate.rehearsal import handlers
from devstate.rehearsal.agents import SESSION, TOKEN, SmallFile, check_names, memory_file, others, small_file
from devstate.rehearsal.guest import GUEST
from devstate.rehearsal.outgoing import forms
from devstate.rehearsal.policy import Policy
from devstate.rehearsal.state import holds
from devstate.rehearsal.tree import MACHINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.handover.model import Handover, PreservedFile
    from devstate.handover.spec import PartSpec
    from devstate.luo.devices import Device
    from devstate.luo.sessions import Session
    from devstate.rehearsal.handlers import FileHandler, SharedState
    from devstate.rehearsal.kernel import Kernel
    from devstate.rehearsal.state import Left

IOMMUFD, VM, INTERRUPTS = 2, 3, 4
DEVICE = 16
"""The token of the first device: that of device number n is n above it."""

KVM, IOMMU, INTERRUPT, TREE = "kvm-x86-vm-v1", "iommu-unit-v1", "interrupts-v1", "devices-v1"
"""Strings of handlers and shared objects: the formats of what they leave."""

AREAS = ("luo-v1", "luo-v2", "luo-v3")
"""Forms whose sessions and files stand in areas of fixed size; later ones have chains of blocks."""


class Merged(Policy):
    """Kernel and agents: ``luo`` is the kernel's side. ``left`` is what the old kernel left, in a new one that restores."""

    left: Left

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        kernel.devices.in_files = True
        self.luo = self._orchestrator(None)
        self.serialized: Serialized | None = None
        self.retrieved: list[Session] = []
        self._parts: dict[int, tuple[PartSpec, ...]] = {}

    def _orchestrator(self, received: Serialized | None) -> Luo:
        """The orchestrator with the handlers and shared objects of this kernel."""
        kernel = self.kernel
        limits = OLDER if forms(kernel).luo in AREAS else Limits()
        luo = Luo(received, engine=kernel.engine, limits=limits, layout_of=self._layout)
        objects = {each.name: each for each in self._shared_states()}
        for ops in self._handlers():
            if self.is_here(ops.name):
                handler = luo.register(ops)
                if ops.shared is not None and self.is_here(ops.shared):
                    luo.register_flb(handler, objects[ops.shared])
        return luo

    def _layout(self, compatible: str) -> Any:
        """The layout of a handler's records."""
        layout = self.kernel.registry.layout(self.kernel.registry.names(compatible)[0], Environment())
        return None if isinstance(layout.root, NodeLayout) else layout

    def _shared_states(self) -> tuple[SharedState, ...]:
        kernel = self.kernel
        return handlers.SharedIommu(self, kernel.iommu, IOMMU), handlers.SharedTree(self, kernel.devices, TREE)

    def _handlers(self) -> Iterator[FileHandler]:
        """Those of the participants; of drivers, one for each format that one of them reads, or derives, newest first."""
        kernel, memfd = self.kernel, forms(self.kernel).memfd or ""
        yield handlers.MemoryHandler(self, kernel.guest, Registry.shipped().summaries[memfd].compatible or memfd)
        yield handlers.IommufdHandler(self, kernel.iommu, IOMMU, f"iommu/{kernel.iommu.kind.name}")
        yield handlers.VcpuHandler(self, kernel.vcpus, KVM, f"kvm/{GUEST}")
        yield handlers.InterruptHandler(self, kernel.interrupts, INTERRUPT, f"interrupts/{GUEST}")
        seen = set()
        for driver in sorted(kernel.devices.drivers(), key=lambda driver: -driver.version):
            for name in driver.compatibles[::-1]:
                if name not in seen and (driver.reads(name) or kernel.devices.derives(driver, name)):
                    seen.add(name)
                    yield (driver.handler or handlers.DeviceHandler)(self, kernel.devices, name)

    # ---- what handlers ask for ----

    def parts(self, participant: Any) -> tuple[PartSpec, ...]:
        """What a participant leaves: made once, at the freeze, for its file and for the subtree."""
        if not self.luo.rebooting:
            return super().parts(participant)
        if id(participant) not in self._parts:
            self._parts[id(participant)] = super().parts(participant)
        return self._parts[id(participant)]

    def shared(self, name: str) -> Any:
        """A shared object that came. ENOENT when this kernel has none of this name, else as FlbUser.get_incoming()."""
        user = next((each for each in self.luo.flbs.values() if each.ops.name == name), None)
        if user is None:
            raise handlers.absent(name)
        return user.get_incoming()

    def device(self, token: int) -> Device:
        """The device of a token. EINVAL for none."""
        planned = self.kernel.devices.planned()
        holds(DEVICE <= token < DEVICE + len(planned), f"token {token:#x} is no device's")
        return planned[token - DEVICE]

    # ---- the old kernel ----

    def _files(self) -> Iterator[tuple[int, Any]]:
        """The guest's agent: (token, file), in the order in which it preserves them."""
        kernel = self.kernel
        yield from ((TOKEN, kernel.guest), (IOMMUFD, kernel.iommu), (VM, kernel.vcpus), (INTERRUPTS, kernel.interrupts))
        for number, device in enumerate(kernel.devices.planned()):
            if device.requested:
                yield DEVICE + number, device

    def settle(self) -> None:
        """Sessions that could not finish: their files are taken until they do. The agent retrieves what it had forgotten."""
        for session in [each for each in self.retrieved if not each.closed]:
            for token in session.tokens:
                session.retrieve(token)
            session.finish()
            session.close()

    def prepare(self) -> None:
        """All agents create their sessions, and preserve what they have."""
        guest = self.luo.create(SESSION)
        for token, file in self._files():
            guest.preserve(token, file)
        for name in others(self.kernel.scenario):
            self.luo.create(name).preserve(TOKEN, SmallFile(name))

    def freeze(self) -> None:
        """The reboot system call."""
        self.serialized = self.luo.reboot()

    def cancel(self) -> None:
        """What was frozen goes on; agents give up, the last first."""
        if self.luo.rebooting:
            self.luo.unfreeze()
        for session in [*self.luo.outgoing.values()][::-1]:
            session.close()
        self.serialized = None
        self._parts.clear()

    def sessions(self) -> tuple[SessionSpec, ...]:
        """What was serialised; before that, the memfds."""
        memfds = {SESSION: memory_file(self.kernel.guest)} | {name: small_file(name) for name in others(self.kernel.scenario)}
        if self.serialized is None:
            return tuple([SessionSpec(name, (file,)) for name, file in memfds.items()])
        return tuple(
            [
                SessionSpec(each.name, tuple([memfds[each.name] if file.token == TOKEN else _spec(file) for file in each.files]))
                for each in self.serialized.sessions
            ]
        )

    def flbs(self) -> tuple[FlbSpec, ...]:
        """Those that files depend on."""
        return () if self.serialized is None else tuple([FlbSpec(each.name, each.data, each.count) for each in self.serialized.flbs])

    # ---- the new kernel ----

    def restore(self, left: Left) -> None:
        """Open the device, retrieve all sessions, and from them all files; a device that nobody takes back stays where it is."""
        self.left = left
        received = _received(left.handover)
        self.luo = self._orchestrator(received)
        self.luo.open()
        check_names(left.handover, self.kernel.scenario)
        for name in (SESSION, *others(self.kernel.scenario)):
            session = self.luo.retrieve(name)
            self.retrieved.append(session)
            wanted = (TOKEN, IOMMUFD, VM, INTERRUPTS) if name == SESSION else (TOKEN,)
            devices = [token for token in session.tokens if token not in wanted]
            for token in wanted:
                session.retrieve(token)
            self._retrieve_devices(session, devices, received)

    def _retrieve_devices(self, session: Session, tokens: list[int], received: Serialized) -> None:
        """The devices of a session: those that the tree says were requested."""
        if session.name != SESSION:
            holds(not tokens, f"{session.name}: {len(tokens)} files that nobody preserved")
            return
        if tokens or any(each.name == TREE for each in received.flbs):
            self.shared(handlers.DEVICES)
        devices = {self.device(token).name for token in tokens}
        requested = {device.name for device in self.kernel.devices.planned() if device.requested}
        holds(devices == requested, "the device files are not those of the devices that were requested")
        for token in sorted(tokens, key=lambda token: self.device(token).depth):
            if self.kernel.scenario.devices[token - DEVICE].reclaim:
                session.retrieve(token)

    def finish(self) -> None:
        """Each session: if it cannot finish, it stays, and a warning tells."""
        for session in self.retrieved:
            try:
                session.finish()
            except LiveUpdateError as error:
                self.kernel.engine.warnings.append(f"finish: {session.name}: {error}")
            else:
                session.close()

    def hurry(self) -> None:
        """Preserve a file in a session that came from the old kernel."""
        self.retrieved[0].preserve(DEVICE - 1, SmallFile(MACHINE))


def _spec(file: SerializedFile) -> FileSpec:
    return FileSpec(file.token, handler=file.compatible, data=file.data, record=file.record)


def _received(handover: Handover) -> Serialized:
    """The orchestrator's part of a handover. EINVAL when there is none."""
    holds(handover.luo is not None, "no sessions were left")
    assert handover.luo is not None
    sessions = [SerializedSession(each.name, tuple([_file(file) for file in each.files])) for each in handover.luo.sessions]
    flbs = [SerializedFlb(each.name, each.data, each.count) for each in handover.luo.flbs]
    return Serialized(handover.luo.liveupdate_num or 1, tuple(sessions), tuple(flbs))


def _file(file: PreservedFile) -> SerializedFile:
    record = encode(file.layout, file.body) if file.layout is not None and file.body is not None else None
    return SerializedFile(file.compatible, file.data_pa, file.token, record)
