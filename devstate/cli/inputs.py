# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The arguments that all verbs share which read a handover, and from them to the open Handover."""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.layout.model import PAGE_SIZES, Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.handover.model import Handover
    from devstate.layout.registry import Registry

_SUFFIXES = {"k": 10, "m": 20, "g": 30, "t": 40}


def number(text: str) -> int:
    """A number on the command line: decimal, 0x..., with K, M, G, T for powers of 1024. ValueError otherwise."""
    shift = _SUFFIXES.get(text[-1:].lower(), 0)
    value = int(text[:-1] if shift else text, 0)
    if value < 0 or value << shift >= 1 << 64:
        raise ValueError("not a 64-bit number")
    return value << shift


def add_inputs(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare one positional argument for each name and the options that say how to read them."""
    for name in names:
        parser.add_argument(
            name.lower(), metavar=name, help="ELF core, raw image with --base, debugfs directory or FDT; .zst of these; - is standard input"
        )
    group = parser.add_argument_group("how to read it")
    group.add_argument("--base", metavar="PA", type=number, help="it is a raw memory image that starts at this physical address")
    group.add_argument("--fdt", metavar="PA", type=number, help="physical address of KHO's root FDT; found by itself otherwise")
    group.add_argument("--partial", action="store_true", help="read what is there of a file that was cut short")
    add_environment(group)


def add_environment(parser: argparse._ActionsContainer) -> None:
    """Declare the options for the kernel's environment and for the user's own schemas."""
    sizes = ", ".join(map(str, PAGE_SIZES))
    parser.add_argument("--page-size", metavar="BYTES", type=number, help=f"page size of the kernel that wrote it: {sizes}")
    parser.add_argument("--byte-order", choices=("little", "big"), help="byte order of that kernel, where the input does not say")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="your own schemas: a file, a package or a baseline")


def open_registry(paths: list[str]) -> Registry:
    """The shipped formats and those in ``paths``. UsageError, DecodeError or SchemaError when these cannot be loaded."""
    from devstate.layout.registry import Registry

    registry = Registry.shipped()
    if not paths:
        return registry
    from devstate.layout.compiling import add_user_schemas

    registry = registry.copy()
    for path in paths:
        if path.endswith(".json"):
            from devstate.cli.sources import add_baseline

            add_baseline(registry, path)
        else:
            add_user_schemas(registry, path)
    return registry


def open_environment(arguments: argparse.Namespace) -> Environment:
    """The environment that the options name; little-endian with 4K pages by default. UsageError for a size that no kernel has."""
    size = arguments.page_size or PAGE_SIZES[0]
    if size not in PAGE_SIZES:
        raise UsageError(f"the page size is one of {', '.join(map(str, PAGE_SIZES))}, not {size}")
    return Environment(size, arguments.byte_order or "little")


def open_given(arguments: argparse.Namespace, path: str, registry: Registry | None = None) -> Handover:
    """The handover in the input ``path``, read as the options say. Errors as open_input() and open_handover()."""
    from devstate.handover.open import open_handover
    from devstate.memory.open import open_input

    source = open_input(path, base=arguments.base, partial=arguments.partial, byteorder=arguments.byte_order or "little")
    return open_handover(
        source, fdt=arguments.fdt, page_size=arguments.page_size, registry=registry or open_registry(arguments.schemas)
    )
