# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rehearsals: a live update with real processes, and a device that never stops.

::

    run ---- starts, injects faults, measures, verifies
     |-- device    DMA through the IOMMU's tables, interrupts through the remapping table, all the time
     |-- kernel    the old one: prepares, freezes, writes the handover; then it is replaced (exec) or killed
     `-- kernel    the new one: has nothing but the memory, the entry and the event descriptors

``scenario`` is what is rehearsed, ``machine`` the memory they share, ``units`` the kinds of IOMMU, ``verify`` what must hold at the end.
"""
