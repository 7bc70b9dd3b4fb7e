# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Builds ``devstate._core`` from the C files beside this one: cffi, API mode, limited API (one wheel for all Pythons from 3.11).

The declarations are cut out of ``devstate_core.h`` (between its ``cdef begin`` and ``cdef end`` lines) and the status enum out of its
``DS_STATUS_TABLE``, so that a fact stands once. Switches, from the environment:

``DEVSTATE_PURE=1``      no extension is built at all (read by setup.py)
``DEVSTATE_PORTABLE=1``  without any instruction set beyond the baseline
``SANITIZE=1``           with AddressSanitizer and UBSan; the interpreter must then preload libasan
"""

from __future__ import annotations

import os
import re

from cffi import FFI

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(globals().get("__file__", "csrc/build_core.py"))))
HEADER = "csrc/devstate_core.h"
FLAGS = ["-std=gnu11", "-O3", "-Wall", "-Wextra"]
SANITIZE_FLAGS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def sources() -> list[str]:
    """The C files, relative to the root of the project, in a fixed order."""
    return sorted(f"csrc/{name}" for name in os.listdir(os.path.join(ROOT, "csrc")) if name.endswith(".c"))


def headers() -> list[str]:
    """The C headers, relative to the root of the project: the core is built again when one changes."""
    return sorted(f"csrc/{name}" for name in os.listdir(os.path.join(ROOT, "csrc")) if name.endswith(".h"))


def status_table(header: str) -> list[tuple[str, int, str]]:
    """(name, value, text) of every line of ``DS_STATUS_TABLE``."""
    found = re.findall(r'^\tX\((DS_\w+), (-?\d+), "([^"]*)"\)', header, re.MULTILINE)
    return [(name, int(value), text) for name, value, text in found]


def cdef(header: str) -> str:
    """The declarations for cffi: what stands between the markers, and the enum of the status table."""
    body = header[header.index("/* cdef begin */") : header.index("/* cdef end */")]
    names = ", ".join(f"{name} = {value}" for name, value, _ in status_table(header))
    return f"enum ds_status {{ {names} }};\n{body}"


def read_header() -> str:
    """The text of the public header."""
    with open(os.path.join(ROOT, HEADER), encoding="utf-8") as file:
        return file.read()


def switched_on(name: str) -> bool:
    """Whether an environment switch is set to something that is not empty and not 0."""
    return os.environ.get(name, "") not in ("", "0")


def make_builder() -> FFI:
    """The cffi builder that setup.py asks for."""
    builder = FFI()
    builder.cdef(cdef(read_header()))
    sanitize = SANITIZE_FLAGS if switched_on("SANITIZE") else []
    builder.set_source(
        "devstate._core",
        '#include "devstate_core.h"',
        sources=sources(),
        include_dirs=["csrc"],
        depends=headers(),
        define_macros=[("Py_LIMITED_API", "0x030b0000"), *([("DS_PORTABLE", "1")] if switched_on("DEVSTATE_PORTABLE") else [])],
        extra_compile_args=FLAGS + sanitize,
        extra_link_args=[flag for flag in sanitize if flag.startswith("-fsanitize")],
        py_limited_api=True,
    )
    return builder


ffibuilder = make_builder()
