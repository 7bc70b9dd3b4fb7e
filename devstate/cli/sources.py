# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From a word on the command line to what it declares: what ``devstate.source.opening`` opens, and ``shipped``, which is all we know."""

from __future__ import annotations

from devstate.layout.declared import Declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from devstate.layout.model import Environment
    from devstate.layout.registry import Registry

SHIPPED = "shipped"
"""The word for every format of the registry."""

BASELINE_MAX = 16 << 20
"""Bytes of one baseline: a hundred times the largest that is shipped."""


def add_headers(parser: argparse._ActionsContainer) -> None:
    """Declare the options for C headers."""
    parser.add_argument("--include", metavar="PATH", action="append", default=[], help="where headers are looked up; a module's vmlinux")
    parser.add_argument("--define", metavar="NAME=VALUE", action="append", default=[], help="a macro for C headers")


def open_source(
    word: str,
    environment: Environment,
    registry: Registry,
    type_name: str | None = None,
    *,
    include: Sequence[str] = (),
    define: Sequence[str] = (),
) -> Declared:
    """What ``word`` declares in ``environment``; a struct that a source does not have is missing evidence. Errors as open_layouts()."""
    if word == SHIPPED:
        return Declared(word, "baselines", environment, tuple(registry.layout(name, environment) for name in registry.summaries))
    from devstate.errors import NoSuchTypeError
    from devstate.source.opening import open_layouts

    try:
        return open_layouts(word, environment, type_name=type_name, registry=registry, include=tuple(include), defines=tuple(define))
    except NoSuchTypeError as error:
        return Declared(word, "object", environment, (), (), (str(error),))


def open_in_all(
    word: str,
    environments: list[Environment],
    registry: Registry,
    type_name: str | None = None,
    *,
    include: Sequence[str] = (),
    define: Sequence[str] = (),
) -> list[Declared]:
    """What a source declares in each environment; of what was built, only in its own (see :func:`paired`)."""
    from devstate.compat.examine import BUILT

    settings = {"include": include, "define": define}
    found = [open_source(word, environments[0], registry, type_name, **settings)]
    for environment in environments[1:] if found[0].kind not in BUILT else []:
        found.append(open_source(word, environment, registry, type_name, **settings))
    return found


def sides_of(
    words: tuple[str, str], environments: tuple[Environment, ...], open_word: Callable[[str, tuple[Environment, ...]], list[Declared]]
) -> list[tuple[Declared, Declared]]:
    """Both sides of each environment that they have in common.

    What was built has a byte order of its own, a kernel a page size too: the other side is read for these. UsageError when one page size
    was asked for, and a kernel was built for another.
    """
    from devstate.compat.examine import BUILT
    from devstate.errors import UsageError

    sides = [open_word(word, environments) for word in words]
    for here, there in ((0, 1), (1, 0)):
        own = sides[here][0].environment
        if sides[here][0].kind not in BUILT:
            continue
        if len(environments) == 1 and own.page_size != environments[0].page_size:
            raise UsageError(f"{words[here]} was built for pages of {own.page_size} bytes, not {environments[0].page_size}")
        if sides[there][0].kind not in BUILT and own != environments[0]:
            sides[there] = open_word(words[there], (own,))
    return paired(*sides)


def paired(old: list[Declared], new: list[Declared]) -> list[tuple[Declared, Declared]]:
    """Both sides of each environment that they have in common: what was built was built for one page size."""
    return list(zip(old, new, strict=False))


def add_baseline(registry: Registry, path: str) -> None:
    """Take the layouts of one baseline file into ``registry``. UsageError or DecodeError when it is none."""
    from devstate.errors import DecodeError, UsageError
    from devstate.layout.baseline import layouts_of_baseline

    try:
        with open(path, "rb") as file:
            layouts = layouts_of_baseline(file.read(BASELINE_MAX + 1), path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if not layouts:
        raise DecodeError("no layout is in there", source=path, expected="a baseline")
    registry.add_layouts(layouts)
