# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as BTF: opening and asking for everything ends in facts or in an error of ours, in time linear in the input."""

from __future__ import annotations

from devstate.errors import DecodeError, UsageError
from devstate.source.btf import Btf

MOST = 64
"""Names asked for in one run: enough to walk each kind, few enough for a fuzzer's speed."""


def one_input(data: bytes) -> None:
    """The property. Whatever else than DecodeError and UsageError is raised is a bug."""
    try:
        btf = Btf.open(data)
    except DecodeError:
        return
    for keyword, ask in (("struct", btf.layout), ("union", btf.layout), ("enum", btf.enum), ("typedef", btf.typedef)):
        try:
            names = btf.names(keyword)[:MOST]
        except DecodeError:
            continue
        for name in names:
            try:
                ask(name)
            except (DecodeError, UsageError):
                continue


def main() -> None:
    from driver import run

    run(one_input)


if __name__ == "__main__":
    main()
