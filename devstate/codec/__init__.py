# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The codec: bytes to records and back, through a layout.

``decode.decode``, ``decode_array``, ``decode_at`` and ``arm`` read; ``encode.encode`` writes; ``columns.columns`` gives numpy views of
arrays of records; ``text`` is the JSON form; ``reference`` is the slow decoder that the others are held equal to.
"""
