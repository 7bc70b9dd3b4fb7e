// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whether memory is inside of sorted ranges, and what of it is not.
 *
 * Two ways lead to the answer. A few pages are looked up in the tile of theirs: one load, from memory that is 4,000 times smaller than
 * theirs, so that it is in the cache. Many pages at once are a binary search in the edges of the ranges, which takes no longer the more
 * there are. The edges also are what is exact: what tiles do not know is asked about a second time.
 */
#include "coverage.h"

/* Above this many pages the tiles take longer than the edges. */
#define MOST_PAGES (8 * TILE_PAGES)

#define LINE_WORDS (TILE_PAGES / 64)

/* Ranges whose bytes are in one sum. */
#define SUMMED 64

size_t ds_coverage_sums(size_t count)
{
	return count / 2 / SUMMED + 1;
}

bool coverage_line_has(const struct ds_coverage *coverage, uint64_t line, uint64_t first, uint64_t last)
{
	const uint64_t *words = coverage->lines + LINE_WORDS * line;
	uint64_t low = ~UINT64_C(0) << first % 64, high = ~UINT64_C(0) >> (63 - last % 64);

	if (!coverage_is_dense(coverage) && line == TILE_NO_LINE)
		return false;
	if (first / 64 == last / 64)
		return (words[first / 64] & low & high) == (low & high);
	for (uint64_t word = first / 64 + 1; word < last / 64; word++)
		if (~words[word])
			return false;
	return (words[first / 64] & low) == low && (words[last / 64] & high) == high;
}

static void set_line(uint64_t *line, uint64_t first, uint64_t last)
{
	for (uint64_t page = first; page <= last;) {
		uint64_t end = (page | 63) < last ? page | 63 : last;

		line[page / 64] |= ~UINT64_C(0) >> (63 - (end - page)) << page % 64;
		page = end + 1;
	}
}

/* The ranges of a tile go into a line, when there is one left. */
static uint64_t make_line(struct ds_coverage *coverage, uint64_t tile)
{
	const uint64_t mask = TILE_PAGES - 1;
	uint64_t *line = coverage->lines + LINE_WORDS * coverage->line_count;

	if (coverage->line_count == coverage->line_capacity || coverage->line_count == TILE_NO_LINE)
		return tile_of_line(TILE_NO_LINE);
	for (int n = 0; n < TILE_RANGES; n++, tile >>= 2 * TILE_FIELD)
		set_line(line, mask - (tile & mask), tile >> TILE_FIELD & mask);
	return tile_of_line(coverage->line_count++);
}

static void set_tile(struct ds_coverage *coverage, uint64_t number, uint64_t first, uint64_t last)
{
	uint64_t tile, count;

	if (coverage_is_dense(coverage)) {
		set_line(coverage->lines + LINE_WORDS * number, first, last);
		return;
	}
	tile = coverage->tiles[number];
	count = tile >> TILE_COUNT_SHIFT;
	if (count < TILE_RANGES) {
		tile += UINT64_C(1) << TILE_COUNT_SHIFT;
		coverage->tiles[number] = tile | tile_range(first, last) << 2 * TILE_FIELD * count;
		return;
	}
	if (!(tile & TILE_LINE))
		coverage->tiles[number] = tile = make_line(coverage, tile);
	if (line_of_tile(tile) != TILE_NO_LINE)
		set_line(coverage->lines + LINE_WORDS * line_of_tile(tile), first, last);
}

/* Puts all pages that are wholly in a range into their tiles. */
static void set_range(struct ds_coverage *coverage, uint64_t start, uint64_t end)
{
	uint64_t lowest = coverage->first_tile << TILE_SHIFT, above = (coverage->first_tile + coverage->tile_count) << TILE_SHIFT;
	uint64_t page = (start >> COVERAGE_SHIFT) + (start % COVERAGE_PAGE != 0), stop = end >> COVERAGE_SHIFT;

	page = page > lowest ? page : lowest;
	stop = stop < above ? stop : above;
	while (page < stop) {
		uint64_t next = (page | (TILE_PAGES - 1)) + 1;

		next = next < stop ? next : stop;
		set_tile(coverage, (page >> TILE_SHIFT) - coverage->first_tile, page % TILE_PAGES, (next - 1) % TILE_PAGES);
		page = next;
	}
}

int ds_coverage_init(struct ds_coverage *coverage)
{
	uint64_t sum = 0;

	const uint64_t most = UINT64_C(1) << (64 - COVERAGE_SHIFT - TILE_SHIFT);

	if (coverage->count % 2 || coverage->first_tile > most || coverage->tile_count > most - coverage->first_tile ||
	    (!coverage->tiles && coverage->line_capacity < coverage->tile_count))
		return DS_EINVAL;
	coverage->sums[0] = coverage->line_count = 0;
	for (size_t i = 0; i < coverage->count; i += 2) {
		uint64_t start = coverage->edges[i], end = coverage->edges[i + 1];

		if (start >= end || (i && start <= coverage->edges[i - 1]))
			return DS_EORDER;
		set_range(coverage, start, end);
		sum += end - start;
		if (i / 2 % SUMMED == SUMMED - 1)
			coverage->sums[i / 2 / SUMMED + 1] = sum;
	}
	return DS_OK;
}

