# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IOMMU units in a memory image: from the root table to devices, domains, page tables and interrupt entries.

``read.read_unit`` reads one; ``verify.verify_unit`` judges it. What the entries look like is asked from the schema registry.
"""
