# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pairs of C structs as test suites of ABI checkers have them, with what happens to bytes that one of the two wrote.

Each pair is (name, old, new, read-old, read-new). ``S`` in the C text is the struct; other types carry its name so that all pairs fit
into one file. M misread, S short, R refused, ok.
"""

# ruff: noqa: E501  # a pair stands on one line

from __future__ import annotations

OK, R, S, M = "OK", "REFUSED", "SHORT", "MISREAD"

PAIRS: list[tuple[str, str, str, str, str]] = [
    # members come and go
    ("append", "struct S { int a; int b; };", "struct S { int a; int b; int c; };", S, OK),
    ("append-two", "struct S { int a; };", "struct S { int a; long b; char c; };", S, OK),
    ("append-after-flexible-free", "struct S { u64 a; };", "struct S { u64 a; u8 b[16]; };", S, OK),
    ("append-into-padding", "struct S { u64 a; u32 b; };", "struct S { u64 a; u32 b; u32 c; };", OK, OK),
    ("append-pointer", "struct S { int a; int b; };", "struct S { int a; int b; void *p; };", S, OK),
    ("insert-first", "struct S { int a; int b; };", "struct S { int z; int a; int b; };", M, M),
    ("insert-middle", "struct S { int a; int b; };", "struct S { int a; int z; int b; };", M, M),
    ("insert-into-hole", "struct S { char a; int b; };", "struct S { char a; char z; int b; };", OK, OK),
    ("insert-pointer", "struct S { int a; int b; };", "struct S { int a; void *p; int b; };", S, M),
    ("insert-char-moves-int", "struct S { int a; int b; };", "struct S { char z; int a; int b; };", M, M),
    ("remove-last", "struct S { int a; int b; int c; };", "struct S { int a; int b; };", OK, S),
    ("remove-last-two", "struct S { int a; int b; int c; };", "struct S { int a; };", OK, S),
    ("remove-first", "struct S { int a; int b; };", "struct S { int b; };", M, M),
    ("remove-middle", "struct S { int a; int b; int c; };", "struct S { int a; int c; };", M, M),
    ("remove-into-hole", "struct S { char a; char z; int b; };", "struct S { char a; int b; };", OK, M),
    ("swap", "struct S { int a; int b; };", "struct S { int b; int a; };", M, M),
    ("swap-far", "struct S { int a; long b; char c; };", "struct S { char c; long b; int a; };", M, M),
    ("move-to-end", "struct S { int a; int b; int c; };", "struct S { int b; int c; int a; };", M, M),
    ("same", "struct S { int a; int b; };", "struct S { int a; int b; };", OK, OK),
    ("replaced", "struct S { int a; int b; };", "struct S { int a; char q[4]; };", M, M),
    # names
    ("rename", "struct S { int a; int b; };", "struct S { int a; int bb; };", OK, OK),
    ("rename-both", "struct S { int a; long b; };", "struct S { int x; long y; };", OK, OK),
    ("typedef-alias", "struct S { unsigned int a; };", "typedef unsigned int t_N; struct S { t_N a; };", OK, OK),
    ("typedef-renamed", "typedef int t1_N; struct S { t1_N a; };", "typedef int t2_N; struct S { t2_N a; };", OK, OK),
    ("typedef-retargeted", "typedef int t_N; struct S { t_N a; };", "typedef long t_N; struct S { t_N a; };", M, M),
    ("typedef-sign", "typedef int t_N; struct S { t_N a; };", "typedef unsigned int t_N; struct S { t_N a; };", M, M),
    ("const", "struct S { int a; };", "struct S { const int a; };", OK, OK),
    ("volatile", "struct S { int a; };", "struct S { volatile int a; };", OK, OK),
    ("long-is-long-long", "struct S { long a; };", "struct S { long long a; };", OK, OK),
    ("u64-is-unsigned-long", "struct S { u64 a; };", "struct S { unsigned long a; };", OK, OK),
    ("inner-struct-renamed", "struct i1_N { int a; }; struct S { struct i1_N i; };", "struct i2_N { int a; }; struct S { struct i2_N i; };", OK, OK),
    # sizes, signs, kinds
    ("int-to-long", "struct S { int a; int b; };", "struct S { long a; int b; };", M, M),
    ("int-to-long-at-end", "struct S { int a; int b; };", "struct S { int a; long b; };", S, M),
    ("long-to-int", "struct S { long a; int b; };", "struct S { int a; int b; };", M, M),
    ("u8-to-u16", "struct S { u8 a; u8 b; };", "struct S { u16 a; u8 b; };", M, M),
    ("only-member-wider", "struct S { u32 a; };", "struct S { u64 a; };", M, M),
    ("sign", "struct S { int a; int b; };", "struct S { unsigned int a; int b; };", M, M),
    ("char-sign", "struct S { signed char a; };", "struct S { unsigned char a; };", M, M),
    ("byte-order", "struct S { __le32 a; };", "struct S { __be32 a; };", M, M),
    ("native-is-little", "struct S { u32 a; };", "struct S { __le32 a; };", OK, OK),
    ("number-to-pointer", "struct S { u64 a; };", "struct S { void *a; };", M, M),
    ("pointer-to-number", "struct S { void *a; };", "struct S { unsigned long a; };", M, M),
    ("bool-to-u8", "struct S { bool a; };", "struct S { u8 a; };", OK, OK),
    ("bool-to-int", "struct S { bool a; };", "struct S { int a; };", M, M),
    ("number-to-bytes", "struct S { u32 a; };", "struct S { u8 a[4]; };", M, M),
    ("text-to-bytes", "struct S { char a[8]; };", "struct S { u8 a[8]; };", OK, OK),
    ("two-to-array", "struct S { int a; int b; };", "struct S { int a[2]; };", M, M),
    ("int-to-struct", "struct S { int a; int b; };", "struct i_N { short x; short y; }; struct S { struct i_N a; int b; };", M, M),
    # pointers: the addresses of one kernel mean nothing in another, so what is behind them is on no wire
    ("pointer-type", "struct S { int *p; };", "struct S { char *p; };", OK, OK),
    ("pointer-const", "struct S { char *p; };", "struct S { const char *p; };", OK, OK),
    ("pointee-grows", "struct i_N { int a; }; struct S { struct i_N *p; };", "struct i_N { int a; int b; }; struct S { struct i_N *p; };", OK, OK),
    ("pointee-other", "struct i_N { int a; }; struct S { struct i_N *p; };", "struct j_N { long a; }; struct S { struct j_N *p; };", OK, OK),
    ("pointer-depth", "struct S { int *p; };", "struct S { int **p; };", OK, OK),
    ("function-pointer", "struct S { int (*f)(int); int a; };", "struct S { int (*f)(int, long); int a; };", OK, OK),
    ("self-same", "struct S { struct S *next; int a; };", "struct S { struct S *next; int a; };", OK, OK),
    ("self-append", "struct S { struct S *next; int a; };", "struct S { struct S *next; int a; long b; };", S, OK),
    ("self-insert", "struct S { struct S *next; int a; };", "struct S { int z; struct S *next; int a; };", M, M),
    ("pointer-to-embedded", "struct i_N { int a; }; struct S { struct i_N *p; };", "struct i_N { int a; }; struct S { struct i_N p; };", M, M),
    # embedded structs
    ("embedded-grows-at-end", "struct i_N { int a; }; struct S { int z; struct i_N i; };", "struct i_N { int a; int b; }; struct S { int z; struct i_N i; };", S, OK),
    ("embedded-grows-before-others", "struct i_N { int a; }; struct S { struct i_N i; int z; };", "struct i_N { int a; int b; }; struct S { struct i_N i; int z; };", M, M),
    ("embedded-shrinks-at-end", "struct i_N { int a; int b; }; struct S { int z; struct i_N i; };", "struct i_N { int a; }; struct S { int z; struct i_N i; };", OK, S),
    ("embedded-swapped", "struct i_N { int a; int b; }; struct S { struct i_N i; };", "struct i_N { int b; int a; }; struct S { struct i_N i; };", M, M),
    ("embedded-member-sign", "struct i_N { int a; }; struct S { struct i_N i; };", "struct i_N { unsigned a; }; struct S { struct i_N i; };", M, M),
    ("deep", "struct j_N { int a; }; struct i_N { struct j_N j; int b; }; struct S { struct i_N i; };",
     "struct j_N { long a; }; struct i_N { struct j_N j; int b; }; struct S { struct i_N i; };", M, M),
    ("taken-into-struct", "struct S { int a; int b; };", "struct S { struct { int a; int b; } in; };", OK, OK),
    ("taken-into-anonymous", "struct S { int a; int b; };", "struct S { struct { int a; int b; }; };", OK, OK),
    ("anonymous-insert", "struct S { struct { int a; int b; }; int c; };", "struct S { struct { int a; int z; int b; }; int c; };", M, M),
    ("anonymous-append", "struct S { int a; struct { int b; }; };", "struct S { int a; struct { int b; int c; }; };", S, OK),
    # arrays
    ("array-longer-at-end", "struct S { int a; int v[4]; };", "struct S { int a; int v[8]; };", S, M),
    ("array-shorter-at-end", "struct S { int a; int v[8]; };", "struct S { int a; int v[4]; };", M, S),
    ("array-longer-in-middle", "struct S { int v[4]; int a; };", "struct S { int v[8]; int a; };", M, M),
    ("array-shorter-in-middle", "struct S { int v[8]; int a; };", "struct S { int v[4]; int a; };", M, M),
    ("text-longer", "struct S { char n[16]; u64 a; };", "struct S { char n[32]; u64 a; };", M, M),
    ("text-longer-at-end", "struct S { u64 a; char n[16]; };", "struct S { u64 a; char n[32]; };", S, M),
    ("array-element-type", "struct S { int v[4]; };", "struct S { short v[8]; };", M, M),
    ("array-element-wider", "struct S { int v[4]; };", "struct S { long v[4]; };", M, M),
    ("array-element-sign", "struct S { int v[4]; };", "struct S { unsigned v[4]; };", M, M),
    ("array-dimensions", "struct S { int v[2][3]; };", "struct S { int v[3][2]; };", M, M),
    ("array-outer-dimension", "struct S { int v[2][3]; };", "struct S { int v[3][3]; };", S, M),
    ("array-to-scalar", "struct S { int v[1]; int a; };", "struct S { int v; int a; };", OK, OK),
    ("row-of-structs-append", "struct e_N { int a; int b; }; struct S { struct e_N v[4]; };", "struct e_N { int a; int b; int c; }; struct S { struct e_N v[4]; };", M, M),
    ("row-of-structs-insert", "struct e_N { int a; int b; }; struct S { struct e_N v[4]; };", "struct e_N { int a; int z; int b; }; struct S { struct e_N v[4]; };", M, M),
    ("row-of-one-append", "struct e_N { int a; }; struct S { struct e_N v[1]; };", "struct e_N { int a; int c; }; struct S { struct e_N v[1]; };", S, OK),
    ("row-of-structs-longer", "struct e_N { int a; int b; }; struct S { struct e_N v[2]; };", "struct e_N { int a; int b; }; struct S { struct e_N v[3]; };", S, M),
    ("flexible-appended", "struct S { int n; };", "struct S { int n; int v[]; };", S, OK),
    ("flexible-removed", "struct S { int n; int v[]; };", "struct S { int n; };", OK, S),
    ("flexible-element-append", "struct e_N { int a; }; struct S { int n; struct e_N v[]; };", "struct e_N { int a; int b; }; struct S { int n; struct e_N v[]; };", M, M),
    ("flexible-element-type", "struct S { int n; int v[]; };", "struct S { int n; short v[]; };", M, M),
    ("flexible-insert-before", "struct S { int n; int v[]; };", "struct S { int n; int m; int v[]; };", M, M),
    ("zero-length-is-flexible", "struct S { int n; int v[0]; };", "struct S { int n; int v[]; };", OK, OK),
    ("fixed-to-flexible", "struct S { int n; int v[4]; };", "struct S { int n; int v[]; };", S, M),
    ("flexible-to-fixed", "struct S { int n; int v[]; };", "struct S { int n; int v[4]; };", M, S),
    # enums
    ("enum-add-last", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum e_N { A_N, B_N, C_N }; struct S { enum e_N e; };", OK, R),
    ("enum-remove-last", "enum e_N { A_N, B_N, C_N }; struct S { enum e_N e; };", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", R, OK),
    ("enum-add-first", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum e_N { Z_N, A_N, B_N }; struct S { enum e_N e; };", M, M),
    ("enum-add-middle", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum e_N { A_N, Z_N, B_N }; struct S { enum e_N e; };", M, M),
    ("enum-remove-middle", "enum e_N { A_N, B_N, C_N }; struct S { enum e_N e; };", "enum e_N { A_N, C_N }; struct S { enum e_N e; };", M, M),
    ("enum-swap", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum e_N { B_N, A_N }; struct S { enum e_N e; };", M, M),
    ("enum-value", "enum e_N { A_N = 1, B_N = 2 }; struct S { enum e_N e; };", "enum e_N { A_N = 1, B_N = 3 }; struct S { enum e_N e; };", M, M),
    ("enum-rename", "enum e_N { FIRST_A_N, B_N }; struct S { enum e_N e; };", "enum e_N { FIRST_AA_N, B_N }; struct S { enum e_N e; };", OK, OK),
    ("enum-add-before-max", "enum e_N { A_N, B_N, e_N_MAX }; struct S { enum e_N e; };", "enum e_N { A_N, B_N, C_N, e_N_MAX }; struct S { enum e_N e; };", OK, R),
    ("enum-alias", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum e_N { A_N, B_N, ALSO_B_N = B_N }; struct S { enum e_N e; };", OK, OK),
    ("enum-storage", "enum e_N { A_N = 1 }; struct S { enum e_N e; int a; };", "enum e_N { A_N = 1, B_N = 0x100000000 }; struct S { enum e_N e; int a; };", M, M),
    ("enum-to-int", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "struct S { unsigned e; };", OK, OK),
    ("enum-negative", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum e_N { M_N = -1, A_N, B_N }; struct S { enum e_N e; };", OK, R),
    ("enum-to-signed-int", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "struct S { int e; };", OK, OK),
    ("enum-other", "enum e_N { A_N, B_N }; struct S { enum e_N e; };", "enum f_N { A2_N, B2_N }; struct S { enum f_N e; };", OK, OK),
    # unions
    ("union-arm-wider", "union u_N { int a; }; struct S { union u_N u; };", "union u_N { int a; long b; }; struct S { union u_N u; };", S, M),
    ("union-arm-added", "union u_N { int a; float f; }; struct S { union u_N u; };", "union u_N { int a; float f; unsigned b; }; struct S { union u_N u; };", OK, M),
    ("union-arm-removed", "union u_N { int a; float f; unsigned b; }; struct S { union u_N u; };", "union u_N { int a; float f; }; struct S { union u_N u; };", M, OK),
    ("union-of-one-type-arm-removed", "union u_N { u8 a; u8 b; u8 c; }; struct S { union u_N u; };", "union u_N { u8 a; u8 b; }; struct S { union u_N u; };", M, OK),
    ("union-of-one-type-to-number", "union u_N { u64 a; u64 b; }; struct S { union u_N u; };", "struct S { u64 u; };", OK, OK),
    ("union-arms-swapped", "union u_N { int a; char b; }; struct S { union u_N u; };", "union u_N { char b; int a; }; struct S { union u_N u; };", OK, OK),
    ("union-arm-retyped", "union u_N { int a; char b; }; struct S { union u_N u; };", "union u_N { unsigned a; char b; }; struct S { union u_N u; };", M, M),
    ("union-moves-others", "union u_N { int a; }; struct S { union u_N u; int z; };", "union u_N { int a; long b; }; struct S { union u_N u; int z; };", S, M),
    ("union-anonymous-same", "struct S { union { int a; char b; }; };", "struct S { union { int a; char b; }; };", OK, OK),
    ("members-to-union", "struct S { int a; int b; };", "struct S { union { int a; int b; }; };", M, M),
    ("union-to-members", "struct S { union { int a; int b; }; };", "struct S { int a; int b; };", M, M),
    ("struct-to-union", "struct i_N { int a; int b; }; struct S { struct i_N i; };", "union i_N { int a; int b; }; struct S { union i_N i; };", M, M),
    # bit-fields
    ("bits-wider", "struct S { u32 a:3, b:5; };", "struct S { u32 a:4, b:5; };", M, M),
    ("bits-appended-in-unit", "struct S { u32 a:3, b:5; };", "struct S { u32 a:3, b:5, c:4; };", OK, OK),
    ("bits-removed-last", "struct S { u32 a:3, b:5, c:4; };", "struct S { u32 a:3, b:5; };", OK, M),
    ("bits-swapped", "struct S { u32 a:3, b:5; };", "struct S { u32 b:5, a:3; };", M, M),
    ("bits-inserted", "struct S { u32 a:3, b:5; };", "struct S { u32 a:3, z:2, b:5; };", M, M),
    ("bits-renamed", "struct S { u32 a:3, b:5; };", "struct S { u32 a:3, bb:5; };", OK, OK),
    ("bits-sign", "struct S { unsigned a:3; };", "struct S { signed a:3; };", M, M),
    ("bits-to-plain", "struct S { u32 a:32; };", "struct S { u32 a; };", OK, OK),
    ("bits-of-wider-unit", "struct S { u32 a:3; u32 b; };", "struct S { u64 a:3; u32 b; };", OK, OK),
    ("bits-new-unit", "struct S { u32 a:3; };", "struct S { u32 a:3; u32 :0; u32 b:4; };", S, OK),
    ("plain-to-bits", "struct S { u32 a; };", "struct S { u32 a:16, b:16; };", M, M),
    # packing and alignment
    ("packed", "struct S { char a; int b; };", "struct S { char a; int b; } __attribute__((packed));", M, M),
    ("packed-nothing-moves", "struct S { int a; int b; };", "struct S { int a; int b; } __attribute__((packed));", OK, OK),
    ("packed-tail", "struct S { u64 a; u32 b; };", "struct S { u64 a; u32 b; } __attribute__((packed));", OK, S),
    ("unpacked-tail", "struct S { u64 a; u32 b; } __attribute__((packed));", "struct S { u64 a; u32 b; };", S, OK),
    ("unpacked", "struct S { char a; int b; } __attribute__((packed));", "struct S { char a; int b; };", M, M),
    ("aligned-struct", "struct S { int a; int b; };", "struct S { int a; int b; } __attribute__((aligned(16)));", S, OK),
    ("aligned-member", "struct S { int a; int b; };", "struct S { int a; int b __attribute__((aligned(8))); };", S, M),
    ("aligned-member-stays", "struct S { u64 a; int b; };", "struct S { u64 a __attribute__((aligned(8))); int b; };", OK, OK),
    ("explicit-padding", "struct S { char a; int b; };", "struct S { char a; char pad[3]; int b; };", OK, OK),
    ("reserved-used", "struct S { u32 a; u32 reserved; };", "struct S { u32 a; u32 gen; };", OK, OK),
    ("reserved-partly-used", "struct S { u32 a; u32 reserved[4]; };", "struct S { u32 a; u32 gen; u32 reserved[3]; };", OK, OK),
    ("reserved-grows", "struct S { u32 a; u32 reserved[4]; };", "struct S { u32 a; u32 reserved[8]; };", S, OK),
    # several at once
    ("append-and-rename", "struct S { int a; int b; };", "struct S { int aa; int b; int c; };", S, OK),
    ("empty", "struct S { };", "struct S { int a; };", S, OK),
    ("float-to-int", "struct S { float a; };", "struct S { int a; };", M, M),
    ("double-to-u64", "struct S { double a; };", "struct S { u64 a; };", M, M),
    ("float-to-double-at-end", "struct S { int b; float a; };", "struct S { int b; double a; };", S, M),
    ("only-float-to-double", "struct S { float a; };", "struct S { double a; };", M, M),
    ("floats-longer", "struct S { int b; float a[2]; };", "struct S { int b; float a[4]; };", S, M),
    ("float-to-bytes", "struct S { float a; };", "struct S { u8 a[4]; };", M, M),
    ("float-to-double", "struct S { float a; int b; };", "struct S { double a; int b; };", M, M),
]  # fmt: skip


def text(index: int, source: str) -> str:
    """The C of one pair, with names of its own."""
    import re

    return re.sub(r"\bS\b", f"s{index:03}", source).replace("_N", f"_n{index:03}")


def header(side: int) -> str:
    """All pairs of one side (0 old, 1 new) as one header."""
    return "#include <linux/types.h>\n" + "".join(f"{text(index, pair[1 + side])}\n" for index, pair in enumerate(PAIRS))
