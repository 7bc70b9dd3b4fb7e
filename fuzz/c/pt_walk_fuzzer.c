// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A walk of hostile page tables of any format ends and reads no byte that is not there; extents ascend, whole or in chunks they are
 * the same; leaves and extents cover as much; comparisons account for every byte; ds_pt_tables() lists each table once, and counts without room what it lists with.
 *
 * The input says the format and how many tables there are, each in a region of its own, and then writes entries into them: pointers to
 * each other, leaves, any bits.
 */
#include "tables.h"

/* All extents, in chunks; the count may be larger than MOST, which are kept. */
static size_t walk_all(struct ds_pt_walk *walk, uint64_t *visited, uint64_t words, size_t chunk, struct ds_pt_extent *extents)
{
	struct ds_pt_extent *room = exact(NULL, chunk * sizeof(*room));
	size_t used, total = 0;

	memset(visited, 0, words * 8);
	walk->visited = visited;
	walk->budget = 1 << 20;
	HOLDS(ds_pt_walk_begin(walk) == DS_OK);
	do {
		HOLDS(ds_pt_walk_next(walk, room, chunk, &used) == DS_OK && used <= chunk);
		for (size_t i = 0; i < used; i++, total++)
			if (total < MOST)
				extents[total] = room[i];
	} while (used);
	HOLDS(ds_pt_walk_next(walk, room, chunk, &used) == DS_OK && !used);
	free(room);
	return total;
}

static uint64_t leaf_bytes(const struct ds_pt_walk *walk)
{
	uint64_t bytes = 0;

	for (int shift = 0; shift < 64; shift++)
		bytes += walk->leaves[shift] << shift;
	return bytes;
}

static void check_walks(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t units, size_t chunk)
{
	struct ds_problem problems[3];
	struct ds_pt_walk walk = { .memory = memory, .root = *root, .attributes = UINT64_MAX,
				   .problems = { .list = problems, .capacity = 3 } };
	struct ds_pt_extent *whole = exact(NULL, MOST * sizeof(*whole)), *pieces = exact(NULL, MOST * sizeof(*pieces));
	uint64_t words = units / 64 + 1, bytes = 0, joined = 0, *visited = exact(NULL, words * 8);
	size_t leaves = walk_all(&walk, visited, words, 4096, whole), problem_count = walk.problems.count, merged;

	for (size_t i = 0; i < leaves && i < MOST; i++) {
		HOLDS(whole[i].size && (whole[i].size & (whole[i].size - 1)) == 0);
		HOLDS(!i || whole[i].iova - whole[i - 1].iova >= whole[i - 1].size);
		bytes += whole[i].size;
	}
	HOLDS(leaves > MOST || bytes == leaf_bytes(&walk));
	HOLDS(walk_all(&walk, visited, words, chunk, pieces) == leaves && walk.problems.count == problem_count);
	HOLDS(!memcmp(whole, pieces, (leaves < MOST ? leaves : MOST) * sizeof(*whole)));
	walk.merge = 1;
	merged = walk_all(&walk, visited, words, chunk, pieces);
	HOLDS(merged <= leaves && walk.problems.count == problem_count && (leaves > MOST || leaf_bytes(&walk) == bytes));
	for (size_t i = 0; i < merged && i < MOST; i++)
		joined += pieces[i].size;
	HOLDS(merged > MOST || leaves > MOST || joined == bytes);
	free(visited);
	free(whole);
	free(pieces);
}

/* Each table marks a page at least; all that are marked come in order, in one piece or one by one. */
static void check_marked(const struct ds_memory *memory, const uint64_t *visited, size_t tables)
{
	uint64_t unit = 0, piece = 0, *pages, page;
	size_t count = ds_pt_marked(memory, visited, &unit, NULL, SIZE_MAX);

	HOLDS(count >= tables);
	unit = 0;
	pages = exact(NULL, count * sizeof(*pages));
	HOLDS(ds_pt_marked(memory, visited, &unit, pages, count) == count);
	for (size_t n = 0; n < count; n++) {
		HOLDS(!n || pages[n] > pages[n - 1]);
		HOLDS(ds_pt_marked(memory, visited, &piece, &page, 1) == 1 && page == pages[n]);
	}
	HOLDS(!ds_pt_marked(memory, visited, &piece, &page, 1) && !ds_pt_marked(memory, visited, &piece, &page, 1));
	free(pages);
}

