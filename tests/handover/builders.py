# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The combinations of forms that kernels wrote or that were posted, for tests that build every one of them."""

from __future__ import annotations

from devstate.handover.spec import Forms

KERNELS = (
    Forms("kho-v1@6.16"),
    Forms("kho-v1"),
    Forms("kho-v1", "luo-v1@6.19", "memfd-v1"),
    Forms("kho-v1", "luo-v1", "memfd-v1"),
    Forms("kho-v2", "luo-v1", "memfd-v2", "7.1.0-rc1"),
    Forms("kho-v3@7.1-rc1", "luo-v1", "memfd-v2", "7.1.0-rc1"),
    Forms("kho-v3", "luo-v1", "memfd-v2", "7.1.9"),
    Forms("kho-v3", "luo-v2", "memfd-v2", "d376e4b55c9a"),
    Forms("kho-v3", "luo-v3", "memfd-v2", "cf071b3536df"),
    Forms("kho-v4", "luo-v4", "memfd-v2", "7.2.0-rc1"),
    Forms("kho-v4", "luo-v5", "memfd-v2", "7.2.13"),
    Forms("kho-v4", "luo-v5", "memfd-v2", "7.3.4"),
)
"""Every combination that mainline ever wrote, from 6.16 on (version map of the kernel's history). Where two commits of one series are
apart, no release has the combination, and the metadata names the commit."""

POSTED = (
    Forms("kho-v1@radix", "luo-v1@head", "memfd-v1"),
    Forms("kho-v2@radix", "luo-v1@head-flb", "memfd-v1"),
    Forms("kho-v1", "luo-v1@session-v1"),
    Forms("kho-v4;radix-v1;vmalloc-v1", "luo-v5;block-v1", "memfd-v2;vmalloc-v1", "7.2.0"),
)
"""Combinations that were posted, under strings that mainline has too."""
