/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the C files share. Input is never aligned as far as we know: words are loaded with memcpy.
 *
 * DS_X86 is set when the build may use x86 instruction sets behind a run-time check; -DDS_PORTABLE turns all of them off,
 * so that the portable paths can be tested on the same machine.
 */
#ifndef DEVSTATE_INTERNAL_H
#define DEVSTATE_INTERNAL_H

#include "devstate_core.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(DS_PORTABLE)
#define DS_X86 1
#include <immintrin.h>
#endif

static inline uint64_t load64(const void *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

/* A u64 of the machine that wrote the input: swap is set when its byte order is not ours. */
static inline uint64_t load64_of(const void *from, int swap)
{
	uint64_t value = load64(from);

	return swap ? __builtin_bswap64(value) : value;
}

static inline uint64_t load64_le(const void *from)
{
	return load64_of(from, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static inline void store64_of(void *to, uint64_t value, int swap)
{
	if (swap)
		value = __builtin_bswap64(value);
	memcpy(to, &value, sizeof(value));
}

/* The len bytes at pa, or NULL when they are not all in one region. from is where the region is looked for first. */
const void *memory_at(const struct ds_memory *memory, uint64_t pa, uint64_t len, size_t *from, uint64_t *unit);

void problem_add(struct ds_problems *problems, struct ds_problem problem);

#endif
