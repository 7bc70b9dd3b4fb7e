# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every place of a handover where something can be wrong: each field of each record that was reached, with its class.

========  ==================================================================================================================
class     what stands there
========  ==================================================================================================================
header    a word of a devicetree's header
property  a whole property of a devicetree, its head included
link      a physical address, or a handle
pfn       the page frame number of a folio
count     a number of entries that another field leads to
number    any other number
flags     bits with names
text      a string of fixed length
reserved  what the writer leaves zero, padding included
raw       bytes of which no more is known
sum       a crc32c, or the fingerprint of an embedded layout
bit       one bit of the memory map: of memory that is needed, of memory that is not there, of scratch, of another order
========  ==================================================================================================================

Long arrays (folios, page lists, pages of the map) are sampled: ``pick(n)`` says which of ``n`` are looked at.
"""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.fdt.header import HEADER_SIZE
from devstate.fdt.structure import PROPERTY_HEAD
from devstate.frozen import frozen
from devstate.layout.model import ArrayType, BytesType, IntType, NodeLayout, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from devstate.fdt.model import Fdt
    from devstate.handover.model import Handover, PreservedFile
    from devstate.handover.spots_state import Seal
    from devstate.layout.model import FieldLayout, Layout, TargetLayout, TypeLayout

CLASSES = ("header", "property", "link", "pfn", "count", "number", "flags", "text", "reserved", "raw", "sum", "bit")

BLOCK_HEADER = "kho_block_header_ser"
LIST_PAGE = "kho_vmalloc_chunk"
SCRATCH = "kho_scratch"
SCRATCH_ENTRY = 16
STATE = "devstate"


@frozen
class Spot:
    """``size`` bytes at ``pa``. ``order`` is their byte order; ``shift`` and ``width`` (bits) where a bit-field or bit is inside them.

    ``known`` are the bits that have a name, ``peers`` addresses of the same field in the neighbours. ``what`` is one of CLASSES. ``seals``
    are the sums around it, innermost first.
    """

    pa: int
    size: int
    path: str
    what: str
    order: str
    shift: int = 0
    width: int | None = None
    known: int = 0
    peers: tuple[int, ...] = ()
    seals: tuple[Seal, ...] = ()


def ends(count: int) -> Iterable[int]:
    """The first and the last of an array."""
    return sorted({0, count - 1}) if count else ()


def spots(handover: Handover, pick: Callable[[int], Iterable[int]]) -> Iterator[Spot]:
    """The places, in the order of the walk."""
    if handover.memory is None:
        return
    if handover.fdt is not None and handover.fdt_pa is not None:
        yield from tree_spots(handover, handover.fdt, handover.fdt_pa, "/", handover.layout)
    for subtree in handover.subtrees:
        if subtree.pa is None or subtree.blob is None:
            continue
        if subtree.fdt is not None:
            yield from tree_spots(handover, subtree.fdt, subtree.pa, subtree.path, subtree.layout)
        elif subtree.layout is not None and not isinstance(subtree.layout.root, NodeLayout):
            yield from record_spots(subtree.layout, subtree.layout.root, subtree.pa, subtree.path)
        elif len(subtree.blob):
            yield Spot(subtree.pa, min(8, len(subtree.blob)), subtree.path, "raw", _order(handover))
        if handover.state is not None and subtree.name == STATE:
            from devstate.handover.spots_state import state_spots

            yield from state_spots(handover, subtree, pick)
    yield from _luo(handover)
    for file in handover.files:
        yield from _file(handover, file, pick)
    if handover.layout is not None and handover.scratch_pa is not None:
        for at in range(len(handover.scratch or ())):
            yield from record_spots(handover.layout, SCRATCH, handover.scratch_pa + at * SCRATCH_ENTRY, f"scratch[{at}]")
    yield from _map(handover, pick)


def _order(handover: Handover) -> str:
    return handover.environment.byte_order


def tree_spots(handover: Handover, fdt: Fdt, pa: int, path: str, layout: Layout | None) -> Iterator[Spot]:
    """Header words and properties of a devicetree."""
    for at in range(0, min(HEADER_SIZE, len(fdt.blob or b"")), 4):
        yield Spot(pa + at, 4, f"{path}@{at:#x}", "header", "big")
    fields = _fields_of(layout)
    for name, node in fdt.walk():
        for key in node.properties:
            prop = node.property(key)
            if prop is None or prop.offset is None:
                continue
            place = f"{path.rstrip('/')}{name if name != '/' else ''}.{key}"
            field, size = fields.get(key), len(prop.value)
            yield Spot(pa + prop.offset - PROPERTY_HEAD, PROPERTY_HEAD + size + -size % 4, place, "property", "big")
            if key == "compatible" and size:
                yield Spot(pa + prop.offset, size, place, "text", "big")
            elif size in (1, 2, 4, 8) and (field is None or not isinstance(field.type, ArrayType)):
                yield Spot(pa + prop.offset, size, place, _class(field, set()) if field is not None else "number", _order(handover))


def _fields_of(layout: Layout | None) -> dict[str, FieldLayout]:
    """The properties of every node that the layout declares, by name."""
    nodes = [layout.root] if layout is not None and isinstance(layout.root, NodeLayout) else []
    for node in nodes:
        nodes.extend(node.children)
    return {field.name: field for node in nodes for field in node.properties}


def record_spots(
    layout: Layout,
    struct: str,
    pa: int,
    path: str,
    peers: Iterable[int] = (),
    pick: Callable[[int], Iterable[int]] = ends,
    size: int | None = None,
) -> Iterator[Spot]:
    """The fields of one record, those of structs and of picked elements of arrays inside it too. ``peers`` are addresses of other records
    of the kind. ``size`` is that of a record with a flexible array, which is left out without it.
    """
    shift = tuple(peer - pa for peer in peers if peer != pa)
    order = layout.environment.byte_order
    pending = [(struct, pa, path)]
    while pending:
        name, at, prefix = pending.pop()
        shape = layout.struct(name)
        counters = _counters(layout, name)
        for field in shape.fields:
            place, here = f"{prefix}.{field.name}", at + field.offset
            left = None if size is None else pa + size - here
            for kind, length, where, name_ in _elements(field.type, field.size, here, place, pick, left):
                if isinstance(kind, StructType):
                    pending.append((kind.struct, where, name_))
                elif length:
                    own = kind.order if isinstance(kind, IntType) else "native"
                    native = order if own == "native" else own
                    others = tuple(where + each for each in shift)
                    bits = field.shift or 0, field.width, field.known_bits
                    yield Spot(where, length, name_, _class(field, counters, kind), native, *bits, others)


def _elements(
    kind: TypeLayout, size: int, at: int, path: str, pick: Callable[[int], Iterable[int]], left: int | None
) -> Iterator[tuple[TypeLayout, int, int, str]]:
    """(type, bytes, address, path) of a field that is no array, or of the picked elements of one. ``left`` are the bytes up to the end."""
    pending = [(kind, size, at, path)]
    while pending:
        each, length, here, name = pending.pop()
        if not isinstance(each, ArrayType):
            yield each, length, here, name
            continue
        count = each.count if each.count is not None else (left or 0) // each.stride
        pending += [(each.element, each.stride, here + number * each.stride, f"{name}[{number}]") for number in pick(count)][::-1]


def _counters(layout: Layout, struct: str) -> set[str | None]:
    """The fields of a struct that count what another one leads to."""
    fields = layout.struct(struct).fields
    found = {field.target.count for field in fields if field.target is not None}
    return found | {field.type.counted_by for field in fields if isinstance(field.type, ArrayType)}


def _class(field: FieldLayout, counters: set[str | None], kind: TypeLayout | None = None) -> str:
    kind = field.type if kind is None else kind
    if isinstance(kind, BytesType):
        return "text" if kind.text else "reserved" if kind.reserved or field.gap else "raw"
    if field.must is not None or field.gap:
        return "reserved"
    if field.name == "pfn" and field.width is not None:
        return "pfn"
    if field.target is not None or field.hint == "pa":
        return "link"
    if field.kind == "flags":
        return "flags"
    if field.name in counters or field.name == "count":
        return "count"
    return "number" if isinstance(kind, IntType) else "raw"


def _luo(handover: Handover) -> Iterator[Spot]:
    luo = handover.luo
    if luo is None:
        return
    layout = handover.registry.layout(luo.format, handover.environment)
    subtree = handover.subtree("LUO")
    if luo.record is not None and luo.pa is not None and subtree is not None and subtree.pa != luo.pa:
        yield from record_spots(layout, luo.record.layout.name, luo.pa, "luo")
    sessions = [session.pa for session in luo.sessions]
    for session in luo.sessions:
        yield from record_spots(layout, session.record.layout.name, session.pa, session.path, sessions[:2])
        files = [file.pa for file in session.files]
        for file in session.files:
            yield from record_spots(layout, file.record.layout.name, file.pa, file.path, files[:2])
    flbs = [flb.pa for flb in luo.flbs]
    for flb in luo.flbs:
        yield from record_spots(layout, flb.record.layout.name, flb.pa, flb.path, flbs[:2])
    yield from _areas(handover, layout)


def _areas(handover: Handover, layout: Layout) -> Iterator[Spot]:
    """The heads of blocks and areas: how many entries, and where the next one is."""
    targets = _targets(layout)
    kinds = {"luo/flb": targets.get("luo_flb_ser"), "luo/session": targets.get("luo_session_ser")}
    for claim in handover.claims.items:
        if claim.what != "block":
            continue
        target = kinds.get(claim.path) if claim.path in kinds else targets.get("luo_file_ser")
        if target is not None and target[0].kind == "blocks":
            head = handover.registry.find(BLOCK_HEADER, handover.environment)
            yield from record_spots(head, head.struct().name, claim.start, f"{claim.path}@block")
        elif target is not None and target[0].kind == "counted" and isinstance(target[0].element, StructType):
            yield from record_spots(layout, target[0].element.struct, claim.start, f"{claim.path}@area")


def _targets(layout: Layout) -> dict[str, list[TargetLayout]]:
    """The links of a layout by the struct of the entries that they lead to."""
    nodes = [layout.root] if isinstance(layout.root, NodeLayout) else []
    for node in nodes:
        nodes.extend(node.children)
    fields = [field for struct in layout.structs for field in struct.fields] + [field for node in nodes for field in node.properties]
    found: dict[str, list[TargetLayout]] = {}
    for field in fields:
        target = field.target
        if target is None or not isinstance(target.element, StructType):
            continue
        entries = layout.struct(target.element.struct).fields[-1].type if target.kind == "counted" else target.element
        element = entries.element if isinstance(entries, ArrayType) else entries
        if isinstance(element, StructType):
            found.setdefault(element.struct, []).append(target)
    return found


def _file(handover: Handover, file: PreservedFile, pick: Callable[[int], Iterable[int]]) -> Iterator[Spot]:
    """The handler's record, pages of the page list, folio records."""
    if file.layout is None or file.body is None:
        return
    yield from record_spots(file.layout, file.layout.struct().name, file.data_pa, file.path)
    if file.pages is None:
        return
    for pa in file.pages.lists:
        yield Spot(pa, 8, f"{file.path}@list.next", "link", _order(handover))
    for at in pick(len(file.pages.blocks)):
        entry = file.pages.entry_pa(at)
        if entry is not None:
            yield Spot(entry, 8, f"{file.path}@list[{at}]", "link", _order(handover))
    if not isinstance(file.folio_layout, StructType):
        return
    size = file.layout.struct(file.folio_layout.struct).size
    for at in pick(file.nr_folios or 0):
        where = [file.pages.where(each * size) for each in (at, at - 1, at + 1) if 0 <= each < (file.nr_folios or 0)]
        if where[0] is not None:
            peers = [each for each in where[1:] if each is not None]
            yield from record_spots(file.layout, file.folio_layout.struct, where[0], f"{file.path}@folio[{at}]", peers)


