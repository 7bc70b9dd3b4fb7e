/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whether memory is inside of ranges: the quick answer, for those who ask many million times.
 */
#ifndef DEVSTATE_COVERAGE_H
#define DEVSTATE_COVERAGE_H

#include "internal.h"

#include <stdbool.h>

#define COVERAGE_SHIFT 12
#define COVERAGE_PAGE (UINT64_C(1) << COVERAGE_SHIFT)

/* As many bits as one unaligned load gives for sure. */
#define COVERAGE_LOAD 57

/* Where the bits of a page start, for a prefetch; a page without bits gives the first ones. */
static inline const uint8_t *coverage_bits(const struct ds_coverage *coverage, uint64_t pa)
{
	uint64_t page = (pa >> COVERAGE_SHIFT) - coverage->first_page;

	return coverage->bits + (page < coverage->pages ? page >> 3 : 0);
}

/* Whether up to COVERAGE_LOAD pages have all their bits. False may also mean that they have none: then the edges know. */
static inline bool coverage_has_few(const struct ds_coverage *coverage, uint64_t pa, uint64_t count)
{
	uint64_t page = (pa >> COVERAGE_SHIFT) - coverage->first_page, want = (UINT64_C(1) << count) - 1;

	if (page >= coverage->pages || count > coverage->pages - page)
		return false;
	return (load64_le(coverage->bits + (page >> 3)) >> (page & 7) & want) == want;
}

/* Whether all bytes are inside of one range. near: any number, and the same variable again next time. */
bool coverage_has(const struct ds_coverage *coverage, uint64_t pa, uint64_t size, size_t *near);

/* Notes which of the bytes at pa are not inside; iova is where the first of them is mapped. */
void coverage_add_gaps(const struct ds_coverage *inside, const struct ds_coverage *scratch, uint64_t iova, uint64_t pa, uint64_t size,
		       struct ds_gaps *gaps);

#endif
