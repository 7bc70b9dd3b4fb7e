# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who may import whom: the table of the design, held by reading the imports of every module. Imports inside functions count too.

Beside it: who may use ``construct``, the C extension and ``print``, and what the quick verbs may not load before they need it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BASE = {"errors", "finding", "frozen"}

MAY_IMPORT: dict[str, set[str]] = {
    "frozen": set(),
    "errors": {"frozen"},
    "finding": {"frozen"},
    "fdt": BASE,
    "memory": BASE,
    "schema": BASE,
    "layout": BASE,
    "codec": {*BASE, "layout", "memory"},
    "pagetable": {*BASE, "memory"},
    "handover": {*BASE, "fdt", "memory", "layout", "codec", "pagetable"},
    "check": {*BASE, "handover", "layout", "pagetable"},
    "compat": {*BASE, "layout"},
    "gen": {*BASE, "layout"},
    "source": {*BASE, "layout", "memory"},
    "testing": {*BASE, "layout", "compat", "source", "codec", "gen", "luo", "rehearsal"},
    "luo": {*BASE, "handover", "codec", "gen"},
    "rehearsal": {*BASE, "memory", "layout", "codec", "pagetable", "handover", "check", "compat", "luo"},
    "report": {*BASE, "layout", "codec"},
    "cli": {
        *BASE, "fdt", "memory", "schema", "layout", "codec", "pagetable", "handover", "check", "compat", "gen", "source", "luo", "report",
        "rehearsal", "devstate_schemas",
    },
    "__main__": {"cli"},
    "__init__": set(),
    "devstate_schemas": {"schema"},
}  # fmt: skip
"""What a package of devstate may import beside itself; a package that is not in here has no place in the house yet."""

ALSO: dict[str, set[str]] = {
    "devstate.layout.lower": {"schema"},
    "devstate.layout.compiling": {"schema"},
    "devstate.layout.registry": {"devstate_schemas"},
    "devstate.codec.reference": {"schema"},
}
"""Single modules that may more: schemas are lowered here, found here, and decoded by construct here."""

ONLY_IN = {
    "construct": {"devstate.schema", "devstate.layout.lower", "devstate.codec.reference"},
    "devstate._core": {"devstate.pagetable.native"},
}
"""Modules that have one door: a name, and who may import it (a package stands for all its modules)."""

MAY_PRINT = {"report", "cli", "__main__"}

QUICK = ["devstate.__main__", "devstate.cli.command", "devstate.cli.inspect", "devstate.cli.check", "devstate.pagetable.native"]
"""What a quick run starts from: nothing that these load at once may load SLOW things at once."""

SLOW = {"typing", "dataclasses", "inspect", "pathlib", "numpy", "construct", "typing_extensions"}


class Module:
    """A module's name, and what its text says about imports."""

    def __init__(self, name: str, text: str, *, is_package: bool = False) -> None:
        self.name = name
        self.tree = ast.parse(text)
        self.parent = name if is_package else name.rpartition(".")[0]

    @property
    def package(self) -> str:
        """The part of the house that it is in: the second name, or ``devstate_schemas``."""
        top, _, rest = self.name.partition(".")
        return top if top == "devstate_schemas" else rest.partition(".")[0] or "__init__"

    def imports(self, nodes: Iterator[ast.AST] | None = None) -> Iterator[tuple[int, str]]:
        """(line, full name) of everything that is imported; of ``from a import b`` both a and a.b, as b may be a module."""
        for node in ast.walk(self.tree) if nodes is None else nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    upper = self.parent.split(".")[: len(self.parent.split(".")) - node.level + 1]
                    base = ".".join([*upper, *([base] if base else [])])
                yield node.lineno, base
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def imports_at_once(self) -> set[str]:
        """What loading the module loads: not what stands in functions, nor under ``if TYPE_CHECKING``."""
        names = {name for _, name in self.imports(_loaded(self.tree.body))}
        return names | {name.partition(".")[0] for name in names}


