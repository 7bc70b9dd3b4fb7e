# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which entry of a remapping table a message or a pin leads to.

::

    VT-d, a message     address 31:20 0xfee | 19:5 handle 14:0 | 4: 1 | 3: SHV | 2: handle 15 |      data 15:0: subhandle, added with SHV
    VT-d, a pin         bits 63:49 index 14:0 | 48: 1 | ... | 11: index 15
    AMD                 the low 11 bits of the data, or of the redirection entry

Sources: Intel VT-d specification 5.1.2.2, 5.1.5; AMD specification 48882, 2.2.5.
"""

from __future__ import annotations

WINDOW = 0xFEE
"""Bits 31:20 of the address of every interrupt message of x86."""

REMAPPABLE, SUBHANDLE = 1 << 4, 1 << 3
AMD_MASK = 0x7FF


def is_message(address: int) -> bool:
    """Whether a write to ``address`` is an interrupt message."""
    return address >> 20 == WINDOW


def vtd_index(address: int, data: int) -> int | None:
    """The entry that a message leads to; None when it is none of the remappable form."""
    if not is_message(address) or not address & REMAPPABLE:
        return None
    handle = address >> 5 & 0x7FFF | (address >> 2 & 1) << 15
    return handle + (data & 0xFFFF) if address & SUBHANDLE else handle


def vtd_pin_index(redirection: int) -> int | None:
    """The entry that a pin leads to; None when its redirection entry is not of the remappable form."""
    if not redirection >> 48 & 1:
        return None
    return redirection >> 49 | (redirection >> 11 & 1) << 15


def amd_index(data: int) -> int:
    """The entry of its device's table that a message, or a pin's redirection entry, leads to."""
    return data & AMD_MASK


def vtd_message(index: int) -> tuple[int, int]:
    """(address, data) of a message that leads to an entry."""
    return WINDOW << 20 | (index & 0x7FFF) << 5 | REMAPPABLE | SUBHANDLE | (index >> 15) << 2, 0


def vtd_pin(index: int, vector: int) -> int:
    """A redirection entry that leads to an entry."""
    return (index & 0x7FFF) << 49 | 1 << 48 | (index >> 15) << 11 | vector
