# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The IOMMU of a rehearsed machine, one module a kind: each writes the unit's tables as a kernel does, and reads them as hardware does.

``unit`` has what all kinds do, ``its`` is the interrupt controller beside an SMMUv3, ``kinds`` lists them by the names of a scenario.
"""
