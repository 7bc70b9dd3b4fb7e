# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Benchmarks: one file a subject, each with ``run()`` that returns rows. ``python -m bench.run NAME`` prints and saves them."""
