# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The verbs and what each does in one line, in the order of ``devstate --help``. The module of a verb is only imported to run it."""

from __future__ import annotations

VERBS = {
    "inspect": "show what a handover holds",
    "extract": "write out what a path in a handover stands for: a file's content, a blob, a region, a record",
    "check": "judge whether the next kernel will accept a handover, rule by rule",
    "rules": "list the rules of check, or explain one",
    "diff": "name what differs between two handovers, by field",
    "schemas": "list the known formats, or show the layout of one",
    "decode": "turn the bytes of one record into JSON",
    "encode": "turn the JSON of one record into bytes",
    "convert": "write a handover or a record in the form of another kernel version, and say what that loses",
    "build": "make the handover that a spec describes, for tests and training",
    "mutate": "write a handover with a field damaged, and say which",
    "lint": "judge one set of formats by itself: types, holes, pointers, page sizes, docs, owners",
    "baseline": "check what is declared against the committed layouts, or write down what is new",
    "compat": "say whether two kernels understand each other's state, and what happens if not",
    "manifest": "write down which formats a kernel build writes and reads",
    "predict": "say whether this host may jump from one kernel to another, and what happens if not",
    "matrix": "show every jump between several kernels",
    "pt": "walk, verify, compare, pack and prove IOMMU page tables",
    "iommu": "go from the root table of an IOMMU to devices, domains, page tables and interrupt entries",
    "rehearse": "rehearse a live update with real processes and devices that never stop",
    "luo": "talk to the live update orchestrator of the running kernel",
    "gen": "generate C, documentation and test data from a format",
    "new": "start a driver's package: schema, generated C, tests, fuzz target",
    "capture": "save the handover of the running kernel as one file",
}

EXIT_STATUS = """\
exit status:
  0    fine: nothing found, nothing differs
  1    findings at or above --fail-on, differences (diff), no-go (predict), a loss (convert), a wrong end (rehearse)
  2    wrong usage, or input that cannot be read
  3    evidence is missing, so there is no answer (compat, predict, manifest, matrix, pt prove, pt diff)
  4    a bug in devstate"""


def overview() -> str:
    """The text of ``devstate --help``."""
    width = max(map(len, VERBS)) + 2
    lines = [f"  {verb:{width}}{line}" for verb, line in VERBS.items()]
    return "\n".join(
        [
            "usage: devstate VERB ...",
            "       devstate VERB --help",
            "",
            "Read, check and compare the state that a Linux kernel hands to its successor in a live update.",
            "",
            "verbs:",
            *lines,
            "",
            "INPUT of a verb is an ELF core with physical addresses, a raw memory image (--base), a directory with the files of",
            "/sys/kernel/debug/kho, or a lone FDT; the files may be compressed with zstd; - is standard input.",
            "",
            EXIT_STATUS,
            "",
            "environment:",
            "  DEVSTATE_DEBUG=1    show the traceback of a bug",
        ]
    )
