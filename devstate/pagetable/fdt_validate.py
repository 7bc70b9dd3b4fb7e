# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The verdict of the C core on a flattened devicetree: as strict as ``devstate.fdt.read()``, with the same first fault, but no tree.

For whoever has many blobs to judge, or candidates for one: it takes some 25 ns a node where reading takes 1.5 us. A refused blob is best
read with ``devstate.fdt`` then, whose error also has the node's path.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import frozen
from devstate.pagetable import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CODES = (
    "", "header", "magic", "version", "cut", "block", "reserve-end", "token", "property", "name", "limit",
    "fdt-no-root", "fdt-root-not-first", "fdt-stray-property", "fdt-property-after-subnode", "fdt-duplicate-property",
    "fdt-duplicate-node", "fdt-slash-in-name", "fdt-empty-name", "fdt-trailing-struct", "fdt-misaligned-block", "fdt-overlapping-blocks",
)  # fmt: skip
"""What can be wrong, in the order of the DS_FDT_ numbers in csrc/devstate_core.h; ``fdt-`` are the rules of ``devstate.fdt.rules``."""


@frozen
class FdtVerdict:
    """``code`` is one of CODES, empty for a sound blob; ``offset`` is that of the fault in the blob, in bytes.

    ``nodes`` that have begun and ``properties`` of nodes that have ended, up to the fault.
    """

    code: str
    offset: int
    nodes: int
    properties: int

    def __bool__(self) -> bool:
        return not self.code


def fdt_validate(blob: ReadableBuffer, scratch: memoryview | None = None) -> FdtVerdict:
    """Judge the devicetree at the start of ``blob``, which may be longer, and does not change meanwhile.

    ``scratch``: u64s from ``scratch_for()`` of at least this size, to be used again and again. UsageError where there is no C core, or
    when the scratch memory is too small.
    """
    if not native.BUILT:
        raise UsageError("devstate is installed without its C core: devstate.fdt.read() gives the same verdict")
    view = memoryview(blob).cast("B")
    room = scratch_for(view.nbytes) if scratch is None else scratch
    ffi, lib = native.ffi, native.lib
    verdict = ffi.new("struct ds_fdt_verdict *")
    if lib.ds_fdt_validate(ffi.from_buffer(view), view.nbytes, ffi.from_buffer(room), room.nbytes, verdict) != lib.DS_OK:
        raise UsageError(f"{room.nbytes} bytes of scratch memory for a devicetree of {view.nbytes} bytes")
    return FdtVerdict(CODES[verdict.code], verdict.offset, verdict.nodes, verdict.properties)


def scratch_for(size: int) -> memoryview:
    """Scratch memory for blobs of up to ``size`` bytes. It costs what is touched of it: little, for a tree like others."""
    return native.words((native.lib.ds_fdt_scratch(size) + 7) // 8)
