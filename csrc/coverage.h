/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whether memory is inside of ranges: the quick answer, for those who ask many million times.
 *
 * A tile is a word about 512 pages. It holds up to three ranges of them, in six fields of ten bits: 511 - first page, last page, and so on;
 * a pair of zeros holds no page. Where there are more ranges it holds the number of a line, 512 bits, in pieces of eight bits; as it stands
 * there, it looks like three pairs that hold no page either:
 *
 *   63   62 61-60   59     50 49     40 39     30 29     20 19     10 9       0
 *    0    0 ranges  last  3   ~first 3  last  2   ~first 2  last  1   ~first 1
 *    1                        23 to 16            15 to 8             7 to 0      of the number
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
#define TILE_NO_LINE 0xffffffu

/* A one in each field of first pages; in each field of last pages; the bits above all fields. */
#define TILE_FIRSTS (UINT64_C(1) | UINT64_C(1) << 2 * TILE_FIELD | UINT64_C(1) << 4 * TILE_FIELD)
#define TILE_LASTS (TILE_FIRSTS << TILE_FIELD)
#define TILE_ABOVE ((TILE_FIRSTS | TILE_LASTS) << (TILE_FIELD - 1))

static inline uint64_t tile_range(uint64_t first, uint64_t last)
{
	return (TILE_PAGES - 1 - first) | last << TILE_FIELD;
}

static inline uint64_t tile_of_line(uint64_t line)
{
	return TILE_LINE | (line & 0xff) | (line >> 8 & 0xff) << 2 * TILE_FIELD | (line >> 16) << 4 * TILE_FIELD;
}

static inline uint64_t line_of_tile(uint64_t tile)
{
	return (tile & 0xff) | (tile >> 2 * TILE_FIELD & 0xff) << 8 | (tile >> 4 * TILE_FIELD & 0xff) << 16;
}

/*
 * Not 0 when one of the ranges of a tile has the first page and so many more. From each field that of the pages is taken, which all end in
 * the tile: no field borrows then, and the bit above it stays where the page is not beyond.
 */
static inline uint64_t tile_has(uint64_t tile, uint64_t first, uint64_t more)
{
	uint64_t left = (tile | TILE_ABOVE) - (TILE_PAGES - 1) * TILE_FIRSTS + first * (TILE_FIRSTS - TILE_LASTS) - more * TILE_LASTS;

	return left & left >> TILE_FIELD & TILE_FIRSTS << (TILE_FIELD - 1);
}

/* Where there are lines only, each tile has its own. */
static inline bool coverage_is_dense(const struct ds_coverage *coverage)
{
	return !coverage->tiles;
}

/* Where to look for a page, for a prefetch; one without a tile gives the first one. */
static inline const void *coverage_place(const struct ds_coverage *coverage, uint64_t pa)
{
	uint64_t number = (pa >> (COVERAGE_SHIFT + TILE_SHIFT)) - coverage->first_tile;

	number = number < coverage->tile_count ? number : 0;
	return coverage_is_dense(coverage) ? coverage->lines + TILE_PAGES / 64 * number : coverage->tiles + number;
}

/* Whether a line has all of these pages. */
bool coverage_line_has(const struct ds_coverage *coverage, uint64_t line, uint64_t first, uint64_t last);

/* The same for pages in one word of it; false also when they are in two. */
static inline bool coverage_line_has_few(const struct ds_coverage *coverage, uint64_t line, uint64_t first, uint64_t more)
{
	uint64_t word = coverage->lines[TILE_PAGES / 64 * line + first / 64] >> first % 64;

	return (first % 64 + more < 64) & !(~word << (63 - (more & 63)));
}

/* Whether pages of one tile are all inside. False may also mean that this cannot be told from the tile: then the edges know. */
static inline bool coverage_has_few(const struct ds_coverage *coverage, uint64_t pa, uint64_t count)
{
	uint64_t number = (pa >> (COVERAGE_SHIFT + TILE_SHIFT)) - coverage->first_tile, tile;
	uint64_t first = pa >> COVERAGE_SHIFT & (TILE_PAGES - 1), last = first + count - 1;

	if (number >= coverage->tile_count || last >= TILE_PAGES)
		return false;
	if (coverage_is_dense(coverage))
		return coverage_line_has(coverage, number, first, last);
	tile = coverage->tiles[number];
	return tile & TILE_LINE ? coverage_line_has(coverage, line_of_tile(tile), first, last) : tile_has(tile, first, count - 1) != 0;
}

/* Whether all bytes are inside of one range. near: any number, and the same variable again next time. */
bool coverage_has(const struct ds_coverage *coverage, uint64_t pa, uint64_t size, size_t *near);

/* Notes which of the bytes at pa are not inside; iova is where the first of them is mapped. */
void coverage_add_gaps(const struct ds_coverage *inside, const struct ds_coverage *scratch, uint64_t iova, uint64_t pa, uint64_t size,
		       struct ds_gaps *gaps);

#endif
