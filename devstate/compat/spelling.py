# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Types as headers spell them: what a layout cannot show, because on the machine that it is for every type has a size.

A compiler says that a ``long`` is eight bytes; that it is four on another machine only its name says.
"""

from __future__ import annotations

from devstate.compat.rules import ds503
from devstate.finding import Severity
from devstate.frozen import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.finding import Finding
    from devstate.layout.claims import Claims, Member

BY_MACHINE = frozenset({
    "long", "size_t", "ssize_t", "ptrdiff_t", "uintptr_t", "intptr_t", "phys_addr_t", "dma_addr_t", "resource_size_t", "time_t", "off_t",
    "loff_t", "pgoff_t", "pgprot_t", "gfp_t", "dev_t", "unsigned long",
})  # fmt: skip
"""Types whose size is the machine's, or the configuration's."""

BY_KERNEL = frozenset({
    "list_head", "hlist_head", "hlist_node", "rb_node", "rb_root", "mutex", "spinlock_t", "raw_spinlock_t", "atomic_t", "atomic64_t",
    "refcount_t", "kref", "work_struct", "completion", "rw_semaphore", "wait_queue_head_t", "xarray", "idr", "cpumask_t", "nodemask_t",
    "bool", "_Bool",
})  # fmt: skip
"""Types that are what one kernel makes of them: runtime objects, and bool, of which not every byte is a value."""

PLAIN = frozenset({"int", "unsigned", "unsigned int", "signed int", "short", "unsigned short", "short int", "long long",
                   "unsigned long long", "signed char", "unsigned char"})  # fmt: skip
"""Types that have one size on every Linux, and do not say it."""


def spelled(claims: Claims) -> Iterator[Finding]:
    """Members whose type does not say what it is everywhere, each at its line."""
    for struct in claims.structs:
        for member in struct.members:
            said = _said(member)
            if said is not None:
                message, severity = said
                subject = f"{struct.name}.{member.name}"
                yield replace(ds503.RULE.finding(message, subject, severity=severity), location=replace(member.place, path=subject))


def _said(member: Member) -> tuple[str, Severity] | None:
    """What is wrong with the type of a member, and how bad that is."""
    words = [word for word in member.type.replace("*", " ").split() if word not in ("const", "volatile")]
    name = " ".join(words)
    last = words[-1] if words else ""
    if "*" in member.type:
        return f"a pointer ({member.type}): an address of the old kernel is nowhere in the new one", Severity.ERROR
    if last in BY_KERNEL:
        message = "a bool: of its 256 values two are legal; write u8" if last in ("bool", "_Bool") else f"{name} is an object of one kernel"
        return message, Severity.WARNING if last in ("bool", "_Bool") else Severity.ERROR
    if name in BY_MACHINE or last in BY_MACHINE - {"long"} or name in ("signed long", "long int", "unsigned long int"):
        return f"the size of {name} is the machine's: write u64", Severity.WARNING
    if words[:1] == ["enum"]:
        return f"the size of {name} is the compiler's: write u32", Severity.WARNING
    if name in PLAIN:
        return f"{name} does not say its size: write u8, u16, u32 or u64", Severity.INFO
    return None
