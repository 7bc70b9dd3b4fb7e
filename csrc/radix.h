/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The geometry of the radix tree of preserved pages, for those who read and build it.
 */
#ifndef DEVSTATE_RADIX_H
#define DEVSTATE_RADIX_H

#include "internal.h"

#include <stdbool.h>

#define MAX_DEPTH 6
#define PA_LIMIT (UINT64_C(1) << DS_PA_BITS)

/* What follows from the geometry; key_bits - 1 is the place of the highest bit of an order-0 key. */
struct shape {
	uint32_t page_shift;
	uint32_t table_bits;
	uint32_t leaf_bits;
	uint32_t key_bits;
	uint32_t root_level;
	uint32_t swap;
	uint64_t page_size;
};

static inline int shape_init(const struct ds_radix *radix, struct shape *ret)
{
	uint32_t page_shift = radix->page_shift;

	if ((page_shift != 12 && page_shift != 14 && page_shift != 16) || radix->depth < 2 || radix->depth > MAX_DEPTH)
		return DS_EINVAL;
	/* A root table above enough levels for every key: no kernel has that, and keys would leave 64 bits. */
	if (page_shift + 3 + (radix->depth - 2) * (page_shift - 3) >= 64 - page_shift + 1)
		return DS_EINVAL;
	*ret = (struct shape){
		.page_shift = page_shift,
		.table_bits = page_shift - 3,
		.leaf_bits = page_shift + 3,
		.key_bits = 64 - page_shift + 1,
		.root_level = radix->depth - 1,
		.swap = !!radix->swap,
		.page_size = UINT64_C(1) << page_shift,
	};
	return DS_OK;
}

/* How many low bits of a key are below a node of this level. */
static inline uint32_t bits_below(const struct shape *shape, uint32_t level)
{
	return shape->leaf_bits + level * shape->table_bits;
}

#endif
