# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate on a real kernel with Kexec HandOver, and through a real jump: see ``tests/live/run.py``."""
