# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hypothesis strategies: structs, and how they evolve. Each step says what it did; identities stay with what they were given to."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.compat.models import F, Model, lay_out

SIZES = (1, 2, 4, 8)
FIRST_NEW = 100
"""Identities of fields that a step adds."""


@st.composite
def leaves(draw: st.DrawFn, ident: int) -> F:
    """One field that is no struct."""
    name = f"f{ident}"
    kind = draw(st.sampled_from(("int", "int", "int", "bytes", "array", "reserved", "named")))
    size = draw(st.sampled_from(SIZES))
    if kind == "int":
        order = draw(st.sampled_from(("native", "native", "little", "big"))) if size > 1 else "native"
        return F(ident, name, size=size, signed=draw(st.booleans()), order=order)
    if kind == "named":
        flags = draw(st.booleans())
        numbers = draw(st.lists(st.integers(0, size * 8 - 1) if flags else st.integers(1, 100), min_size=1, max_size=3, unique=True))
        return F(ident, name, size=size, flags=flags, names=tuple((_word(ident, index), number) for index, number in enumerate(numbers)))
    if kind == "array":
        return F(ident, name, "array", size=draw(st.sampled_from((2, 4))), count=draw(st.integers(2, 4)))
    count = draw(st.integers(2, 9))
    return F(ident, name, "bytes", count=count) if kind == "bytes" else F(ident, f"reserved{ident}", "reserved", count=count)


def _word(ident: int, index: int) -> str:
    """A name that is not like any other."""
    return "".join(chr(ord("A") + (ident * 7 + index * 5 + place * (ident + 3 * index + 1)) % 23) for place in range(8))


