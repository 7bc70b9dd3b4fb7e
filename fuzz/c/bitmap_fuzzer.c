// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Bitmaps of blocks: the ranges are those that one finds bit by bit, counting and scanning agree, no edge is written beyond
 * what was counted, and the joined ranges are sorted, disjoint, and cover as much as the bits do less what they share.
 */
#include "harness.h"

#define PAGE 4096
#define MAX_MAPS 8
#define MAX_PAGES 4096

/* Which pages of the lowest MAX_PAGES are preserved, and by how many blocks. */
static uint8_t pages[MAX_PAGES];

static void count_pages(const struct ds_bitmap *map, bool swap, uint64_t *blocks)
{
	for (uint32_t n = 0; n < map->count; n++) {
		uint32_t bit = map->first + n;

		if (!(get64((const uint8_t *)map->words + bit / 64 * 8, swap) >> bit % 64 & 1))
			continue;
		blocks[map->order]++;
		for (uint64_t page = 0; page < UINT64_C(1) << map->order; page++)
			pages[map->pa / PAGE + ((uint64_t)n << map->order) + page]++;
	}
}

static size_t take_maps(struct input *input, struct ds_bitmap *maps)
{
	size_t count = take(input, 1) % (MAX_MAPS + 1);
	uint32_t order = 3;
	uint64_t page = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t how = take(input, 1);
		uint32_t bits, first = 0;
		size_t words;

		if (how & 1 && order) {
			order--;
			page = 0;
		}
		page += (how >> 1 & 7) * (how & 16 ? 1 : 0);
		bits = 1 + (uint32_t)take(input, 1);
		if (bits <= 64 && how & 32)
			first = (uint32_t)take(input, 1) % (65 - bits);
		if (page + ((uint64_t)bits << order) > MAX_PAGES)
			return i;
		words = (first + bits + 63) / 64;
		uint8_t *made = exact(NULL, words * 8);

		for (size_t n = 0; n < words; n++)
			put64(made + 8 * n, how & 64 ? 0 - take(input, 1) % 2 : take(input, 8), false);
		maps[i] = (struct ds_bitmap){ .words = made, .pa = page * PAGE, .first = first, .count = bits, .shift = 12 + order,
					      .order = order };
		page += (uint64_t)bits << order;
	}
	return count;
}

static void check_joined(const uint64_t *edges, const struct ds_scan *scan)
{
	uint64_t *out = exact(NULL, scan->total * 8), shared = 0, covered = 0, claimed = 0;
	struct ds_problems problems = { 0 };
	size_t used = 0;

	HOLDS(ds_edges_merge(edges, scan, out, scan->total, &problems, &used) == DS_OK);
	for (size_t i = 0; i < used; i += 2) {
		HOLDS(out[i] < out[i + 1] && (!i || out[i - 1] < out[i]));
		covered += (out[i + 1] - out[i]) / PAGE;
		for (uint64_t page = out[i] / PAGE; page < out[i + 1] / PAGE; page++)
			HOLDS(pages[page]);
	}
	for (size_t page = 0; page < MAX_PAGES; page++) {
		claimed += !!pages[page];
		shared += pages[page] > 1;
	}
	HOLDS(claimed == covered && !!shared == !!problems.count);
	if (used)
		HOLDS(ds_edges_merge(edges, scan, out, used - 1, &problems, &used) == DS_ESPACE);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	bool swap = take(&input, 1) & 1;
	struct ds_bitmap maps[MAX_MAPS];
	size_t count = take_maps(&input, maps);
	uint64_t blocks[DS_ORDERS] = { 0 };
	struct ds_scan counted, scanned;
	uint64_t *edges;

	memset(pages, 0, sizeof(pages));
	for (size_t i = 0; i < count; i++)
		count_pages(&maps[i], swap, blocks);
	HOLDS(ds_bitmaps_count(maps, count, swap, &counted) == DS_OK);
	HOLDS(!memcmp(blocks, counted.blocks, sizeof(blocks)));
	edges = exact(NULL, counted.total * 8);
	HOLDS(ds_bitmaps_scan(maps, count, swap, edges, counted.total, &scanned) == DS_OK);
	HOLDS(!memcmp(&counted, &scanned, sizeof(scanned)));
	check_joined(edges, &scanned);
	if (counted.total) {
		edges = realloc(edges, counted.total * 8 - 8 ? counted.total * 8 - 8 : 1);
		HOLDS(ds_bitmaps_scan(maps, count, swap, edges, counted.total - 1, &scanned) == DS_ESPACE);
	}
	for (size_t i = 0; i < count; i++)
		free((void *)maps[i].words);
	free(edges);
	return 0;
}
