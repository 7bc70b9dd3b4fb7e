# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The record space of convert: from the spec of a handover to the spec that another kernel's forms have room for, and what that loses.

Records of files and of clients go through the converters of their formats, value by value. What a form as a whole has no place for is
dropped when a converter on the way declares it (``flbs``, ``subtrees``), or when the other kernel has nothing that reads the place; all
of it is a :class:`Dropped`.
"""

from __future__ import annotations

from devstate.codec.convert import chain_of, convert_record
from devstate.codec.decode import decode
from devstate.codec.record import Record
from devstate.codec.tagged import decode_tagged
from devstate.errors import EncodeError, LocatedError
from devstate.frozen import frozen, replace
from devstate.handover.build import METADATA
from devstate.handover.rebuild import other_fields
from devstate.handover.root import FDT_MAGIC
from devstate.layout.model import NodeLayout
from devstate.layout.release import parse_release, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devstate.codec.convert import Converted
    from devstate.codec.tagged import Tagged
    from devstate.handover.model import Handover, PreservedFile
    from devstate.handover.spec import FileSpec, Forms, SessionSpec, Spec, SubtreeSpec


@frozen
class Dropped:
    """Something that the other form has no place for: where it is in the handover, what, its value as text, and why."""

    path: str
    what: str
    value: str
    why: str


class Carrying:
    """One run: from ``given`` to ``spec``, which is in ``forms``. ``own`` are target formats of files and clients by the one they have.

    ``dropped`` is what was lost, ``notes`` what is said anew, ``moved`` the paths of files whose records are made anew. EncodeError, with
    the path, for a value that cannot be carried at all.
    """

    def __init__(self, handover: Handover, given: Spec, forms: Forms, own: Mapping[str, str]) -> None:
        self.handover = handover
        self.registry = handover.registry
        self.given = given
        self.own = own
        self.dropped: list[Dropped] = []
        self.notes: list[str] = []
        self.moved: set[str] = set()
        self.forms = forms if given.forms.luo is not None else replace(forms, luo=None, memfd=None)
        self.spec = replace(given, forms=replace(self.forms, release=self.release()))
        self.luo()
        self.spec = replace(self.spec, subtrees=tuple(each for each in map(self.subtree, given.subtrees) if each is not None))

    def release(self) -> str | None:
        """What the metadata says of the writer: as it was, unless such a kernel does not write these forms."""
        was, forms = self.given.forms.release, self.forms
        if was is None:
            return None
        if forms.release is None:
            why = f"no {METADATA} beside {forms.kho}"
            self.dropped.append(Dropped(METADATA, "previous_release", repr(was), why))
            self.dropped.append(Dropped(METADATA, "kexec_count", str(self.given.kexec_count), why))
            return None
        release, names = parse_release(was), [name for name in (forms.kho, forms.luo) if name is not None]
        if forms.release == was or (release and all(writes(self.registry.summaries[name], release) for name in names)):
            return was
        self.notes.append(f"{METADATA}: previous_release {was!r} becomes {forms.release!r}, whose forms these are")
        return forms.release

    def luo(self) -> None:
        """Sessions, files and FLBs."""
        was, now, flbs = self.given.forms.luo, self.forms.luo, self.given.flbs
        if was is None:
            return
        if now is None:
            self.dropped += _without_luo(self.given, f"no LUO beside {self.forms.kho}")
            self.spec = replace(self.spec, sessions=(), flbs=(), liveupdate_num=0)
            return
        if flbs and self.loses(was, now, "flbs"):
            self.dropped += [Dropped(f"luo/flb/{flb.name}", "flbs", f"{flb.data:#x}", f"{now} has no FLBs") for flb in flbs]
            self.spec = replace(self.spec, flbs=())
        self.spec = replace(self.spec, sessions=tuple(self.session(at, each) for at, each in enumerate(self.given.sessions)))

    def loses(self, was: str, now: str, what: str) -> bool:
        """Whether some converter on the way declares to lose it."""
        return any(what in step.loses for step in chain_of(self.registry, was, now))

    def session(self, at: int, session: SessionSpec) -> SessionSpec:
        """The session with its files converted."""
        assert self.handover.luo is not None  # there are sessions
        files = zip(session.files, self.handover.luo.sessions[at].files, strict=True)
        return replace(session, files=tuple(self.file(*pair) for pair in files))

    def file(self, spec: FileSpec, file: PreservedFile) -> FileSpec:
        """A file of its format: what is built of parts takes the values, any other kind gets the record as it is then."""
        target = self.forms.memfd if spec.handler is None else self.own.get(file.format or "")
        if target is None or file.format is None or target == file.format:
            return spec
        if file.body is None:
            message = f"its record, of the format {file.format}, is not there"
            raise EncodeError(message, source=self.handover.source, pa=file.data_pa, path=file.path)
        made = self.converted(file.format, target, file.body, file.path)
        if spec.handler is None and isinstance(made.record, Record):
            values = {name: getattr(made.record, name, 0) for name in ("size", "pos", "seals")}
            return replace(spec, **values, fields=other_fields(made.record))
        self.moved.add(file.path)
        return replace(spec, handler=made.layout.compatible or file.compatible, record=made.data)

    def converted(self, source: str, target: str, record: Record | Tagged, path: str) -> Converted:
        """The record in the other format; what that loses is noted."""
        try:
            made = convert_record(self.registry, source, target, record, self.handover.environment)
        except LocatedError as error:
            raise error.at(source=self.handover.source, path=path) from None
        for step, loss in made.losses:
            self.dropped.append(Dropped(path, loss.path, _shown(loss.value), f"{step.target} does not keep it"))
        return made

    def subtree(self, subtree: SubtreeSpec) -> SubtreeSpec | None:
        """A client of one's own: its blob in the other format, where one is asked for; None when the root cannot lead to it."""
        opened = self.handover.subtree(subtree.name)
        target = self.own.get(opened.format or "") if opened is not None else None
        if opened is not None and opened.layout is not None and target is not None:
            if not isinstance(opened.layout.root, str):
                raise EncodeError(f"{opened.format} is a devicetree of a client's own", source=self.handover.source, path=subtree.name)
            tagged = opened.layout.encoding == "tagged"
            record = decode_tagged(opened.layout, subtree.blob) if tagged else decode(opened.layout, subtree.blob)
            made = self.converted(opened.layout.name, target, record, subtree.name)
            self.moved.add(subtree.name)
            subtree = replace(subtree, blob=made.data, order=None)
        return subtree if self.is_reached(subtree) else None

    def is_reached(self, subtree: SubtreeSpec) -> bool:
        """Whether the root's form can lead to this blob: one without sizes needs blobs that say how long they are."""
        kho, registry = self.forms.kho, self.registry
        root = registry.layout(kho, self.handover.environment).root
        assert isinstance(root, NodeLayout)  # it is built from
        names = [prop.name for prop in root.children[0].properties]
        sizes = [registry.summaries[name].size for name in registry.found_by(f"KHO subtree {subtree.name}")]
        if "blob-size" in names or subtree.blob[:4] == FDT_MAGIC or (any(sizes) and "fdt" not in names):
            return True
        why = f"a blob of {kho} is a devicetree" if "fdt" in names else f"{kho} does not say how long a blob is"
        if not self.loses(self.given.forms.kho, kho, "subtrees"):
            raise EncodeError(why, source=self.handover.source, path=subtree.name)
        self.dropped.append(Dropped(subtree.name, "subtrees", f"{len(subtree.blob)} bytes", why))
        return False


def _without_luo(spec: Spec, why: str) -> Iterator[Dropped]:
    yield Dropped("luo", "liveupdate_num", str(spec.liveupdate_num), why)
    yield from (Dropped(f"luo/session/{each.name}", "sessions", f"{len(each.files)} files", why) for each in spec.sessions)
    yield from (Dropped(f"luo/flb/{each.name}", "flbs", f"{each.data:#x}", why) for each in spec.flbs)


def _shown(value: object) -> str:
    return hex(value) if isinstance(value, int) else repr(value)
