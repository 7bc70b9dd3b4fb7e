// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A tree that was built from runs of blocks is walked back to just those runs, has as many nodes as were counted, and is not
 * written beyond them. The same blocks as a list are the same tree.
 */
#include "harness.h"

#define MAX_RUNS 24
#define NODES_AT UINT64_C(0x40000000)

static size_t take_runs(struct input *input, uint32_t page_shift, struct ds_run *runs)
{
	size_t count = take(input, 1) % (MAX_RUNS + 1);
	uint32_t order = 12;
	uint64_t block = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t how = take(input, 1);

		if (how & 1 && order) {
			order -= how & 2 && order > 3 ? 4 : 1;
			block = 0;
		}
		block += how & 4 ? take(input, 1) : 0;
		block += how & 8 ? take(input, 3) << 4 : 0;
		runs[i] = (struct ds_run){ .pa = block << (page_shift + order), .order = order,
					   .blocks = 1 + (how & 16 ? take(input, 2) : take(input, 1) % 70) };
		if (block + runs[i].blocks > UINT64_C(1) << (DS_PA_BITS - page_shift - order))
			return i;
		block += runs[i].blocks;
	}
	return count;
}

/* Each run begins a range, unless it goes on where the one before ended; a range ends where its last run does. */
static void check_edges(const struct ds_run *runs, size_t count, uint32_t page_shift, const uint64_t *edges, const struct ds_scan *scan)
{
	uint64_t blocks[DS_ORDERS] = { 0 }, end = 0;
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		if (!i || runs[i].order != runs[i - 1].order || runs[i].pa != end) {
			HOLDS(!i || edges[at++] == end);
			HOLDS(at < scan->total && edges[at++] == runs[i].pa);
		}
		end = runs[i].pa + (runs[i].blocks << (page_shift + runs[i].order));
		blocks[runs[i].order] += runs[i].blocks;
	}
	HOLDS(!count || (at < scan->total && edges[at++] == end));
	HOLDS(at == scan->total && !memcmp(blocks, scan->blocks, sizeof(blocks)));
}

/* The blocks of one order as a list, backwards when the first of them is odd, are the tree of the runs of that order. */
static void check_pages(const struct ds_radix *radix, const struct ds_run *runs, size_t count)
{
	uint64_t page_size = UINT64_C(1) << radix->page_shift, *blocks, *node_pas;
	size_t total = 0, nodes, used, last = 0, n = 0;
	uint8_t *pages, *made;

	while (last < count && runs[last].order == runs[0].order)
		total += runs[last++].blocks;
	if (!total || total > 1 << 14)
		return;
	HOLDS(ds_radix_build(radix, runs, last, NULL, 0, NULL, &nodes) == DS_ESPACE);
	blocks = exact(NULL, total * 8);
	node_pas = exact(NULL, nodes * 8);
	pages = exact(NULL, nodes * page_size);
	made = exact(NULL, nodes * page_size);
	for (size_t i = 0; i < nodes; i++)
		node_pas[i] = NODES_AT + i * page_size;
	for (size_t i = 0; i < last; i++)
		for (uint64_t k = 0; k < runs[i].blocks; k++)
			blocks[n++] = (runs[i].pa >> (radix->page_shift + runs[i].order)) + k;
	HOLDS(ds_radix_build(radix, runs, last, node_pas, nodes, pages, &used) == DS_OK);
	if (nodes > 1)
		HOLDS(ds_radix_build_pages(radix, runs[0].order, blocks, total, node_pas, nodes - 1, made, &used) == DS_ESPACE);
	HOLDS(ds_radix_build_pages(radix, runs[0].order, blocks, total, node_pas, nodes, made, &used) == DS_OK && used == nodes);
	HOLDS(!memcmp(pages, made, nodes * page_size));
	for (size_t i = 0; blocks[0] & 1 && i < total / 2; i++) {
		uint64_t block = blocks[i];

		blocks[i] = blocks[total - 1 - i];
		blocks[total - 1 - i] = block;
	}
	HOLDS(ds_radix_build_pages(radix, runs[0].order, blocks, total, node_pas, nodes, made, &used) == DS_OK && used == nodes);
	blocks[total - 1] = UINT64_C(1) << (DS_PA_BITS - radix->page_shift - runs[0].order);
	HOLDS(ds_radix_build_pages(radix, runs[0].order, blocks, total, node_pas, nodes, made, &used) == DS_EINVAL);
	free(blocks);
	free(node_pas);
	free(pages);
	free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ds_radix shapes[] = { { 12, 6, 0 }, { 14, 5, 0 }, { 16, 4, 0 }, { 12, 6, 1 } };
	struct input input = { data, size };
	const struct ds_radix *radix = &shapes[take(&input, 1) % 4];
	uint64_t page_size = UINT64_C(1) << radix->page_shift, units, *node_pas, *visited, *edges;
	struct ds_radix_found found = { 0 };
	struct ds_run runs[MAX_RUNS];
	struct ds_region region;
	struct ds_memory memory = { .regions = &region, .count = 1 };
	size_t count = take_runs(&input, radix->page_shift, runs), nodes = 0, again = 0;
	struct ds_scan scan;
	uint8_t *pages;

	HOLDS(ds_radix_build(radix, runs, count, NULL, 0, NULL, &nodes) == DS_ESPACE && nodes >= 1);
	node_pas = exact(NULL, nodes * 8);
	pages = exact(NULL, nodes * page_size);
	for (size_t i = 0; i < nodes; i++)
		node_pas[i] = NODES_AT + i * page_size;
	if (nodes > 1)
		HOLDS(ds_radix_build(radix, runs, count, node_pas, nodes - 1, pages, &again) == DS_ESPACE && again == nodes);
	HOLDS(ds_radix_build(radix, runs, count, node_pas, nodes, pages, &again) == DS_OK && again == nodes);

	region = (struct ds_region){ .pa = NODES_AT, .size = nodes * page_size, .base = pages };
	HOLDS(ds_memory_init(&region, 1, &units) == DS_OK);
	visited = calloc(units / 64 + 1, 8);
	found.bitmaps_capacity = found.nodes_capacity = nodes + 20;
	found.bitmaps = exact(NULL, found.bitmaps_capacity * sizeof(*found.bitmaps));
	found.nodes = exact(NULL, found.nodes_capacity * 8);
	HOLDS(ds_radix_walk(&memory, radix, NODES_AT, visited, &found) == DS_OK);
	HOLDS(found.nodes_count == nodes && !found.problems.count);
	HOLDS(ds_bitmaps_count(found.bitmaps, found.bitmaps_count, radix->swap, &scan) == DS_OK);
	edges = exact(NULL, scan.total * 8);
	HOLDS(ds_bitmaps_scan(found.bitmaps, found.bitmaps_count, radix->swap, edges, scan.total, &scan) == DS_OK);
	check_edges(runs, count, radix->page_shift, edges, &scan);
	check_pages(radix, runs, count);
	free(pages);
	free(node_pas);
	free(visited);
	free(found.bitmaps);
	free(found.nodes);
	free(edges);
	return 0;
}