static void check_tables(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t units)
{
	struct ds_pt_tables counted = { 0 }, listed = { 0 };
	uint64_t words = units / 64 + 1, *visited = exact(NULL, words * 8);

	HOLDS(ds_pt_tables(memory, root, visited, &counted) == DS_OK);
	HOLDS(counted.count <= MAX_TABLES);
	check_marked(memory, visited, counted.count);
	listed.capacity = counted.count;
	listed.pas = exact(NULL, counted.count * 8);
	listed.levels = exact(NULL, counted.count);
	memset(visited, 0, words * 8);
	HOLDS(ds_pt_tables(memory, root, visited, &listed) == DS_OK && listed.count == counted.count);
	HOLDS(listed.count && listed.pas[0] == root->top_pa && listed.levels[0] + 1u == root->levels);
	if (listed.count > 1) {
		listed.capacity--;
		memset(visited, 0, words * 8);
		HOLDS(ds_pt_tables(memory, root, visited, &listed) == DS_ESPACE && listed.count == counted.count);
	}
	free(visited);
	free(listed.pas);
	free(listed.levels);
}

/* A tree and itself, then that and the tree below its neighbour: what only one maps is how much more it maps. */
static void check_compare(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t units, uint64_t other_pa)
{
	struct ds_pt_walk walks[2] = { { .memory = memory, .root = *root }, { .memory = memory, .root = *root } };
	uint64_t words = units / 64 + 1, *visited[2] = { exact(NULL, words * 8), exact(NULL, words * 8) };
	struct ds_pt_extent room[2][3];

	for (int other = 0; other < 2; other++) {
		struct ds_pt_compare compare = { 0 };
		struct ds_pt_difference found[2];
		uint64_t end = 0;
		size_t used;

		for (int side = 0; side < 2; side++) {
			memset(visited[side], 0, words * 8);
			walks[side].visited = visited[side];
			walks[side].budget = 1 << 18;
			walks[side].merge = 1;
			HOLDS(ds_pt_walk_begin(&walks[side]) == DS_OK);
			compare.sides[side] = (struct ds_pt_side){ .walk = &walks[side], .room = room[side], .capacity = 3 };
		}
		do {
			HOLDS(ds_pt_compare_next(&compare, found, 2, &used) == DS_OK);
			for (size_t i = 0; i < used; i++) {
				HOLDS(found[i].size && found[i].iova >= end && found[i].kind < DS_PT_DIFFERENCES);
				end = found[i].iova + (found[i].size - 1);
			}
			HOLDS(other || !used);
		} while (used);
		HOLDS(leaf_bytes(&walks[0]) - compare.totals[DS_PT_ONLY_OLD] + compare.totals[DS_PT_ONLY_NEW] == leaf_bytes(&walks[1]));
		walks[1].root.top_pa = other_pa;
	}
	free(visited[0]);
	free(visited[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t number = take(&input, 1), how = take(&input, 1), shape = take(&input, 1), units, table_size;
	struct ds_pt_root root = take_root(number, how, shape);
	size_t count = 1 + (how >> 2) % MAX_TABLES;
	struct ds_region regions[MAX_TABLES];
	struct ds_memory memory = { .regions = regions, .count = count };
	uint8_t *pages[MAX_TABLES];

	table_size = UINT64_C(8) << root.format->index_bits;
	for (size_t i = 0; i < count; i++) {
		pages[i] = exact(NULL, table_size);
		regions[i] = (struct ds_region){ .pa = BASE + i * ROOM, .size = table_size, .base = pages[i] };
	}
	write_entries(&input, root.format, pages, count, table_size);
	HOLDS(ds_memory_init(regions, count, &units) == DS_OK);
	check_walks(&memory, &root, units, 1 + (number >> 4));
	check_tables(&memory, &root, units);
	check_compare(&memory, &root, units, BASE + ROOM);
	for (size_t i = 0; i < count; i++)
		free(pages[i]);
	return 0;
}
