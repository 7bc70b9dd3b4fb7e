# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""lower: a schema and an environment become a layout. The only reader of schemas outside ``devstate.schema``.

Lowering refuses what it does not know (SchemaError with the field path): nothing of a schema is guessed or skipped.
"""

from __future__ import annotations

from devstate.errors import SchemaError
from devstate.frozen import replace
from devstate.layout.model import (
    Arm,
    ArrayType,
    BytesType,
    Environment,
    FieldLayout,
    IntType,
    Layout,
    NodeLayout,
    StructLayout,
    StructType,
    TargetLayout,
    TypeLayout,
    UnionType,
    VersionLayout,
    walk_types,
)
from devstate.schema.aggregates import Array, FlexArray, Struct, Union, bit_shifts
from devstate.schema.base import Field, Type
from devstate.schema.expression import evaluate_size
from devstate.schema.links import Link, Radix, Target, Tree, VmallocArray
from devstate.schema.node import Node
from devstate.schema.scalars import Bits, Chars, Const, Enum, Flags, Int, Raw, Reserved, Wrapped
from devstate.schema.schema import Schema


def lower(schema: Schema, environment: Environment | None = None) -> Layout:
    """The layout of ``schema`` in ``environment`` (4 KiB pages, little endian when not given). SchemaError when it has none."""
    return _Lowering(environment or Environment()).schema(schema)


def structs_of(schema: Schema) -> dict[str, Struct]:
    """Every struct of ``schema`` by name, as declared: the root, what is embedded or linked, and ``also``."""
    lowering = _Lowering(Environment())
    lowering.schema(schema)
    return lowering.sources


def radix_depth(page_size: int, *, short: bool = False) -> int:
    """Levels of KHO's radix tree, leaf bitmaps included. Source: enum kho_radix_consts, kernel-abi of v2..v4.

    A key has 64 - PAGE_SHIFT bits below its order bit; d64b0372760e (``short=False``) counts the order bit too, which
    matters only for 16 KiB pages (4 levels before, 5 after).
    """
    page_shift = page_size.bit_length() - 1
    width = 64 - page_shift + (0 if short else 1)
    return -(-(width - (page_shift + 3)) // (page_shift - 3)) + 1


def tree_depth(page_size: int, key_width: int) -> int:
    """Levels of a kho_xarray, leaves included. Source: enum kho_xarray_consts of the posted header."""
    return -(-key_width // (page_size.bit_length() - 4))


def _check_tags(struct: StructLayout, *, tagged: bool) -> None:
    """Hold the rules of tagged maps: every field has a number of its own, and a type that msgpack has."""
    seen: set[int] = set()
    for field in struct.fields:
        path = f"{struct.name}.{field.name}"
        if field.gap:
            continue
        if (field.tag is not None) != tagged:
            raise SchemaError("each field of a tagged map has a tag" if tagged else "only fields of a tagged map have tags", path=path)
        if field.tag is None:
            continue
        if field.tag in seen:
            raise SchemaError(f"the tag {field.tag} stands twice", path=path)
        if field.target is not None or any(isinstance(kind, UnionType) for kind in walk_types(field.type)):
            raise SchemaError("a tagged map has no links and no unions: absent fields say the same", path=path)
        seen.add(field.tag)


class _Lowering:
    """One run of :func:`lower`: collects the structs that it meets, innermost first."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.page_size = environment.page_size
        self.structs: dict[str, StructLayout] = {}
        self.sources: dict[str, Struct] = {}

    def schema(self, schema: Schema) -> Layout:
        root = self.node(schema.root) if isinstance(schema.root, Node) else self.struct(schema.root, schema.name)
        for struct in schema.also:
            self.struct(struct, schema.name)
        for layout in self.structs.values():
            _check_tags(layout, tagged=schema.encoding == "tagged")
        return Layout(
            name=schema.name,
            compatible=schema.compatible,
            variant=schema.variant,
            status=schema.status,
            source=schema.source,
            doc=schema.doc,
            root=root,
            structs=tuple(self.structs.values()),
            environment=self.environment,
            replaces=schema.replaces,
            since=schema.since,
            until=schema.until,
            found_by=schema.found_by,
            carrier=schema.carrier,
            version=schema.version,
            on_mismatch=str(schema.on_mismatch),
            owner=schema.owner,
            freed=schema.freed,
            limits=tuple((name, evaluate_size(value, self.page_size)) for name, value in schema.limits.items()),
            constants=tuple((name, evaluate_size(value, self.page_size)) for name, value in schema.constants.items()),
            versions=VersionLayout(**vars(schema.versions)),
            encoding=schema.encoding,
        )

    def node(self, node: Node) -> NodeLayout:
        return NodeLayout(
            name=node.name,
            properties=tuple(self.field(field, 0, field.type.size_in(self.page_size), node.name or "/") for field in node.properties),
            compatible=node.compatible,
            children=tuple(self.node(child) for child in node.children),
            optional=node.optional,
            doc=node.doc,
        )

    def struct(self, struct: Struct, path: str) -> str:
        if self.sources.get(struct.name, struct) is not struct:
            raise SchemaError(f"two different structs are called {struct.name}", path=path)
        if struct.name in self.structs or struct.name in self.sources:
            return struct.name
        self.sources[struct.name] = struct
        fields: list[FieldLayout] = []
        for offset, size, members in struct.spans(self.page_size):
            if not members:
                fields.append(FieldLayout(f"_pad{offset}", offset, size or 0, BytesType(size or 0, reserved=True), gap=True))
            elif isinstance(members[0].type, Bits):
                fields += [
                    self.bits(field, offset, shift, f"{path}.{field.name}")
                    for field, shift in bit_shifts(members, self.environment.byte_order)
                ]
            else:
                fields.append(self.field(members[0], offset, size, f"{struct.name}.{members[0].name}"))
        self.check_siblings(struct, fields)
        size = struct.fixed_size(self.page_size)
        self.structs[struct.name] = StructLayout(
            struct.name, size, struct.align(), struct.packed, tuple(fields), struct.flexible, struct.doc
        )
        return struct.name

    @staticmethod
    def check_siblings(struct: Struct, fields: list[FieldLayout]) -> None:
        names = {field.name for field in fields}
        numbers = {field.name for field in fields if isinstance(field.type, IntType)}
        for field in fields:
            needs = [field.type.counted_by] if isinstance(field.type, ArrayType) else []
            needs += [field.type.tag] if isinstance(field.type, UnionType) else []
            needs += [field.target.count] if field.target is not None and field.target.kind != "token" else []
            for name in needs:
                if name is not None and name not in names and not name.startswith("$"):
                    raise SchemaError(f"there is no field {name!r} beside it", path=f"{struct.name}.{field.name}")
                if name in names - numbers and isinstance(field.type, ArrayType | UnionType):
                    raise SchemaError(f"the field {name!r} is no integer", path=f"{struct.name}.{field.name}")

    def bits(self, field: Field, offset: int, shift: int, path: str) -> FieldLayout:
        kind = field.type
        if not isinstance(kind, Bits):
            raise SchemaError("only bit-fields share a storage unit", path=path)
        made = self.about(field, offset, kind.base.size, IntType(kind.base.size, order=kind.base.order))
        names = tuple(kind.names.items())
        return replace(made, shift=shift, width=kind.width, names=names, kind="flags" if names else "")

    def field(self, field: Field, offset: int, size: int | None, path: str) -> FieldLayout:
        kind = field.type
        made = self.about(field, offset, size or 0, self.type(kind, path))
        if isinstance(kind, Flags):
            return replace(made, kind="flags", names=tuple(kind.bits.items()))
        if isinstance(kind, Enum):
            return replace(made, kind="enum", names=tuple(kind.names.items()))
        if isinstance(kind, Const):
            return replace(made, must=kind.value)
        if isinstance(kind, Link):
            return replace(made, target=self.target(kind.target, path))
        if isinstance(kind, VmallocArray):
            return replace(made, target=TargetLayout("vmalloc", self.type(kind.element, path), kind.count))
        return made

    def about(self, field: Field, offset: int, size: int, kind: TypeLayout) -> FieldLayout:
        about = field.about
        return FieldLayout(
            field.name,
            offset,
            size,
            kind,
            doc=about.doc,
            unit=about.unit,
            hint=about.hint or field.type.default_hint,
            minimum=about.minimum,
            maximum=about.maximum,
            phase=about.phase,
            optional=about.optional,
            default=about.default,
            tag=about.tag,
        )

    def type(self, kind: Type, path: str) -> TypeLayout:
        if isinstance(kind, Wrapped):
            return self.type(kind.base, path)
        if isinstance(kind, Int):
            return IntType(kind.size, kind.signed, kind.order)
        if isinstance(kind, Chars):
            return BytesType(kind.size_in(self.page_size), text=not isinstance(kind, Raw), reserved=isinstance(kind, Reserved))
        if isinstance(kind, VmallocArray):
            return StructType(self.struct(kind.descriptor, path))
        if isinstance(kind, Struct):
            return StructType(self.struct(kind, path))
        if isinstance(kind, Array):
            return ArrayType(
                self.type(kind.element, path), kind.element.size_in(self.page_size) or 0, evaluate_size(kind.count, self.page_size)
            )
        if isinstance(kind, FlexArray):
            return ArrayType(self.type(kind.element, path), kind.element.size_in(self.page_size) or 0, None, kind.count)
        if isinstance(kind, Union):
            arms = tuple(Arm(name, value, self.type(arm, f"{path}.{name}")) for name, (value, arm) in kind.arms.items())
            return UnionType(kind.size_in(self.page_size), arms, kind.tag)
        raise SchemaError(f"lowering does not know {type(kind).__name__}", path=path)

    def target(self, target: Target, path: str) -> TargetLayout:
        element = None if target.element is None else self.type(target.element, path)
        size = None if target.size is None else evaluate_size(target.size, self.page_size)
        depth = radix_depth(self.page_size, short=target.short) if isinstance(target, Radix) else None
        if isinstance(target, Tree):
            depth = tree_depth(self.page_size, target.key_width)
        return TargetLayout(target.kind, element, target.count, size, depth)
