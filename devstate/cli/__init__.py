# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The command line: one module a verb, with ``add_arguments(parser)`` and ``run(arguments) -> exit status``; its docstring is its help."""
