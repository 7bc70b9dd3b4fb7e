# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The formats that devstate ships: what Linux kernels hand over, one file per kernel header.

``kho/`` mirrors include/linux/kho/abi of released kernels, ``posted/`` what is on the lists, ``project/`` devstate's own.
Each file has a list ``SCHEMAS``. ``baselines/`` holds their committed layouts.
"""
