# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""File handlers and shared objects of a rehearsed machine, over the participants that both policies drive.

What agents preserve, with which handler, what its record is, and which shared object lives as long as such files do::

    file                    handler      record                                      shared object
    memfds                  memory       that of the kernel's form (memfd-v2)        -
    virtual machine         kvm          kvm-x86-vm-v1                               -
    interrupts of the guest interrupts   interrupts-v1                               iommu
    iommufd                 iommufd      iommu-unit-v1                               iommu: the unit, its domains and tables
    each requested device   vfio         what its driver leaves, in its own format   devices: the tree, with all bridges

A record is the same as the first part of its participant in the subtree ``devstate``, and held against it; what does not fit into a record
are the parts behind it, under both policies. Shared objects have a plain number in the handover: how many domains, how many devices.
"""

from __future__ import annotations

import errno

from devstate.errors import LiveUpdateError
from devstate.luo.devices import FREEZE, Device
from devstate.rehearsal.agents import SESSION, SmallFile, check_file
from devstate.rehearsal.state import holds, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.luo.flbs import FlbArgs
    from devstate.luo.handlers import FileArgs
    from devstate.rehearsal.merged import Merged

IOMMU, DEVICES = "iommu", "devices"
"""The shared objects, as reports and faults call them."""


class FileHandler:
    """A handler of one participant: the participant is the file. ``shared`` names the shared object of its files, ``path`` the part of the
    subtree ``devstate`` that is the same as the record.
    """

    name = ""
    shared: str | None = None

    def __init__(self, policy: Merged, participant: Any, compatible: str, path: str = "") -> None:
        self.policy, self.participant, self.compatible, self.path = policy, participant, compatible, path

    def can_preserve(self, file: Any) -> bool:
        """That one."""
        return file is self.participant

    def get_id(self, file: Any) -> str:
        """There is one."""
        return self.name

    def preserve(self, args: FileArgs) -> None:
        """It may prepare."""
        prepare = getattr(self.participant, "prepare", None)
        if prepare is not None:
            prepare()

    def unpreserve(self, args: FileArgs) -> None:
        """What was prepared needs no undoing."""

    def freeze(self, args: FileArgs) -> None:
        """It may freeze; its record is the head of its parts."""
        freeze = getattr(self.participant, "freeze", None)
        if freeze is not None:
            freeze()
        args.record = self.head()

    def unfreeze(self, args: FileArgs) -> None:
        """It goes on."""
        args.record = None

    def head(self) -> Any:
        """The first of its parts is what the others hang on."""
        return self.policy.parts(self.participant)[0].records[0]

    def retrieve(self, args: FileArgs) -> Any:
        """It takes up what it left, once what its files share is there. EINVAL when record and parts do not say the same."""
        if self.shared is not None:
            self.policy.shared(self.shared)
        self.take_up()
        said = values_of(self.policy.left.record(self.path, self.compatible))
        holds(values_of(args.record) == said, f"the file of {self.name} and the parts of it do not say the same")
        return self.participant

    def take_up(self) -> None:
        """The participant does."""
        self.participant.restore(self.policy.left)

    def can_finish(self, args: FileArgs) -> bool:
        """When somebody has it."""
        return args.status > 0

    def finish(self, args: FileArgs) -> None:
        """Nothing is left to let go of."""


class MemoryHandler(FileHandler):
    """memfds: their records are the builder's work."""

    name = "memory"

    def can_preserve(self, file: Any) -> bool:
        """The guest's memory, and files of other sessions."""
        return file is self.participant or isinstance(file, SmallFile)

    def get_id(self, file: Any) -> str:
        """Its name."""
        name: str = file.name
        return name

    def head(self) -> None:
        """What stands there depends on where folios are."""

    def retrieve(self, args: FileArgs) -> Any:
        """Whole, and in place. EINVAL when it is not as it was."""
        handover = self.policy.left.handover
        assert handover.luo is not None  # sessions came from there
        session, file = next((each.name, file) for each in handover.luo.sessions for file in each.files if file.data_pa == args.data)
        check_file(handover, file, session, self.participant)
        if session != SESSION:
            return SmallFile(session)
        self.take_up()
        return self.participant