def _map(handover: Handover, pick: Callable[[int], Iterable[int]]) -> Iterator[Spot]:
    """Links of tree pages and chunks, and single bits."""
    preserved, memory, layout = handover.preserved, handover.memory, handover.layout
    if preserved is None or memory is None or layout is None:
        return
    page, order = handover.environment.page_size, _order(handover)
    nodes = list(preserved.map.node_pages)
    for at in pick(len(nodes)):
        if not memory.contains(nodes[at], page):
            continue
        if preserved.kind == "chunks":
            known = decode(layout, memory.read(preserved.root_pa, page), "khoser_mem_chunk")
            if nodes[at] == preserved.root_pa:
                for name in ("next", "order", "num_elms"):
                    field = known.layout.field(name)
                    what = "link" if name == "next" else "number"
                    yield Spot(nodes[at] + field.offset, field.size, f"preserved.{name}", what, order)
            continue
        words = memoryview(memory.read(nodes[at], page)).cast("Q")
        used = [number for number, word in enumerate(words) if word]
        for number in (used[each] for each in pick(len(used))):
            yield Spot(nodes[at] + number * 8, 8, f"preserved@{nodes[at]:#x}[{number}]", "link", order)
    yield from _bits(handover, pick)


def _bits(handover: Handover, pick: Callable[[int], Iterable[int]]) -> Iterator[Spot]:
    preserved = handover.preserved
    assert preserved is not None  # _map() asked
    page, order = handover.environment.page_size, _order(handover)
    claims = handover.claims.items
    wanted = [(claims[at].start, f"{claims[at].path}@bit") for at in pick(len(claims))]
    wanted += [(start, f"scratch[{at}]@bit") for at, (start, size) in enumerate(handover.scratch or ()) if size]
    wanted += [(pa - pa % page + page, f"{path}@bit+1") for pa, path in wanted]
    for pa, path in wanted:
        for each in sorted({0, *preserved.map.orders}):
            size = page << each
            place = preserved.word(pa - pa % size, each)
            if place is not None:
                yield Spot(place[0], 8, f"{path}[order {each}]", "bit", order, place[1], 1)
