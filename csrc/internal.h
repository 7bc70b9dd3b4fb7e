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

/* entry(0, ...), entry(1, ...), up to 255: a table of constants that the compiler makes. */
#define EACH_4(entry, i, ...) \
	entry((i), ##__VA_ARGS__), entry((i) + 1, ##__VA_ARGS__), entry((i) + 2, ##__VA_ARGS__), entry((i) + 3, ##__VA_ARGS__)
#define EACH_16(entry, i, ...) \
	EACH_4(entry, (i), ##__VA_ARGS__), EACH_4(entry, (i) + 4, ##__VA_ARGS__), \
	EACH_4(entry, (i) + 8, ##__VA_ARGS__), EACH_4(entry, (i) + 12, ##__VA_ARGS__)
#define EACH_64(entry, i, ...) \
	EACH_16(entry, (i), ##__VA_ARGS__), EACH_16(entry, (i) + 16, ##__VA_ARGS__), \
	EACH_16(entry, (i) + 32, ##__VA_ARGS__), EACH_16(entry, (i) + 48, ##__VA_ARGS__)
#define EACH_256(entry, ...) \
	EACH_64(entry, 0, ##__VA_ARGS__), EACH_64(entry, 64, ##__VA_ARGS__), \
	EACH_64(entry, 128, ##__VA_ARGS__), EACH_64(entry, 192, ##__VA_ARGS__)

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
