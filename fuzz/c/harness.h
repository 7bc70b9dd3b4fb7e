/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the fuzz targets of the C core share. Each is one property in LLVMFuzzerTestOneInput(); libFuzzer or standalone.c feeds
 * it. Buffers are allocated to the byte, so that a sanitizer sees the first one too many.
 */
#ifndef DEVSTATE_HARNESS_H
#define DEVSTATE_HARNESS_H

#include "devstate_core.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold is a crash. */
#define HOLDS(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* The input, taken from the front; zeros when it is used up. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++) {
		uint8_t byte = 0;

		if (input->left) {
			byte = *input->at++;
			input->left--;
		}
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

/* Memory of just this size, with this in it, or zero; never NULL. */
static inline void *exact(const void *from, size_t size)
{
	void *made = calloc(size ? size : 1, 1);

	if (!made)
		abort();
	if (from && size)
		memcpy(made, from, size);
	return made;
}

static inline uint64_t get64(const void *from, bool swap)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return swap ? __builtin_bswap64(value) : value;
}

static inline void put64(void *to, uint64_t value, bool swap)
{
	if (swap)
		value = __builtin_bswap64(value);
	memcpy(to, &value, sizeof(value));
}

#endif
