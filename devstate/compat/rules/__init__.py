# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The rules, one module each. The table is data, so that running them imports only what has something to say.

A test holds it equal to the modules in this folder.
"""

BY_KIND: dict[str, str] = {
    "removed": "DS101",
    "inserted": "DS102",
    "appended": "DS103",
    "moved": "DS104",
    "packing": "DS105",
    "resized": "DS106",
    "retyped": "DS107",
    "bits": "DS108",
    "length": "DS109",
    "stride": "DS110",
    "reserved-used": "DS111",
    "union": "DS112",
    "renamed": "DS113",
    "repurposed": "DS113",
    "name-removed": "DS201",
    "name-added": "DS202",
    "name-renumbered": "DS203",
    "limit": "DS204",
    "default": "DS205",
    "presence": "DS206",
    "constant": "DS207",
    "header": "DS309",
    "node": "DS401",
    "target": "DS402",
    "encoding": "DS403",
}
"""Which rule speaks of a kind of change."""

CHECKS = (
    "DS301",
    "DS302",
    "DS303",
    "DS304",
    "DS305",
    "DS306",
    "DS307",
    "DS308",
    "DS310",
    "DS503",
    "DS601",
    "DS602",
    "DS603",
)
"""Rules that look at a comparison as a whole."""

LINTS = (
    "DS308",
    "DS501",
    "DS503",
    "DS505",
)
"""Rules that look at one layout by itself."""

ALL = (
    "DS101",
    "DS102",
    "DS103",
    "DS104",
    "DS105",
    "DS106",
    "DS107",
    "DS108",
    "DS109",
    "DS110",
    "DS111",
    "DS112",
    "DS113",
    "DS201",
    "DS202",
    "DS203",
    "DS204",
    "DS205",
    "DS206",
    "DS207",
    "DS301",
    "DS302",
    "DS303",
    "DS304",
    "DS305",
    "DS306",
    "DS307",
    "DS308",
    "DS309",
    "DS310",
    "DS401",
    "DS402",
    "DS403",
    "DS501",
    "DS502",
    "DS503",
    "DS504",
    "DS505",
    "DS601",
    "DS602",
    "DS603",
)
"""Every rule."""
