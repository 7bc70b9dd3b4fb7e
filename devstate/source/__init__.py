# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where layouts come from besides schemas: what a compiler really laid out (BTF), and what kernel headers declare.

Modules here give facts (``shape.StructShape``); they compare nothing and know no schema.
"""