def _loaded(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from _loaded(node.orelse)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        else:
            yield node
            for field in ("body", "orelse", "finalbody"):
                yield from _loaded(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from _loaded(handler.body)


def house() -> dict[str, Module]:
    """Every module that there is."""
    found = {}
    for top in ("devstate", "devstate_schemas"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = [top, *path.relative_to(ROOT / top).with_suffix("").parts]
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = Module(name, path.read_text(encoding="utf-8"), is_package=is_package)
    return found


def part_of(name: str) -> str | None:
    """The part of the house that an imported name is in; None for what is not ours."""
    top, _, rest = name.partition(".")
    if top == "devstate_schemas":
        return top
    return (rest.partition(".")[0] or "__init__") if top == "devstate" else None


def under(name: str, packages: set[str]) -> bool:
    """Whether a module is one of these, or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def layering_faults(modules: dict[str, Module]) -> list[str]:
    """Every import that the tables do not allow."""
    faults = []
    for module in modules.values():
        allowed = MAY_IMPORT.get(module.package)
        if allowed is None:
            faults.append(f"{module.name}: {module.package} is not in the table of who may import whom")
            continue
        allowed = {*allowed, module.package, *ALSO.get(module.name, ())}
        for line, name in module.imports():
            for target, doors in ONLY_IN.items():
                if under(name, {target}) and not under(module.name, doors):
                    faults.append(f"{module.name}:{line}: imports {target}")
            part = part_of(name)
            known = part in MAY_IMPORT and part != "__init__"
            if known and part not in allowed:
                faults.append(f"{module.name}:{line}: imports {name}")
    return faults


def printing_faults(modules: dict[str, Module]) -> list[str]:
    """Every print, and every mention of the standard streams, where nothing may be printed."""
    faults = []
    for module in modules.values():
        if module.package in MAY_PRINT:
            continue
        for node in ast.walk(module.tree):
            prints = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            streams = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and isinstance(node.value, ast.Name)
            if prints or (streams and node.value.id == "sys"):
                faults.append(f"{module.name}:{node.lineno}: prints")
    return faults


def start_up_faults(modules: dict[str, Module], roots: list[str]) -> list[str]:
    """Every slow import that loading one of ``roots`` leads to."""
    pending = [name for name in roots if name in modules]
    came_from = dict.fromkeys(pending, "")
    faults = []
    while pending:
        name = pending.pop()
        for imported in sorted(modules[name].imports_at_once()):
            if imported in SLOW:
                faults.append(f"{name}: loads {imported}, and is loaded by {came_from[name] or 'the command'}")
            parts = imported.split(".")
            for ours in (".".join(parts[: n + 1]) for n in range(len(parts))):
                if ours in modules and ours not in came_from:
                    came_from[ours] = name
                    pending.append(ours)
    return faults


# ---- the tests ----


def test_the_imports_follow_the_table() -> None:
    """The house as it stands."""
    modules = house()
    assert len(modules) > 20
    assert [] == layering_faults(modules)


def test_only_reports_and_the_command_line_print() -> None:
    """Everything else returns what it has to say."""
    assert [] == printing_faults(house())


def test_a_quick_run_loads_nothing_slow() -> None:
    """What one import costs: typing 1 start-up of the interpreter, dataclasses 1.5, construct 4, numpy 7."""
    assert [] == start_up_faults(house(), QUICK)


def test_every_exception_is_used() -> None:
    """An exception that nobody needs any more goes."""
    modules = house()
    for name, parts in ALSO.items():
        assert parts <= {part_of(imported) for _, imported in modules[name].imports()}


PLANTED = [
    ("devstate.fdt.reader", "from devstate.memory import PhysMemory", "devstate.fdt.reader:1: imports devstate.memory"),
    ("devstate.fdt.reader", "def f():\n    import devstate.layout.model", "devstate.fdt.reader:2: imports devstate.layout.model"),
    ("devstate.fdt.reader", "from ..memory import PhysMemory", "devstate.fdt.reader:1: imports devstate.memory"),
    ("devstate.fdt.reader", "from devstate import cli", "devstate.fdt.reader:1: imports devstate.cli"),
    ("devstate.gen.c", "from devstate.schema import Schema", "devstate.gen.c:1: imports devstate.schema"),
    ("devstate.layout.passes", "import construct.core", "devstate.layout.passes:1: imports construct"),
    ("devstate.codec.fast", "from devstate._core import lib", "devstate.codec.fast:1: imports devstate._core"),
    ("devstate.layout.passes", "from devstate.schema.base import Field", "devstate.layout.passes:1: imports devstate.schema.base"),
    ("devstate_schemas.kho.luo", "import devstate.errors", "devstate_schemas.kho.luo:1: imports devstate.errors"),
    ("devstate.handover.open", "import devstate_schemas.kho.luo", "devstate.handover.open:1: imports devstate_schemas.kho.luo"),
    ("devstate.utils", "", "devstate.utils: utils is not in the table of who may import whom"),
]


@pytest.mark.parametrize(("name", "text", "fault"), PLANTED)
def test_a_planted_import_is_caught(name: str, text: str, fault: str) -> None:
    """The checker sees what it is for, in all the ways in which one can write an import."""
    assert fault in layering_faults({name: Module(name, text)})


@pytest.mark.parametrize(
    "name", ["devstate.schema.base", "devstate.layout.lower", "devstate.codec.reference", "devstate.schema"]
)
def test_construct_has_its_doors(name: str) -> None:
    """Where it may be imported it is no fault."""
    assert [] == layering_faults({name: Module(name, "import construct", is_package=name.count(".") == 1)})


@pytest.mark.parametrize("text", ["print(1)", "import sys\nsys.stderr.write('x')", "def f():\n    print()"])
def test_a_planted_print_is_caught(text: str) -> None:
    """In a library module; not in the command line."""
    assert 1 == len(printing_faults({"devstate.check.rule": Module("devstate.check.rule", text)}))
    assert [] == printing_faults({"devstate.cli.check": Module("devstate.cli.check", text)})


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("import numpy", 1),
        ("from typing import Any", 1),
        ("import numpy.typing", 1),
        ("try:\n    import numpy as np\nexcept ImportError:\n    pass", 1),
        ("class A:\n    import dataclasses", 1),
        ("TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import numpy\nelse:\n    import inspect", 1),
        ("TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import numpy", 0),
        ("def f():\n    import numpy", 0),
    ],
)
def test_a_planted_slow_import_is_caught(text: str, faults: int) -> None:
    """When loading a root leads to it, over other modules too."""
    modules = {
        "devstate.__main__": Module("devstate.__main__", "from devstate.cli import command"),
        "devstate.cli": Module("devstate.cli", "", is_package=True),
        "devstate.cli.command": Module("devstate.cli.command", text),
    }
    assert faults == len(start_up_faults(modules, ["devstate.__main__"]))
