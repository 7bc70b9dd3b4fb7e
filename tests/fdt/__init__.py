# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of devstate.fdt, against the bytes, against libfdt and dtc, and on what kernels really wrote."""
