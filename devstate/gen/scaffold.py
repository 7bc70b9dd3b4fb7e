# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The first files of a driver's own package: an example schema, its test, what makes and checks them, and a page that says what to fill in.

The texts stand in ``driver/`` beside this module, with ``$name``, ``$c_name`` and ``$package`` where the names go.
"""

from __future__ import annotations

import os

from devstate.errors import UsageError
from devstate.gen.names import identifier

NAME_MAX = 40
"""Letters of a driver's name: ``-v1`` and a NUL fit behind it in the 48 bytes that LUO has for a handler's string."""

_SCHEMAS = {"packed": ("schemas.py.in", "steps_packed.md.in"), "tagged": ("schemas_tagged.py.in", "steps_tagged.md.in")}
"""By encoding: the schema, and what its page says first."""

_PATHS = {
    "test_driver.py.in": "tests/test_{c_name}.py",
    "pyproject.toml.in": "pyproject.toml",
    "Makefile.in": "Makefile",
    "README.md.in": "README.md",
}


def package_of(name: str) -> str:
    """The Python package with the schemas of the driver ``name``."""
    return f"{identifier(name)}_schemas"


def scaffold(name: str, encoding: str = "packed") -> dict[str, str]:
    """The files by path. UsageError for an encoding that there is not, and for a name that is none of a driver: lower-case letters, digits
    and dashes, a letter first.
    """
    from string import Template

    plain = name.replace("-", "")
    if not plain.isalnum() or not plain.isascii() or name != name.lower() or not name[:1].isalpha() or len(name) > NAME_MAX:
        raise UsageError(f"{name!r} is no driver's name: lower-case letters, digits and dashes, a letter first, at most {NAME_MAX} of them")
    if encoding not in _SCHEMAS:
        raise UsageError(f"{encoding!r} is no encoding; there are {', '.join(_SCHEMAS)}")
    names = {"name": name, "c_name": identifier(name), "package": package_of(name)}
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "driver")

    def filled(source: str) -> str:
        with open(os.path.join(folder, source), encoding="utf-8") as file:
            return Template(file.read()).substitute(names)

    schema, steps = _SCHEMAS[encoding]
    names["steps"] = filled(steps)
    paths = {schema: "{package}/__init__.py", **_PATHS}
    return {path.format(**names): filled(source) for source, path in paths.items()}
