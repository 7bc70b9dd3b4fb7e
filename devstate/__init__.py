# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate: the state that a Linux kernel hands to its successor, declared once; read, checked, compared and rehearsed."""

__version__ = "0.1.0"
