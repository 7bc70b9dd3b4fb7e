// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whether memory is inside of sorted ranges, and what of it is not.
 *
 * Two ways lead to the answer. A few pages are looked up in a bitmap: one load, wherever they are. Many pages at once are a
 * binary search in the edges of the ranges, which takes no longer the more there are. The edges also are what is exact: a bit
 * is only set for a page that is wholly inside, and a page without a bit is asked about a second time.
 */
#include "coverage.h"

/* Above this many pages the bits take longer than the edges. */
#define MOST_BITS 1024

/* Ranges whose bytes are in one sum. */
#define SUMMED 64

size_t ds_coverage_sums(size_t count)
{
	return count / 2 / SUMMED + 1;
}

static void set_few(uint8_t *bits, uint64_t first, uint64_t count)
{
	uint64_t word = load64_le(bits + first / 8) | ((UINT64_C(1) << count) - 1) << first % 8;

	store64_of(bits + first / 8, word, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static void set_bits(uint8_t *bits, uint64_t first, uint64_t end)
{
	while (first < end) {
		uint64_t count = end - first;

		if (count <= MOST_BITS) {
			count = count < COVERAGE_LOAD ? count : COVERAGE_LOAD - 1;
			set_few(bits, first, count);
		} else if (first % 8) {
			count = 8 - first % 8;
			set_few(bits, first, count);
		} else {
			count -= count % 8;
			memset(bits + first / 8, 0xff, count / 8);
		}
		first += count;
	}
}

/* Sets the bits of all pages that are wholly in a range. */
static void set_range(struct ds_coverage *coverage, uint64_t start, uint64_t end)
{
	uint64_t above = coverage->first_page + coverage->pages;
	uint64_t first = (start >> COVERAGE_SHIFT) + (start % COVERAGE_PAGE != 0), last = end >> COVERAGE_SHIFT;

	first = first > coverage->first_page ? first : coverage->first_page;
	last = last < above ? last : above;
	if (first < last)
		set_bits(coverage->bits, first - coverage->first_page, last - coverage->first_page);
}

int ds_coverage_init(struct ds_coverage *coverage)
{
	uint64_t sum = 0;

	if (coverage->count % 2 || coverage->first_page > UINT64_MAX - coverage->pages)
		return DS_EINVAL;
	if (!coverage->bits)
		coverage->pages = 0;
	coverage->sums[0] = 0;
	for (size_t i = 0; i < coverage->count; i += 2) {
		uint64_t start = coverage->edges[i], end = coverage->edges[i + 1];

		if (start >= end || (i && start <= coverage->edges[i - 1]))
			return DS_EORDER;
		if (coverage->bits)
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
	uint64_t page = (pa >> COVERAGE_SHIFT) - coverage->first_page;
	uint64_t count = (size >> COVERAGE_SHIFT) + ((pa % COVERAGE_PAGE + size % COVERAGE_PAGE + COVERAGE_PAGE - 1) >> COVERAGE_SHIFT);

	if (page < coverage->pages && count <= coverage->pages - page && count <= MOST_BITS) {
		uint64_t done = 0;

		while (count - done > COVERAGE_LOAD - 1 && coverage_has_few(coverage, pa + (done << COVERAGE_SHIFT), COVERAGE_LOAD - 1))
			done += COVERAGE_LOAD - 1;
		if (count - done < COVERAGE_LOAD && coverage_has_few(coverage, pa + (done << COVERAGE_SHIFT), count - done))
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

		if (inside->bits && count - i > ahead)
			__builtin_prefetch(coverage_bits(inside, extents[i + ahead].pa));
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
