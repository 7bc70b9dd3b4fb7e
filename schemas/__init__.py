# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The shipped schemas, installed as ``devstate_schemas``: ``kho`` mirrors include/linux/kho/abi, ``posted``, ``project``."""
