# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is generated from a layout, and from nothing else: C header, C codec, its proof and fuzz target, Markdown, hypothesis strategies.

Everything returns text. ``files.files(layouts)`` gives all of it by file name; ``devstate.h`` beside this module is the one shim that the
generated C includes, in the kernel and in user space.
"""
