# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a handover is to be built from (``devstate.handover.build``): plain frozen data, and the rules that it must obey.

Everything that is put into memory has a *place*, a name by which ``Spec.pins`` gives it an address; what has no pin is put where there
is room::

    kho                                  the root FDT (one page)
    kho/map/N                            page N of the memory map: tree pages parents first, chunks in the order of the chain
    kho/bitmap/N                         bitmap N of the chunks of kho-v1
    scratch, entry                       the scratch array; the setup_data node or devicetree that leads to the root
    subtree/NAME                         the blob of a client
    devstate/PATH                        a part of the subtree devstate that stands in memory of its own
    devstate/PATH/FIELD/N                what a field of its record leads to: area 0, block N of a chain
    memblock/NAME                        a reserve_mem region
    luo/ser                              luo_ser, in the form that keeps it beside a devicetree
    luo/session/N, luo/flb/N             block (or area) N of sessions, and the area of FLBs
    luo/session/NAME/files/N             block (or area) N of the files of a session
    luo/session/NAME/TOKEN               the record of a file
    luo/session/NAME/TOKEN/list/N        page N of its page list
    luo/session/NAME/TOKEN/array/N       block N of its folio array
    luo/session/NAME/TOKEN/folios        its folios, one behind the other
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import frozen
from devstate.handover.root import FOUND_BY
from devstate.layout.release import parse_release, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from devstate.layout.model import ByteOrder
    from devstate.layout.registry import Registry
    from devstate.pagetable.radix import Run

DIRTY, UPTODATE = 1, 2
"""Flags of a folio record (include/linux/kho/abi/memfd.h)."""

SETUP_DATA, DEVICETREE = "setup_data", "devicetree"
ENTRIES = (SETUP_DATA, DEVICETREE)
"""How the next kernel is led to the root: x86, and machines with a devicetree."""

NO_PINS: Mapping[str, int] = {}
NO_FIELDS: Mapping[str, Any] = {}


@frozen
class FolioColumns:
    """The folios of a file one by one, as parallel sequences (numpy arrays, tuples): ``order`` is that of the preserved block."""

    index: Sequence[int] | NDArray[Any]
    pfn: Sequence[int] | NDArray[Any]
    flags: Sequence[int] | NDArray[Any]
    order: Sequence[int] | NDArray[Any]


@frozen
class FileSpec:
    """A preserved file. Of a memfd, ``content`` is its first bytes, the rest of ``size`` is zeros in memory; ``order`` that of its folios.

    ``folios`` says where each folio is; without it they are all of ``order``, one behind the other. ``handler`` and ``data`` are the
    string and handle of a file of any other kind, which are written as they are; with ``record``, the handle is where that is put.
    ``fields`` are values of a memfd's record that no form of mainline has.
    """

    token: int
    content: bytes | memoryview = b""
    size: int = 0
    pos: int = 0
    seals: int = 0
    order: int = 0
    folios: FolioColumns | None = None
    handler: str | None = None
    data: int = 0
    record: bytes | None = None
    fields: Mapping[str, Any] = NO_FIELDS


@frozen
class SessionSpec:
    """A session."""

    name: str
    files: tuple[FileSpec, ...] = ()


@frozen
class FlbSpec:
    """A file-lifecycle-bound object: ``data`` its handle, ``count`` the files that depend on it."""

    name: str
    data: int
    count: int


@frozen
class RegionSpec:
    """A reserve_mem region of ``size`` bytes that begins with ``content``."""

    name: str
    size: int
    content: bytes | memoryview = b""


@frozen
class SubtreeSpec:
    """A client of KHO of one's own: its blob, as it is, in one block of ``order``, or in as many pages as it takes (None)."""

    name: str
    blob: bytes
    order: int | None = None


@frozen
class LinkSpec:
    """What a link of a record leads to. ``field`` are names and indexes from the record on (its number first, where it is one of many).
    ``records`` of the link's struct (or numbers) are put into memory, with ``links`` of their own; None stands for the address of
    ``place`` and ``offset`` bytes more.
    """

    field: tuple[str | int, ...]
    records: tuple[Any, ...] | None
    links: tuple[LinkSpec, ...] = ()
    place: str = ""
    offset: int = 0