@st.composite
def fields(draw: st.DrawFn, first: int, most: int = 5) -> tuple[F, ...]:
    """Some fields; now and then a unit of bit-fields among them."""
    made: list[F] = []
    ident = first
    for _ in range(draw(st.integers(1, most))):
        if draw(st.integers(0, 5)) == 0:
            size = draw(st.sampled_from(SIZES))
            cuts = sorted(draw(st.sets(st.integers(1, size * 8 - 1), max_size=2)))
            for low, high in zip([0, *cuts], [*cuts, size * 8], strict=True):
                made.append(F(ident, f"b{ident}", "bits", size=size, width=high - low))
                ident += 1
            continue
        made.append(draw(leaves(ident)))
        ident += 1
    if all(field.kind == "reserved" for field in made):
        made.append(F(ident, f"f{ident}"))
    return tuple(made)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A struct, perhaps with a struct in it, rows of structs, a union with its tag, or rows without end behind it."""
    made = list(draw(fields(1)))
    packed = draw(st.booleans())
    extra = draw(st.sampled_from(("none", "none", "struct", "rows", "union", "plain-union", "flexible")))
    at = draw(st.integers(0, len(made)))
    while 0 < at < len(made) and made[at].kind == "bits":
        at -= 1  # not into a unit
    inner = draw(fields(31, 3))
    flexible = None
    if extra == "struct":
        made.insert(at, F(30, "s30", "struct", fields=inner, packed=packed))
    elif extra == "rows":
        made.insert(at, F(30, "s30", "rows", fields=inner, count=draw(st.integers(2, 3)), packed=packed))
    elif extra == "flexible":
        flexible = F(30, "s30", "rows", fields=inner, packed=packed)
        packed = True
    elif extra != "none":
        sizes = draw(st.lists(st.sampled_from(SIZES), min_size=2, max_size=3))
        arms = tuple(F(41 + index, f"a{41 + index}", size=size) for index, size in enumerate(sizes))
        tagged = extra == "union"
        tags = tuple(range(11, 11 + len(arms))) if tagged else ()
        made.insert(at, F(40, "u40", "union", fields=arms, tags=tags, tag=39 if tagged else None))
        if tagged:
            made.insert(0, F(39, "tag", size=4))
    return Model(tuple(made), packed, flexible)


# ---- steps: each takes a model and gives another, or None where it does not apply ----


def _at(draw: st.DrawFn, model: Model, *kinds: str) -> int | None:
    fits = [index for index, field in enumerate(model.fields) if field.kind in kinds]
    return draw(st.sampled_from(fits)) if fits else None


def _whole(model: Model, at: int) -> int:
    """The place itself, or the start of the unit of bit-fields that it is in."""
    while 0 < at < len(model.fields) and model.fields[at].kind == "bits":
        at -= 1
    return at


def _with(model: Model, made: tuple[F, ...]) -> Model:
    return Model(made, model.packed, model.flexible)


def insert(draw: st.DrawFn, model: Model) -> Model | None:
    """A new field before one that is there."""
    at = _whole(model, draw(st.integers(0, len(model.fields) - 1)))
    return _with(model, (*model.fields[:at], draw(leaves(FIRST_NEW)), *model.fields[at:]))


def append(draw: st.DrawFn, model: Model) -> Model | None:
    """A new field at the end."""
    return _with(model, (*model.fields, draw(leaves(FIRST_NEW))))


def remove(draw: st.DrawFn, model: Model) -> Model | None:
    """A field goes; of bit-fields, none does (their unit stays full)."""
    at = _at(draw, model, "int", "bytes", "array", "struct", "rows", "reserved")
    if at is None or len(model.fields) < 2 or model.fields[at].ident == 39:
        return None
    return _with(model, model.fields[:at] + model.fields[at + 1 :])


def move(draw: st.DrawFn, model: Model) -> Model | None:
    """A field goes elsewhere."""
    at = _at(draw, model, "int", "bytes", "array")
    if at is None or len(model.fields) < 2:
        return None
    rest = model.fields[:at] + model.fields[at + 1 :]
    to = _whole(_with(model, rest), draw(st.integers(0, len(rest))))
    return _with(model, (*rest[:to], model.fields[at], *rest[to:]))


def resize(draw: st.DrawFn, model: Model) -> Model | None:
    """An integer of another size."""
    at = _at(draw, model, "int")
    if at is None or model.fields[at].names or model.fields[at].ident == 39:
        return None
    other = model.fields[at].but(size=draw(st.sampled_from([size for size in SIZES if size != model.fields[at].size])), order="native")
    return _with(model, (*model.fields[:at], other, *model.fields[at + 1 :]))


def retype(draw: st.DrawFn, model: Model) -> Model | None:
    """An integer with another sign or byte order, or raw bytes instead."""
    at = _at(draw, model, "int")
    if at is None or model.fields[at].names or model.fields[at].ident == 39:
        return None
    field = model.fields[at]
    orders = [order for order in ("little", "big") if field.size > 1]
    other = draw(st.sampled_from([field.but(signed=not field.signed), *(field.but(order=order) for order in orders)]))
    if field.size > 1 and draw(st.integers(0, 3)) == 0:
        other = F(field.ident, field.name, "bytes", count=field.size)
    return _with(model, (*model.fields[:at], other, *model.fields[at + 1 :]))


def rename(draw: st.DrawFn, model: Model) -> Model | None:
    """Another name for the same field."""
    at = draw(st.integers(0, len(model.fields) - 1))
    field = model.fields[at]
    name = f"reserved9{at}" if field.kind == "reserved" else f"named{at}"
    return _with(model, (*model.fields[:at], field.but(name=name), *model.fields[at + 1 :]))


def use_reserve(draw: st.DrawFn, model: Model) -> Model | None:
    """Reserved bytes become a field, and what is left of them."""
    at = _at(draw, model, "reserved")
    if at is None or not model.packed:
        return None
    room = model.fields[at].count
    size = draw(st.sampled_from([size for size in SIZES if size <= room]))
    rest = (model.fields[at].but(count=room - size),) if room > size else ()
    return _with(model, (*model.fields[:at], F(FIRST_NEW, "used", size=size), *rest, *model.fields[at + 1 :]))


def relength(draw: st.DrawFn, model: Model) -> Model | None:
    """An array or raw bytes of another length."""
    at = _at(draw, model, "array", "bytes", "rows", "reserved")
    if at is None:
        return None
    field = model.fields[at]
    count = draw(st.integers(2, 10).filter(lambda each: each != field.count))
    return _with(model, (*model.fields[:at], field.but(count=count), *model.fields[at + 1 :]))


def restride(draw: st.DrawFn, model: Model) -> Model | None:
    """A struct inside (embedded, in rows, or behind the end) gets a field, or loses its last one."""
    at = _at(draw, model, "struct", "rows")
    whole = model.flexible if at is None else model.fields[at]
    if whole is None:
        return None
    grow = draw(st.booleans()) or len(whole.fields) < 2 or whole.fields[-1].kind == "bits"
    inner = (*whole.fields, draw(leaves(FIRST_NEW))) if grow else whole.fields[:-1]
    changed = whole.but(fields=inner)
    if all(field.kind == "reserved" for field in inner):
        return None
    if at is None:
        return Model(model.fields, model.packed, changed)
    return _with(model, (*model.fields[:at], changed, *model.fields[at + 1 :]))


def rebits(draw: st.DrawFn, model: Model) -> Model | None:
    """The border between two bit-fields of one unit moves."""
    pairs = [
        index
        for index, ((one, first, before), (other, second, _)) in enumerate(
            zip(lay_out(model.fields, model.packed)[0], lay_out(model.fields, model.packed)[0][1:], strict=False)
        )
        if one.kind == other.kind == "bits" and first == second and before + one.width < one.size * 8
    ]
    if not pairs:
        return None
    at = draw(st.sampled_from(pairs))
    one, other = model.fields[at], model.fields[at + 1]
    width = draw(st.integers(1, one.width + other.width - 1).filter(lambda each: each != one.width))
    changed = (one.but(width=width), other.but(width=one.width + other.width - width))
    return _with(model, (*model.fields[:at], *changed, *model.fields[at + 2 :]))


def rearm(draw: st.DrawFn, model: Model) -> Model | None:
    """An arm comes or goes, or two arms change places."""
    at = _at(draw, model, "union")
    if at is None:
        return None
    union = model.fields[at]
    how = draw(st.sampled_from(("add", "remove", "swap")))
    arms, tags = union.fields, union.tags
    if how == "add":
        arms = (*arms, F(FIRST_NEW, "arm100", size=draw(st.sampled_from(SIZES))))
        tags = (*tags, 99) if tags else ()
    elif how == "remove" and len(arms) > 1:
        arms, tags = arms[:-1], tags[:-1]
    elif len(tags) > 1:
        tags = (tags[1], tags[0], *tags[2:])
    else:
        return None
    return _with(model, (*model.fields[:at], union.but(fields=arms, tags=tags), *model.fields[at + 1 :]))


def revalue(draw: st.DrawFn, model: Model) -> Model | None:
    """A name of a value or bit comes, goes, or stands for another number."""
    fits = [index for index, field in enumerate(model.fields) if field.names]
    if not fits:
        return None
    at = draw(st.sampled_from(fits))
    field = model.fields[at]
    how = draw(st.sampled_from(("add", "remove", "renumber")))
    free = [number for number in (range(field.size * 8) if field.flags else range(1, 120)) if number not in dict(field.names).values()]
    if how != "remove" and not free:
        return None
    if how == "add":
        names = (*field.names, ("ZZTOPQRS", draw(st.sampled_from(free))))
    elif how == "remove":
        names = field.names[:-1]
    else:
        names = ((field.names[0][0], draw(st.sampled_from(free))), *field.names[1:])
    return None if not names else _with(model, (*model.fields[:at], field.but(names=names), *model.fields[at + 1 :]))


def repack(draw: st.DrawFn, model: Model) -> Model | None:
    """__packed comes or goes."""
    return None if model.flexible is not None else Model(model.fields, not model.packed, None)


STEPS: tuple[Callable[[st.DrawFn, Model], Model | None], ...] = (
    insert, append, remove, move, resize, retype, rename, use_reserve, relength, restride, rebits, rearm, revalue, repack,
)  # fmt: skip


@st.composite
def evolutions(draw: st.DrawFn, most: int = 1) -> tuple[Model, Model, list[str]]:
    """(old, new, the names of the steps between them)."""
    old = draw(models())
    new, steps = old, []
    for _ in range(draw(st.integers(1, most))):
        step = draw(st.sampled_from(STEPS))
        made = step(draw, new)
        if made is not None and made.fields and len({field.ident for field in made.fields}) == len(made.fields):
            new, steps = made, [*steps, step.__name__]
    return old, new, steps
