/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whether memory is inside of ranges: the quick answer, for those who ask many million times.
 *
 * A tile is a word about 512 pages. It holds up to three ranges of them, in six fields of ten bits: 511 - first page, last page, and so on;
 * a pair of zeros holds no page. Or it is the number of a line, 512 bits, when its highest bit is set:
 *
 *   63   62 61-60   59     50 49     40 39     30 29     20 19     10 9       0
 *    0    0 ranges  last  3   ~first 3  last  2   ~first 2  last  1   ~first 1
 *    1                                                 32 bits: number of the line
 */
#ifndef DEVSTATE_COVERAGE_H
#define DEVSTATE_COVERAGE_H

#include "internal.h"

#include <stdbool.h>

#define COVERAGE_SHIFT 12
#define COVERAGE_PAGE (UINT64_C(1) << COVERAGE_SHIFT)

#define TILE_SHIFT 9
#define TILE_PAGES 512u
#define TILE_RANGES 3
#define TILE_FIELD 10
#define TILE_COUNT_SHIFT 60
#define TILE_LINE (UINT64_C(1) << 63)

/* The number of a line that there was no room for: the edges know. */
#define TILE_NO_LINE UINT32_MAX

/* A one in each field of first pages; in each field of last pages. */
#define TILE_FIRSTS (UINT64_C(1) | UINT64_C(1) << 2 * TILE_FIELD | UINT64_C(1) << 4 * TILE_FIELD)
#define TILE_LASTS (TILE_FIRSTS << TILE_FIELD)

static inline uint64_t tile_range(uint64_t first, uint64_t last)
{
	return (TILE_PAGES - 1 - first) | last << TILE_FIELD;
}

/* Whether one of the ranges of a tile has all of these pages: no field of the difference borrows then, and the bit above it stays. */
static inline bool tile_has(uint64_t tile, uint64_t first, uint64_t last)
{
	const uint64_t above = (TILE_FIRSTS | TILE_LASTS) << (TILE_FIELD - 1);
	uint64_t left = (tile | above) - (TILE_PAGES - 1 - first) * TILE_FIRSTS - last * TILE_LASTS;

	return left & left >> TILE_FIELD & TILE_FIRSTS << (TILE_FIELD - 1);
}

/* Where to look for a page, for a prefetch; one without a tile gives the first one. */
static inline const void *coverage_place(const struct ds_coverage *coverage, uint64_t pa)
{
	uint64_t tile = (pa >> (COVERAGE_SHIFT + TILE_SHIFT)) - coverage->first_tile;

	return coverage->tiles + (tile < coverage->tile_count ? tile : 0);
}

/* Whether the line of a tile has all of these pages. */
bool coverage_line_has(const struct ds_coverage *coverage, uint64_t tile, uint64_t first, uint64_t last);

/* Whether pages of one tile are all inside. False may also mean that this cannot be told from the tile: then the edges know. */
static inline bool coverage_has_few(const struct ds_coverage *coverage, uint64_t pa, uint64_t count)
{
	uint64_t number = (pa >> (COVERAGE_SHIFT + TILE_SHIFT)) - coverage->first_tile, tile;
	uint64_t first = pa >> COVERAGE_SHIFT & (TILE_PAGES - 1), last = first + count - 1;

	if (number >= coverage->tile_count || last >= TILE_PAGES)
		return false;
	tile = coverage->tiles[number];
	return tile & TILE_LINE ? coverage_line_has(coverage, tile, first, last) : tile_has(tile, first, last);
}

/* Whether all bytes are inside of one range. near: any number, and the same variable again next time. */
bool coverage_has(const struct ds_coverage *coverage, uint64_t pa, uint64_t size, size_t *near);

/* Notes which of the bytes at pa are not inside; iova is where the first of them is mapped. */
void coverage_add_gaps(const struct ds_coverage *inside, const struct ds_coverage *scratch, uint64_t iova, uint64_t pa, uint64_t size,
		       struct ds_gaps *gaps);

#endif
