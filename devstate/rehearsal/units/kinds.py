# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The kinds of units, by the names that a scenario gives them."""

from __future__ import annotations

from devstate.rehearsal.units.amd import Amd
from devstate.rehearsal.units.smmuv3 import Smmuv3
from devstate.rehearsal.units.vtd import Vtd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.rehearsal.units.unit import Unit

KINDS: dict[str, type[Unit]] = {each.kind: each for each in (Vtd, Amd, Smmuv3)}
