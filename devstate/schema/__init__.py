# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The language schemas are written in: a closed vocabulary on top of construct. See docs/schemas.md for a tour.

A schema file says ``from devstate.schema import *`` names and nothing else of devstate.
"""

from devstate.finding import Reaction
from devstate.schema.aggregates import Array, FlexArray, Struct, Union
from devstate.schema.base import About, Field, Type
from devstate.schema.converter import Choose, Converter
from devstate.schema.expression import PAGE_SIZE, this
from devstate.schema.links import (
    BlockChain,
    Chunks,
    Contiguous,
    Counted,
    Handle,
    KernelPointer,
    One,
    Opaque,
    PageChain,
    Phys,
    Radix,
    Target,
    Token,
    Tree,
    VmallocArray,
)
from devstate.schema.node import Node, Property, prop
from devstate.schema.scalars import (
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    Bits,
    Chars,
    Const,
    Enum,
    Flags,
    Int,
    MustBeZero,
    Raw,
    Reserved,
    U16be,
    U16le,
    U32be,
    U32le,
    U64be,
    U64le,
)
from devstate.schema.schema import Schema
from devstate.schema.versions import Versions

__all__ = [
    "PAGE_SIZE", "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64", "About", "Array", "Bits", "BlockChain", "Chars", "Choose",
    "Chunks", "Const", "Contiguous", "Converter", "Counted", "Enum", "Field", "Flags", "FlexArray", "Handle", "Int", "KernelPointer",
    "MustBeZero", "Node", "One", "Opaque", "PageChain", "Phys", "Property", "Radix", "Raw", "Reaction", "Reserved", "Schema", "Struct",
    "Target", "Token", "Tree", "Type", "U16be", "U16le", "U32be", "U32le", "U64be", "U64le", "Union", "Versions", "VmallocArray",
    "prop", "this",
]  # fmt: skip
