# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Kernel releases, and what the kernels of each write and accept."""

from __future__ import annotations

import pytest

from devstate.layout.registry import Registry
from devstate.layout.release import Release, accepted, parse_release, writes


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("7.3.4", Release(7, 3)),
        ("7.3", Release(7, 3)),
        ("7.1-rc5", Release(7, 1, 5)),
        ("7.3.0-rc2-next-20260801", Release(7, 3, 2)),
        ("6.19.3-amd64", Release(6, 19)),
        ("7.3-rcx", Release(7, 3)),
        ("rrrr", None),
        ("", None),
        ("7", None),
        ("7.-3", None),
        ("9" * 99 + ".1", None),
    ],
)
def test_parse_release(text: str, release: Release | None) -> None:
    """uname -r texts, kernel release names, and garbage."""
    assert release == parse_release(text)


@pytest.mark.parametrize(
    ("release", "root", "luo"),
    [
        ("6.17", ["kho-v1"], []),
        ("6.19", ["kho-v1"], ["luo-v1"]),
        ("7.1-rc6", ["kho-v3"], ["luo-v1"]),
        ("7.1", ["kho-v3"], ["luo-v1"]),
        ("7.2-rc2", ["kho-v4"], ["luo-v5"]),
        ("7.2", ["kho-v4"], ["luo-v5"]),
        ("7.3", ["kho-v4"], ["luo-v5"]),
    ],
)
def test_accepted(release: str, root: list[str], luo: list[str]) -> None:
    """The version map of kernel releases: each accepts what it writes."""
    parsed = parse_release(release)
    assert parsed is not None
    registry = Registry.shipped()
    assert (root, luo) == (
        accepted(registry, "kho_data.fdt_addr (x86) or /chosen linux,kho-fdt", parsed),
        accepted(registry, "KHO subtree LUO", parsed),
    )


def test_posted_formats_belong_to_no_release() -> None:
    """A series on a list is in no released kernel."""
    registry = Registry.shipped()
    posted = [summary for summary in registry.summaries.values() if summary.status == "posted"]
    assert posted
    assert not any(writes(summary, Release(7, 3)) for summary in posted)
