// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A walk of hostile pages ends, enters no page twice and reads none that is not there; what it finds can be scanned and joined.
 *
 * The input says how many pages there are, each in a region of its own, and then writes words into them: pointers to each
 * other, to nowhere, bits.
 */
#include "harness.h"

#define MAX_PAGES 8
#define BASE UINT64_C(0x100000)

static void write_words(struct input *input, uint8_t **pages, size_t count, uint64_t page_size, bool swap)
{
	while (input->left) {
		uint64_t how = take(input, 1), slot = take(input, 2) % (page_size / 8), value;
		uint8_t *page = pages[how % count];

		if (how & 16)
			slot &= 7;
		if (how & 128)
			value = take(input, 8);
		else
			value = BASE + take(input, 1) % (2 * MAX_PAGES) * page_size + (how & 64 ? 8 : 0);
		put64(page + 8 * slot, value, swap);
	}
}

static void check_ranges(const struct ds_radix_found *found, bool swap)
{
	struct ds_problems overlaps = { 0 };
	struct ds_scan counted, scanned;
	uint64_t *edges, *joined;
	size_t used;

	HOLDS(ds_bitmaps_count(found->bitmaps, found->bitmaps_count, swap, &counted) == DS_OK);
	edges = exact(NULL, counted.total * 8);
	joined = exact(NULL, counted.total * 8);
	HOLDS(ds_bitmaps_scan(found->bitmaps, found->bitmaps_count, swap, edges, counted.total, &scanned) == DS_OK);
	HOLDS(!memcmp(&counted, &scanned, sizeof(counted)));
	HOLDS(ds_edges_merge(edges, &scanned, joined, counted.total, &overlaps, &used) == DS_OK);
	for (size_t i = 1; i < used; i++)
		HOLDS(joined[i - 1] < joined[i]);
	free(edges);
	free(joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t shifts[] = { 12, 14, 16 };
	struct input input = { data, size };
	uint64_t how = take(&input, 1), units;
	struct ds_radix radix = { .page_shift = shifts[how % 3], .depth = 2 + (how >> 2 & 7) % 5, .swap = how >> 5 & 1 };
	uint64_t page_size = UINT64_C(1) << radix.page_shift;
	size_t count = 1 + take(&input, 1) % MAX_PAGES;
	struct ds_region regions[MAX_PAGES];
	struct ds_memory memory = { .regions = regions, .count = count };
	uint8_t *pages[MAX_PAGES];
	struct ds_radix_found found = { .bitmaps_capacity = count * 20, .nodes_capacity = count };
	struct ds_radix_found small = { 0 };
	uint64_t *visited;
	int status;

	for (size_t i = 0; i < count; i++) {
		pages[i] = exact(NULL, page_size);
		regions[i] = (struct ds_region){ .pa = BASE + 2 * i * page_size, .size = page_size, .base = pages[i] };
	}
	write_words(&input, pages, count, page_size, radix.swap);
	HOLDS(ds_memory_init(regions, count, &units) == DS_OK);
	found.bitmaps = exact(NULL, found.bitmaps_capacity * sizeof(*found.bitmaps));
	found.nodes = exact(NULL, count * 8);
	found.problems.list = exact(NULL, 2 * sizeof(struct ds_problem));
	found.problems.capacity = 2;
	visited = calloc(units / 64 + 1, 8);
	status = ds_radix_walk(&memory, &radix, BASE, visited, &found);
	HOLDS(status == DS_OK || status == DS_EINVAL);
	if (status == DS_OK) {
		HOLDS(found.nodes_count >= 1 && found.nodes_count <= count && found.bitmaps_count <= found.bitmaps_capacity);
		check_ranges(&found, radix.swap);
		memset(visited, 0, (units / 64 + 1) * 8);
		HOLDS(ds_radix_walk(&memory, &radix, BASE, visited, &small) == DS_ESPACE);
		HOLDS(small.nodes_count == found.nodes_count && small.bitmaps_count == found.bitmaps_count);
		HOLDS(small.problems.count == found.problems.count);
	}
	for (size_t i = 0; i < count; i++)
		free(pages[i]);
	free(visited);
	free(found.bitmaps);
	free(found.nodes);
	free(found.problems.list);
	return 0;
}
