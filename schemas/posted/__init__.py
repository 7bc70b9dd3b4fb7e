# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Formats of posted series and branches (status ``posted``): readable, and never promised to stay."""