class VcpuHandler(FileHandler):
    """The virtual machine: its vCPUs are stopped by the freeze, and go on when that is taken back."""

    name = "kvm"

    def unfreeze(self, args: FileArgs) -> None:
        """They run."""
        super().unfreeze(args)
        self.participant.cancel()


class InterruptHandler(FileHandler):
    """Interrupts of the guest: they lead through the unit."""

    name = "interrupts"
    shared = IOMMU

    def unfreeze(self, args: FileArgs) -> None:
        """What waited may come."""
        super().unfreeze(args)
        self.participant.release()


class IommufdHandler(FileHandler):
    """The guest's address space. The unit is the shared object's: here it is only held against it."""

    name = "iommufd"
    shared = IOMMU

    def preserve(self, args: FileArgs) -> None:
        """The shared object has prepared."""

    def take_up(self) -> None:
        """The shared object has it."""


class DeviceHandler(FileHandler):
    """Device files of one driver's format, its own or an older one that it reads."""

    name = "vfio"
    shared = DEVICES

    def can_preserve(self, file: Any) -> bool:
        """Devices whose driver leaves this."""
        return isinstance(file, Device) and getattr(file.driver, "compatible", None) == self.compatible

    def get_id(self, file: Any) -> str:
        """Where it is."""
        path: str = file.path
        return path

    def preserve(self, args: FileArgs) -> None:
        """Driver and bus prepare."""
        self.participant.preserve(args.file)

    def unpreserve(self, args: FileArgs) -> None:
        """Driver and bus cancel."""
        self.participant.unpreserve(args.file)

    def freeze(self, args: FileArgs) -> None:
        """Driver and bus freeze; the record is what the driver saved."""
        self.participant.call(FREEZE, args.file)
        args.record = args.file.payload[1]

    def unfreeze(self, args: FileArgs) -> None:
        """What was saved is void."""
        args.record = args.file.payload = None

    def retrieve(self, args: FileArgs) -> Device:
        """The driver takes up what was left, converted if need be; the agent has the device."""
        self.policy.shared(DEVICES)
        device = self.policy.device(args.token)
        left = device.payload
        same = left is not None and left[0] == self.compatible and values_of(left[1]) == values_of(args.record)
        holds(same, f"the file of {device.path} and its part do not say the same")
        self.participant.take_up(device)
        self.participant.reclaim(device)
        return device

    def finish(self, args: FileArgs) -> None:
        """Driver and bus finish."""
        self.participant.let_go(args.file)


class SharedState:
    """A shared object of one participant."""

    name = ""

    def __init__(self, policy: Merged, participant: Any, compatible: str) -> None:
        self.policy, self.participant, self.compatible = policy, participant, compatible

    def count(self) -> int:
        """The number in the handover."""
        return len([*self.things()])

    def things(self) -> Any:
        """What is counted."""
        raise NotImplementedError

    def preserve(self, args: FlbArgs) -> None:
        """With the first file."""
        args.data = self.count()

    def unpreserve(self, args: FlbArgs) -> None:
        """With the last file."""

    def retrieve(self, args: FlbArgs) -> None:
        """Somebody asks. EINVAL when it is not as large as it was."""
        self.participant.restore(self.policy.left)
        holds(self.count() == args.data, f"{self.compatible}: {args.data} were left, {self.count()} are here")
        args.obj = self.participant

    def finish(self, args: FlbArgs) -> None:
        """With the last file."""


class SharedIommu(SharedState):
    """The IOMMU core's state: hardware uses its tables all the time."""

    name = IOMMU

    def things(self) -> Any:
        """Domains: one for each device that does DMA."""
        return self.participant.tables

    def preserve(self, args: FlbArgs) -> None:
        """All tables are sound, or nothing is promised."""
        self.participant.prepare()
        super().preserve(args)


class SharedTree(SharedState):
    """The device tree: bridges come along because devices below them do."""

    name = DEVICES

    def things(self) -> Any:
        """All devices of the machine."""
        return self.participant

    def finish(self, args: FlbArgs) -> None:
        """Bridges that came along for others."""
        for device in [each for each in self.participant if each.preserved]:
            device.preserved = device.requested = False


def absent(name: str) -> LiveUpdateError:
    """Asked for a shared object that this kernel does not have."""
    return LiveUpdateError(errno.ENOENT, f"this kernel has no shared object {name}")
