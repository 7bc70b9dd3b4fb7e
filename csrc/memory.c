// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The one way from a physical address to bytes.
 */
#include "internal.h"

#include <stdbool.h>

#define UNIT_SHIFT 12

int ds_memory_init(struct ds_region *regions, size_t count, uint64_t *ret)
{
	uint64_t units = 0;

	for (size_t i = 0; i < count; i++) {
		struct ds_region *region = &regions[i];

		if (!region->size || region->size - 1 > UINT64_MAX - region->pa)
			return DS_EINVAL;
		if (i && (region->pa < regions[i - 1].pa || region->pa - regions[i - 1].pa < regions[i - 1].size))
			return DS_EORDER;
		region->first_unit = units;
		units += (region->size >> UNIT_SHIFT) + 1;
	}
	*ret = units;
	return DS_OK;
}

static inline bool holds(const struct ds_region *region, uint64_t pa, uint64_t len)
{
	uint64_t offset = pa - region->pa;

	return pa >= region->pa && offset < region->size && len <= region->size - offset;
}

const void *memory_at(const struct ds_memory *memory, uint64_t pa, uint64_t len, size_t *from, uint64_t *unit)
{
	const struct ds_region *region;
	size_t low = 0, high = memory->count;

	if (!high)
		return NULL;
	region = &memory->regions[*from];
	if (!holds(region, pa, len)) {
		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (memory->regions[middle].pa <= pa)
				low = middle + 1;
			else
				high = middle;
		}
		if (!low)
			return NULL;
		*from = low - 1;
		region = &memory->regions[*from];
		if (!holds(region, pa, len))
			return NULL;
	}
	*unit = region->first_unit + ((pa - region->pa) >> UNIT_SHIFT);
	return (const uint8_t *)region->base + (pa - region->pa);
}
