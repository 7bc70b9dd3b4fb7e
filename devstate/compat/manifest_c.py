# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A manifest as C: compiled into a build, it can be asked for again (``devstate manifest BUILD``), without the source and without BTF.

Two objects, each in a section of its own; ``devstate.source.sections`` draws their bytes. The versions of file handlers go to the section
that the kernel's RFC has for them as well, unless the build has that already (``-DDEVSTATE_NO_LIVEUPDATE_VERSIONS``).
"""

from __future__ import annotations

from devstate.compat.manifest import to_dict
from devstate.compat.predict import FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.manifest import Manifest

MAGIC, VERSIONS_MAGIC, VERSION, COMPATIBLE_SIZE = 0x44565354, 0x4C565550, 1, 48
"""As devstate.source.sections reads them."""

_HEAD = """/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What {name} writes and reads, by `devstate manifest --c`. Compile it into the build; `devstate manifest BUILD` reads it again. */

static const struct {{
	unsigned int magic, version, size, crc32c;
	char json[{room}];
}} devstate_manifest __attribute__((used, aligned(4), section(".devstate_manifest"))) = {{
	{magic:#x}, {version}, {size}, {total:#010x},
{lines}
}};
"""

_VERSIONS = """
#ifndef DEVSTATE_NO_LIVEUPDATE_VERSIONS
static const struct {{
	unsigned int magic, version;
	char versions[{count}][{each}];
}} devstate_liveupdate_versions __attribute__((used, aligned(4), section(".liveupdate_versions"))) = {{
	{magic:#x}, {version},
	{{
{lines}
	}}
}};
#endif
"""


def to_c(manifest: Manifest) -> str:
    """The C text. It needs no header, and compiles in a kernel and outside of one."""
    import json

    import crc32c

    text = json.dumps(to_dict(manifest), indent=1)
    payload = text.encode("ascii")
    lines = "\n".join(f'\t"{_escaped(line)}\\n"' for line in text.split("\n")[:-1]) + f'\n\t"{_escaped(text.split(chr(10))[-1])}"'
    name = "".join(letter for letter in manifest.name if letter.isascii() and (letter.isalnum() or letter in "._-+ "))
    made = _HEAD.format(
        name=name, room=len(payload) + 1, magic=MAGIC, version=VERSION, size=len(payload), total=crc32c.crc32c(payload), lines=lines
    )
    versions = [each.compatible for each in manifest.at(FILES) if each.compatible is not None and len(each.compatible) < COMPATIBLE_SIZE]
    if versions:
        rows = "\n".join(f'\t\t"{_escaped(version)}",' for version in dict.fromkeys(versions))
        made += _VERSIONS.format(count=len({*versions}), each=COMPATIBLE_SIZE, magic=VERSIONS_MAGIC, version=VERSION, lines=rows)
    return made


def _escaped(text: str) -> str:
    """As a C string literal has it; a question mark could begin a trigraph."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
