# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a kernel hands over, in the forms of its release: memory that stays where it is, parts of the participants, sessions."""

from __future__ import annotations

from devstate.handover.build import build
from devstate.handover.spec import GuestSpec, Spec, forms_of
from devstate.layout.registry import Registry
from devstate.pagetable.radix import cut
from devstate.rehearsal.agents import SESSION, TOKEN
from devstate.rehearsal.machine import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.spec import Forms
    from devstate.rehearsal.kernel import Kernel


def forms(kernel: Kernel) -> Forms:
    """The forms that this kernel writes."""
    return forms_of(Registry.shipped(), kernel.scenario.kernels[kernel.hop])


def has_files(forms: Forms) -> bool:
    """Whether a kernel of these forms can preserve files: one before LUO keeps memory only."""
    return forms.luo is not None and forms.memfd is not None


def kept(kernel: Kernel) -> list[int]:
    """Pages that stay where they are, beside the guest's memory."""
    own = [page for driver in kernel.devices.drivers() for page in driver.pages]
    return sorted({*kernel.iommu.pages(), *own})


def spec_of(kernel: Kernel) -> Spec:
    """What is handed over."""
    made, guest = forms(kernel), kernel.guest
    parts = tuple([part for each in kernel.participants if each is not guest for part in kernel.policy.parts(each)])
    own = [(pa, PAGE) for pa in kept(kernel)]
    guests: tuple[GuestSpec, ...] = ()
    if has_files(made):
        guests = (guest.guest(SESSION, TOKEN),)
    else:
        own.append((guest.pa, guest.size))
    jump = kernel.hop + 1
    return Spec(
        made, sessions=kernel.policy.sessions() if guests else (), flbs=kernel.policy.flbs(), parts=parts, guests=guests,
        preserved=tuple(cut(own, PAGE)), scratch=(kernel.machine.scratch,), kexec_count=jump, liveupdate_num=jump,
    )  # fmt: skip


def write(kernel: Kernel) -> list[int]:
    """Build the handover; its entry: the address of its root, that of the scratch array, and the bytes of this."""
    spec, arena = spec_of(kernel), kernel.machine.arena()
    for pa in kept(kernel):
        arena.reserve(pa, PAGE)
    for pa, size in spec.scratch:
        arena.reserve(pa, size)
    built = build(spec, arena, kernel.registry)
    return [built.fdt_pa, *built.scratch]
