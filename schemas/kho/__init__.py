# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Formats of released kernels (status ``mainline``), named as the headers under include/linux/kho/abi."""
