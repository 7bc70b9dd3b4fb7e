/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* C's types and limits for 64-bit machines: stddef.h, stdint.h, stdbool.h, limits.h and what includes them. */
#ifndef DEVSTATE_KERNEL_H
#ifndef DEVSTATE_STDDEF_H
#define DEVSTATE_STDDEF_H
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t, ssize_t, intptr_t, off_t, time_t;
typedef __SIZE_TYPE__ uintptr_t;
typedef __WCHAR_TYPE__ wchar_t;
typedef struct { long long a; long double b; } max_align_t;
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ uint8_t, u_int8_t, __u8;
typedef __UINT16_TYPE__ uint16_t, u_int16_t;
typedef __UINT32_TYPE__ uint32_t, u_int32_t;
typedef __UINT64_TYPE__ uint64_t, u_int64_t;
typedef __INT8_TYPE__ int_least8_t, int_fast8_t;
typedef __INT16_TYPE__ int_least16_t;
typedef __INT32_TYPE__ int_least32_t;
typedef __INT64_TYPE__ int_least64_t, int_fast64_t, int_fast32_t, int_fast16_t;
typedef __UINT8_TYPE__ uint_least8_t, uint_fast8_t;
typedef __UINT16_TYPE__ uint_least16_t;
typedef __UINT32_TYPE__ uint_least32_t;
typedef __UINT64_TYPE__ uint_least64_t, uint_fast64_t, uint_fast32_t, uint_fast16_t;
typedef __INTMAX_TYPE__ intmax_t;
typedef __UINTMAX_TYPE__ uintmax_t;
typedef unsigned int uint, uid_t, gid_t, mode_t;
typedef unsigned short ushort;
typedef unsigned long ulong, ino_t, dev_t, nlink_t;
typedef unsigned char u_char;
typedef unsigned short u_short;
typedef unsigned int u_int;
typedef unsigned long u_long;
typedef char *caddr_t;
typedef int pid_t;
typedef struct devstate_file FILE;
typedef __builtin_va_list va_list;
#define NULL ((void *)0)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define bool _Bool
#define true 1
#define false 0
#define static_assert _Static_assert
#define alignas _Alignas
#define alignof _Alignof
#define CHAR_BIT 8
#define SCHAR_MAX 127
#define UCHAR_MAX 255
#define SHRT_MAX 32767
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX 4294967295U
#define LONG_MAX 9223372036854775807L
#define ULONG_MAX 18446744073709551615UL
#define LLONG_MAX 9223372036854775807LL
#define ULLONG_MAX 18446744073709551615ULL
#define INT8_MAX 127
#define INT16_MAX 32767
#define INT32_MAX 2147483647
#define INT64_MAX 9223372036854775807LL
#define UINT8_MAX 255
#define UINT16_MAX 65535
#define UINT32_MAX 4294967295U
#define UINT64_MAX 18446744073709551615ULL
#define SIZE_MAX UINT64_MAX
#define PATH_MAX 4096
#define NAME_MAX 255
#define UINT8_C(x) x
#define UINT16_C(x) x
#define UINT32_C(x) x##U
#define UINT64_C(x) x##ULL
#define INT64_C(x) x##LL
#endif
#endif