/* How many edges are at pa or below: an odd number when pa is inside. */
static size_t edges_up_to(const struct ds_coverage *coverage, uint64_t pa)
{
	size_t low = 0, high = coverage->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (coverage->edges[middle] <= pa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The same, when it may be the number that it was before. */
static size_t edges_near(const struct ds_coverage *coverage, uint64_t pa, size_t near)
{
	if (near && near < coverage->count && coverage->edges[near - 1] <= pa && pa < coverage->edges[near])
		return near;
	return edges_up_to(coverage, pa);
}

bool coverage_has(const struct ds_coverage *coverage, uint64_t pa, uint64_t size, size_t *near)
{
	uint64_t page = pa >> COVERAGE_SHIFT, left = size >> COVERAGE_SHIFT;

	left += (pa % COVERAGE_PAGE + size % COVERAGE_PAGE + COVERAGE_PAGE - 1) >> COVERAGE_SHIFT;
	if (left <= MOST_PAGES && coverage->tile_count) {
		while (left) {
			uint64_t room = TILE_PAGES - page % TILE_PAGES, count = left < room ? left : room;

			if (!coverage_has_few(coverage, page << COVERAGE_SHIFT, count))
				break;
			page += count;
			left -= count;
		}
		if (!left)
			return true;
	}
	*near = edges_near(coverage, pa, *near);
	return *near % 2 && size <= coverage->edges[*near] - pa;
}

/* The bytes of all ranges below pa. */
static uint64_t bytes_below(const struct ds_coverage *coverage, uint64_t pa)
{
	size_t edges = edges_up_to(coverage, pa), first = edges / 2 / SUMMED;
	uint64_t sum = coverage->sums[first];

	for (size_t range = first * SUMMED; range < edges / 2; range++)
		sum += coverage->edges[2 * range + 1] - coverage->edges[2 * range];
	return edges % 2 ? sum + (pa - coverage->edges[edges - 1]) : sum;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* False when there is no room for it. */
static bool list_gap(struct ds_gaps *gaps, struct ds_gap gap)
{
	struct ds_gap *last = gaps->count ? &gaps->list[gaps->count - 1] : NULL;

	if (last && last->kind == gap.kind && last->iova + last->size == gap.iova && last->pa + last->size == gap.pa) {
		last->size += gap.size;
		return true;
	}
	if (gaps->count == gaps->capacity)
		return false;
	gaps->list[gaps->count++] = gap;
	return true;
}

void coverage_add_gaps(const struct ds_coverage *inside, const struct ds_coverage *scratch, uint64_t iova, uint64_t pa, uint64_t size,
		       struct ds_gaps *gaps)
{
	uint64_t end = size < UINT64_MAX - pa ? pa + size : UINT64_MAX;
	uint64_t missing = end - pa - (bytes_below(inside, end) - bytes_below(inside, pa));
	uint64_t in_scratch = bytes_below(scratch, end) - bytes_below(scratch, pa), at = pa;

	gaps->bytes[DS_GAP_SCRATCH] = add(gaps->bytes[DS_GAP_SCRATCH], in_scratch);
	gaps->bytes[DS_GAP_NOT_PRESERVED] = add(gaps->bytes[DS_GAP_NOT_PRESERVED], missing - in_scratch);
	while (at < end) {
		size_t edge = edges_up_to(inside, at), border = edges_up_to(scratch, at);
		uint64_t stop = edge < inside->count && inside->edges[edge] < end ? inside->edges[edge] : end;

		if (edge % 2) {
			at = stop;
			continue;
		}
		if (border < scratch->count && scratch->edges[border] < stop)
			stop = scratch->edges[border];
		if (!list_gap(gaps, (struct ds_gap){ .iova = iova + (at - pa), .pa = at, .size = stop - at,
						     .kind = border % 2 ? DS_GAP_SCRATCH : DS_GAP_NOT_PRESERVED }))
			break;
		at = stop;
	}
}

int ds_coverage_check(const struct ds_coverage *inside, const struct ds_coverage *scratch, const struct ds_pt_extent *extents, size_t count,
		      struct ds_gaps *ret)
{
	const size_t ahead = 16;
	size_t near = 0;

	for (size_t i = 0; i < count; i++) {
		const struct ds_pt_extent *extent = &extents[i];

		if (count - i > ahead)
			__builtin_prefetch(coverage_place(inside, extents[i + ahead].pa));
		if (extent->size > UINT64_MAX - extent->pa)
			return DS_EINVAL;
		if (extent->size && !coverage_has(inside, extent->pa, extent->size, &near))
			coverage_add_gaps(inside, scratch, extent->iova, extent->pa, extent->size, ret);
	}
	return DS_OK;
}

int ds_edges_subtract(const uint64_t *edges, size_t count, const uint64_t *holes, size_t holes_count, uint64_t *out, size_t capacity,
		      size_t *ret)
{
	size_t used = 0, hole = 0;

	if (count % 2 || holes_count % 2)
		return DS_EINVAL;
	for (size_t i = 0; i < count; i += 2) {
		uint64_t at = edges[i], end = edges[i + 1];

		while (at < end) {
			uint64_t stop = end, next = end;

			while (hole < holes_count && holes[hole + 1] <= at)
				hole += 2;
			if (hole < holes_count && holes[hole] < end) {
				stop = holes[hole] > at ? holes[hole] : at;
				next = holes[hole + 1] < end ? holes[hole + 1] : end;
			}
			if (at < stop) {
				if (capacity - used < 2)
					return DS_ESPACE;
				out[used++] = at;
				out[used++] = stop;
			}
			at = next;
		}
	}
	*ret = used;
	return DS_OK;
}
