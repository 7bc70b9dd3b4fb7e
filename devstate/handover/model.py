# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a handover is made of, as the domain sees it. Values and links; ``devstate.handover.open`` fills them in.

Every object that was read from memory knows its ``pa``, the ``format`` (the schema's name) that it was read with, and its
``path``, such as ``luo/session/vm-alpha/1``. Addresses are ints, sizes are bytes.
"""

from __future__ import annotations

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.codec.record import Record
    from devstate.fdt.model import Fdt
    from devstate.handover.claims import Claims
    from devstate.handover.preserved import PreservedPages
    from devstate.handover.state import State
    from devstate.handover.vmalloc import PageList
    from devstate.layout.model import Environment, Layout, TypeLayout
    from devstate.layout.registry import Registry
    from devstate.memory.physmem import PhysMemory


@frozen
class Problem:
    """Something that is damaged, missing or inconsistent. ``code`` is the id of the check rule that judges it.

    ``pa`` is the address of the field that is at fault, when it is in memory. ``related`` are further places, as (pa, what).
    """

    code: str
    message: str
    pa: int | None = None
    path: str | None = None
    expected: str | None = None
    found: str | None = None
    related: tuple[tuple[int, str], ...] = ()


@frozen
class Metadata:
    """kexec-metadata: where the machine comes from. ``previous_release`` is text, ``kexec_count`` jumps since the cold boot."""

    version: int
    previous_release: str
    kexec_count: int
    pa: int
    format: str


class Subtree:
    """A client of KHO: ``size`` is None where the format does not record it; ``blob`` None when it is not in the capture.

    ``sizes_pa``/``data_pa`` are the addresses of the two property payloads in the root FDT.
    """

    __slots__ = ("blob", "data_pa", "fdt", "format", "layout", "name", "pa", "path", "size", "size_pa")

    def __init__(self, name: str, pa: int | None, size: int | None) -> None:
        self.name = name
        self.path = name
        self.pa = pa
        self.size = size
        self.data_pa: int | None = None
        self.size_pa: int | None = None
        self.blob: memoryview | None = None
        self.fdt: Fdt | None = None
        self.layout: Layout | None = None
        self.format: str | None = None


@frozen
class Region:
    """A reserve_mem region of memblock. ``pa`` is where its node's ``start`` stands."""

    name: str
    start: int
    size: int
    pa: int | None
    path: str


class PreservedFile:
    """One file of a session. ``record`` is its luo_file_ser at ``pa``; ``body`` what its handle leads to, read with ``layout``.

    ``size``/``pos``/``seals``/``nr_folios`` are None where the format has no such field or it could not be read.
    ``pages`` is the page list behind the folio array. ``label`` is what a convention above the kernel says that it is.
    """

    __slots__ = ("body", "compatible", "data_pa", "folio_layout", "format", "label", "layout", "pa", "pages", "path", "record", "token")

    def __init__(self, pa: int, record: Record, path: str) -> None:
        self.pa = pa
        self.record = record
        self.path = path
        self.token: int = record.token
        self.data_pa: int = record.data
        self.compatible = ""
        self.format: str | None = None
        self.layout: Layout | None = None
        self.body: Record | None = None
        self.pages: PageList | None = None
        self.folio_layout: TypeLayout | None = None
        self.label: str | None = None

    def _of_body(self, name: str) -> int | None:
        value = getattr(self.body, name, None)
        return value if isinstance(value, int) else None

    @property
    def size(self) -> int | None:
        """Bytes of the file."""
        return self._of_body("size")

    @property
    def pos(self) -> int | None:
        """File position, bytes."""
        return self._of_body("pos")

    @property
    def seals(self) -> int | None:
        """F_SEAL_* bits."""
        return self._of_body("seals")

    @property
    def nr_folios(self) -> int | None:
        """Entries of the folio array, as the record says."""
        return self._of_body("nr_folios")


class Session:
    """A session: ``record`` is its luo_session_ser at ``pa``. ``owner`` is whose it is by a convention above the kernel.

    ``file_set`` is the record with ``files`` and ``count``, at ``file_set_pa``: a part of ``record``, or in posted forms itself; None for
    the form whose sessions have no files.
    """

    __slots__ = ("file_set", "file_set_pa", "files", "name", "owner", "pa", "path", "record")

    def __init__(self, pa: int, record: Record, name: str, path: str) -> None:
        self.pa = pa
        self.record = record
        self.name = name
        self.path = path
        self.files: list[PreservedFile] = []
        self.file_set: Record | None = None
        self.file_set_pa = pa
        self.owner: str | None = None
        if hasattr(record, "file_set_ser"):
            self.file_set = record.file_set_ser
            self.file_set_pa = pa + record.layout.field("file_set_ser").offset
        elif hasattr(record, "files"):
            self.file_set = record


@frozen
class Flb:
    """A file-lifecycle-bound object: ``count`` files depend on it. ``format`` None when no schema has its name."""

    name: str
    data: int
    count: int
    pa: int
    path: str
    record: Record
    format: str | None


class Luo:
    """The orchestrator's part: sessions and FLBs. ``record`` is luo_ser where the format has one, at ``pa``.

    ``flb_header`` is the FLB area's (address, numbers by field name).
    """

    __slots__ = ("compatible", "flb_header", "flbs", "format", "liveupdate_num", "pa", "record", "sessions")

    def __init__(self, compatible: str, format: str, pa: int | None) -> None:
        self.compatible = compatible
        self.format = format
        self.pa = pa
        self.liveupdate_num: int | None = None
        self.record: Record | None = None
        self.flb_header: tuple[int, dict[str, int]] | None = None
        self.sessions: list[Session] = []
        self.flbs: list[Flb] = []


class Handover:
    """A whole handover, or what could be read of it; ``problems`` says what could not.

    ``memory`` is None for inputs without memory behind the pointers; ``preserved`` None when the memory map could not be read;
    ``faithful`` False when the input is known to differ from what the next kernel gets (debugfs files are cut and stale);
    ``scratch`` None when the array is not known, else [(start, size)] with empty entries kept.
    """

    __slots__ = (
        "claims", "compatible", "environment", "faithful", "fdt", "fdt_pa", "layout", "luo", "memory", "memory_map_pa", "metadata",
        "preserved", "problems", "regions", "registry", "scratch", "scratch_pa", "source", "state", "subtrees",
    )  # fmt: skip

    def __init__(self, source: str, memory: PhysMemory | None, environment: Environment, registry: Registry, claims: Claims) -> None:
        self.source = source
        self.memory = memory
        self.environment = environment
        self.registry = registry
        self.claims = claims
        self.faithful = True
        self.fdt: Fdt | None = None
        self.fdt_pa: int | None = None
        self.compatible = ""
        self.layout: Layout | None = None
        self.memory_map_pa: int | None = None
        self.preserved: PreservedPages | None = None
        self.scratch: list[tuple[int, int]] | None = None
        self.scratch_pa: int | None = None
        self.subtrees: list[Subtree] = []
        self.metadata: Metadata | None = None
        self.luo: Luo | None = None
        self.regions: list[Region] = []
        self.state: State | None = None
        self.problems: list[Problem] = []

    @property
    def files(self) -> list[PreservedFile]:
        """Every preserved file, session after session."""
        return [file for session in self.luo.sessions for file in session.files] if self.luo is not None else []

    def subtree(self, name: str) -> Subtree | None:
        """The subtree called ``name``."""
        return next((subtree for subtree in self.subtrees if subtree.name == name), None)
