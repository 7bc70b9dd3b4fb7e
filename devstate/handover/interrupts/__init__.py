# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Preserved interrupts: what messages lead to, claims held against the tables of units, saved ITS tables, and what is pending.

``verify.verify_interrupts`` judges the records of ``interrupts-v1``; ``pending.verify_pending`` compares them with those after the jump;
``its.read_its`` and ``its.verify_its`` do the same for the tables that KVM saves of an ITS, and for the records of ``its-v1``.
"""
