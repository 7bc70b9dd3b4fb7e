# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What of a layout C cannot spell: names that are words of C, and different names that become one macro.

::

    Enum(U8, low=0, LOW=1)       two values, one macro FORMAT_STRUCT_FIELD_LOW
    Struct("union", ...)         struct union { }
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.gen.names import taken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.layout.model import Layout


def spelt(layout: Layout, defined: Iterable[str]) -> None:
    """UsageError when a struct has a name that C has taken, or a macro in the lines ``defined`` would have two meanings."""
    for struct in layout.structs:
        if taken(struct.name):
            raise UsageError(f"{layout.name}: struct {struct.name}: C has taken this name")
    macros: dict[str, str] = {}
    for line in defined:
        name, text = line.removeprefix("#define ").split(" ", 1)
        if macros.setdefault(name, text) != text:
            raise UsageError(f"{layout.name}: the macro {name} would be {macros[name]} and {text}: two names are the same in capitals")