@frozen
class PartSpec:
    """A part of the subtree ``devstate``: ``path`` is SUBSYSTEM/OBJECT[/PART], ``records`` (mappings of fields to values, one unless
    ``many``) are of the schema ``format``, its root or ``struct``. ``place`` is state, section or memory; None: as fits its size.
    ``raw``: bytes of a format that is no array of records, in place of these; a reader knows it by ``format`` alone. ``links`` are what
    fields of the records lead to. Of a format whose encoding is tagged, the one record is a map.
    """

    path: str
    format: str
    records: tuple[Mapping[str, Any], ...]
    struct: str | None = None
    many: bool = False
    place: str | None = None
    raw: bytes | None = None
    links: tuple[LinkSpec, ...] = ()


@frozen
class DeviceSpec:
    """A device of ``machine`` that came along, at ``path`` below the root. ``driver`` is the compatible of what its driver ``left``.

    ``flags`` are the words requested, preserved, reclaimed; ``phase`` is normal, prepared, frozen or updated.
    """

    path: str
    bus: str = "pci"
    driver: str = ""
    left: PartSpec | None = None
    flags: tuple[str, ...] = ("preserved",)
    phase: str = "frozen"
    machine: str = "machine"


@frozen
class GuestRange:
    """``size`` bytes of a guest from ``gpa`` on: those from ``offset`` on of a file (``session``, ``token``) or of a ``region``. ``flags``
    are the words shared, private, pinned, read-only.
    """

    gpa: int
    size: int
    session: str | None = None
    token: int = 0
    region: str | None = None
    offset: int = 0
    node: int | None = None
    flags: tuple[str, ...] = ()


@frozen
class GuestSpec:
    """A guest whose memory is described in the subtree ``devstate``."""

    name: str
    ranges: tuple[GuestRange, ...] = ()


@frozen
class Forms:
    """The forms that one kernel writes, by schema name; None for what it does not have. ``release`` is what its metadata says."""

    kho: str
    luo: str | None = None
    memfd: str | None = None
    release: str | None = None


@frozen
class Spec:
    """A whole handover. ``kexec_count`` is written by kernels with metadata only; ``scratch`` are (start, size) pairs.

    ``subtree_order`` names clients that come first in the root, in this order. ``per_block`` and ``per_list`` are the most entries in a
    block of a chain and in a page of a page list (None: what fits), ``list_order`` is the order of the blocks of folio arrays.
    ``preserved`` are blocks that are preserved beside what is built. ``parts``, ``guests`` and ``devices`` make the subtree ``devstate``.
    ``renamed`` takes kernel 7.4's name for scratch in the entry. ``hollow``: contents (folios at given addresses, pinned regions) get no
    bytes; whoever has them puts them there (``Arena.back``).
    """

    forms: Forms
    page_size: int = 4096
    byte_order: ByteOrder = "little"
    sessions: tuple[SessionSpec, ...] = ()
    flbs: tuple[FlbSpec, ...] = ()
    regions: tuple[RegionSpec, ...] = ()
    liveupdate_num: int = 1
    kexec_count: int = 1
    scratch: tuple[tuple[int, int], ...] = ()
    per_block: int | None = None
    per_list: int | None = None
    list_order: int = 0
    subtrees: tuple[SubtreeSpec, ...] = ()
    subtree_order: tuple[str, ...] = ()
    entry: str | None = None
    renamed: bool = False
    preserved: tuple[Run, ...] = ()
    parts: tuple[PartSpec, ...] = ()
    guests: tuple[GuestSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    pins: Mapping[str, int] = NO_PINS
    hollow: bool = False


def forms_of(registry: Registry, release: str) -> Forms:
    """The forms that kernels of ``release`` write, the newest where a release had several. UsageError for one without KHO."""
    parsed = parse_release(release)
    if parsed is None:
        raise UsageError(f"{release!r} is no kernel release; expected two numbers, such as 7.3 or 7.1-rc5")

    def form(found_by: str) -> str | None:
        return next((name for name in registry.found_by(found_by) if writes(registry.summaries[name], parsed)), None)

    kho = form(FOUND_BY)
    if kho is None:
        raise UsageError(f"kernels of release {release} have no KHO")
    metadata = form("KHO subtree kexec-metadata")
    return Forms(kho, form("KHO subtree LUO"), form("luo_file_ser.data"), release if metadata is not None else None)


def is_renamed(registry: Registry, release: str) -> bool:
    """Whether kernels of ``release`` have the newest name for scratch (boot memory) in what leads to the root."""
    parsed, names = parse_release(release), registry.found_by("/chosen")
    return parsed is not None and bool(names) and writes(registry.summaries[names[0]], parsed)
