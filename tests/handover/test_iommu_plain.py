# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which entry requests without a PASID use: VT-d says so in the context entry, AMD in the device entry."""

from __future__ import annotations

import pytest
from units import SOME, Tables, rules

from devstate.handover.iommu.state import NONE, unit_state
from devstate.handover.iommu.translate import translate
from devstate.pagetable.mapping import Mapping

SOURCE = 0xFA


@pytest.mark.parametrize("plain", [0, 5])
def test_vtd(plain: int) -> None:
    """The PASID that stands for none."""
    tables = Tables()
    root, contexts, directory, pasids = (tables.page() for _ in range(4))
    tables.words(root + 8, contexts | 1)
    tables.words(contexts + 32 * (SOURCE % 128), directory | 1 << 3 | 1, plain)
    tables.words(directory, pasids | 1)
    for pasid in (0, 5):
        top = tables.top("vtd-second-stage", 3, [Mapping(0x1000, 0x7000 + 0x1000 * pasid, 4096, 3)])
        tables.words(pasids + 64 * pasid, top | 1 << 2 | 2 << 6 | 1, 4 + pasid)
    unit = tables.unit("vtd", root, RTADDR=root | 1 << 10)
    for wanted, pasid in ((plain, None), (0, 0), (5, 5)):
        found = translate(unit, SOURCE, 0x1000, pasid)
        assert found is not None and 0x7000 + 0x1000 * wanted == found.pa
    assert translate(unit, SOURCE, 0x1000, 7) is None
    assert [NONE if pasid == plain else pasid for pasid in (0, 5)] == [row["pasid"] for row in unit_state(unit)["attachments"]]
    assert [] == rules(unit)


@pytest.mark.parametrize("giov", [False, True])
def test_amd(giov: bool) -> None:
    """With GIoV, that of PASID 0; without, the host's tables, and PASID 0 has its own."""
    tables = Tables()
    root, gcr3 = tables.page(2), tables.page()
    guest = tables.top("amd-v2", 4, [Mapping(0x1000, 0x9000, 4096, 3)], sign_extended=True)
    tables.words(gcr3, guest | 1)
    low = 3 | 3 << 61 | 1 << 55 | giov << 54 | (gcr3 >> 12 & 7) << 58
    tables.words(root + 32 * SOURCE, low, 9 | (gcr3 >> 15 & 0xFFFF) << 16 | gcr3 >> 31 << 43)
    unit = tables.unit("amd", root, DEVTAB=root | 1)
    plain = translate(unit, SOURCE, 0x1000)
    assert plain is not None and (0x9000 if giov else 0x1000) == plain.pa
    found = translate(unit, SOURCE, 0x1000, 0)
    assert found is not None and 0x9000 == found.pa
    assert [True] if giov else [True, False] == [each.plain for each in unit.devices]


def test_a_width_that_there_is_not() -> None:
    """Of a PASID entry with a second stage: with a first one alone, nobody looks at it."""
    for translation, expected in ((2, ["iommu-entry-value"]), (1, [])):
        tables = Tables()
        root, contexts, directory, pasids = (tables.page() for _ in range(4))
        tables.words(root, contexts | 1)
        tables.words(contexts, directory | 1)
        tables.words(directory, pasids | 1)
        second, first = tables.top("vtd-second-stage", 2, SOME[:1]), tables.top("vtd-first-stage", 4, sign_extended=True)
        tables.words(pasids, second | translation << 6 | 1, 4, first)
        assert expected == rules(tables.unit("vtd", root, RTADDR=root | 1 << 10))
