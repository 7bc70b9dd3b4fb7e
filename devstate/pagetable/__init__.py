# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tables of pages: the C core and its slow Python oracles. Knows memory, and no schema."""
