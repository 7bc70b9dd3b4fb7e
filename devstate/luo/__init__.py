# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The live update orchestrator in user space: one engine under two policies.

``engine`` calls participants in order, keeps the time and unwinds what failed. ``states`` and ``orchestrator`` are the design of the
RFC (normal, prepared, frozen, updated), ``devices`` its ``dev_liveupdate``. ``handlers``, ``sessions`` and ``flbs`` are the design that was
merged in 6.19. ``uapi``, ``client`` and ``double`` speak ``/dev/liveupdate``, the real one and one in this process.
"""
