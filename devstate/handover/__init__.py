# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The domain: from memory to a Handover (``open``), what is in it (``model``), and from a running kernel to a file (``live``, ``capture``).

Nothing is imported here: each verb pays for what it uses.
"""
