// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The radix tree in which KHO hands over its map of preserved pages: walk, and build.
 *
 * Both go through the keys in ascending order with one node for each level in hand, so neither searches nor recurses.
 */
#include "radix.h"

/* ---- walk ---- */

struct table {
	const uint8_t *words;
	uint64_t pa;
	uint64_t prefix;	/* the key bits above this table */
	uint64_t next;		/* the entry to look at next */
};

struct walk {
	struct shape shape;
	const struct ds_memory *memory;
	uint64_t *visited;
	size_t region;
	struct ds_radix_found *found;
	struct table tables[MAX_DEPTH];
};

/* A pointer to a node: where it stands, what it says, which keys are below it. */
struct link {
	uint64_t slot_pa;
	uint64_t pa;
	uint64_t prefix;
	uint32_t level;
};

static void link_problem(struct walk *walk, const struct link *link, uint32_t code)
{
	uint32_t used = (walk->shape.root_level - link->level) * walk->shape.table_bits;

	problem_add(&walk->found->problems, (struct ds_problem){ .pa = link->slot_pa, .value = link->pa, .code = code,
								 .key = UINT64_C(1) << used | link->prefix, .level = link->level });
}

/* The page of a node that has not been entered before, or NULL and a problem. */
static const uint8_t *enter(struct walk *walk, const struct link *link)
{
	struct ds_radix_found *found = walk->found;
	const uint8_t *page;
	uint64_t unit;

	if (link->pa & (walk->shape.page_size - 1)) {
		link_problem(walk, link, DS_MISALIGNED);
		return NULL;
	}
	page = memory_at(walk->memory, link->pa, walk->shape.page_size, &walk->region, &unit);
	if (!page) {
		link_problem(walk, link, DS_NOT_IN_MEMORY);
		return NULL;
	}
	if (walk->visited[unit / 64] >> unit % 64 & 1) {
		link_problem(walk, link, DS_VISITED_TWICE);
		return NULL;
	}
	walk->visited[unit / 64] |= UINT64_C(1) << unit % 64;
	if (found->nodes_count < found->nodes_capacity)
		found->nodes[found->nodes_count] = link->pa;
	found->nodes_count++;
	return page;
}

static bool any_bit(const uint8_t *words, uint32_t first, uint32_t count, int swap)
{
	while (count) {
		uint32_t many = 64 - first % 64 < count ? 64 - first % 64 : count;
		uint64_t word = load64_of(words + first / 64 * 8, swap) >> first % 64;

		if (many < 64 ? word & ((UINT64_C(1) << many) - 1) : word)
			return true;
		first += many;
		count -= many;
	}
	return false;
}

/* count bits of a leaf from first on are blocks of one order from pa on: a bitmap, cut at the highest address. */
static void add_blocks(struct walk *walk, const struct link *leaf, const uint8_t *words, struct ds_bitmap map)
{
	struct ds_radix_found *found = walk->found;
	uint64_t fitting = map.pa < PA_LIMIT ? (PA_LIMIT - map.pa) >> map.shift : 0;

	if (fitting < map.count) {
		uint32_t kept = (uint32_t)fitting;

		if (any_bit(words, map.first + kept, map.count - kept, (int)walk->shape.swap))
			link_problem(walk, leaf, DS_ADDRESS_TOO_WIDE);
		map.count = kept;
		if (!kept)
			return;
	}
	map.words = words;
	if (found->bitmaps_count < found->bitmaps_capacity)
		found->bitmaps[found->bitmaps_count] = map;
	found->bitmaps_count++;
}

static void add_leaf(struct walk *walk, const struct link *leaf, const uint8_t *words)
{
	const struct shape *shape = &walk->shape;
	uint32_t top = shape->key_bits - 1;

	if (leaf->prefix) {
		/* All keys of the leaf share their highest bit: one order. */
		uint32_t highest = 63 - (uint32_t)__builtin_clzll(leaf->prefix) + shape->leaf_bits;
		uint32_t order = top - highest;
		uint64_t block = (leaf->prefix << shape->leaf_bits) - (UINT64_C(1) << highest);

		add_blocks(walk, leaf, words, (struct ds_bitmap){ .count = 1u << shape->leaf_bits, .order = order,
								  .shift = shape->page_shift + order,
								  .pa = block << (shape->page_shift + order) });
		return;
	}
	/* The first leaf of all: keys 1, 2 to 3, 4 to 7... are orders of their own, from the highest down. Key 1 is 2^64 bytes. */
	if (load64_of(words, (int)shape->swap) & 1)
		link_problem(walk, leaf, DS_KEY_ZERO);
	if (load64_of(words, (int)shape->swap) & 2)
		link_problem(walk, leaf, DS_ADDRESS_TOO_WIDE);
	for (uint32_t bit = 1; bit < shape->leaf_bits; bit++)
		add_blocks(walk, leaf, words, (struct ds_bitmap){ .first = 1u << bit, .count = 1u << bit, .order = top - bit,
								  .shift = shape->page_shift + top - bit });
}

/* Goes through the tables under root until the last entry of the root table. */
static void walk_tables(struct walk *walk, const uint8_t *root, uint64_t root_pa)
{
	const struct shape *shape = &walk->shape;
	uint64_t entries = UINT64_C(1) << shape->table_bits;
	uint64_t last_key = (UINT64_C(1) << shape->key_bits) - 1;
	uint32_t level = shape->root_level;

	walk->tables[level] = (struct table){ .words = root, .pa = root_pa };
	while (level <= shape->root_level) {
		struct table *table = &walk->tables[level];
		struct link link = { .level = level - 1 };
		const uint8_t *page;
		uint64_t index;

		if (table->next == entries) {
			level++;
			continue;
		}
		index = table->next++;
		link.pa = load64_of(table->words + 8 * index, (int)shape->swap);
		if (!link.pa)
			continue;
		link.slot_pa = table->pa + 8 * index;
		link.prefix = table->prefix << shape->table_bits | index;
		if (link.prefix > last_key >> bits_below(shape, link.level)) {
			link_problem(walk, &link, DS_KEY_TOO_WIDE);
			continue;
		}
		page = enter(walk, &link);
		if (!page)
			continue;
		if (link.level)
			walk->tables[--level] = (struct table){ .words = page, .pa = link.pa, .prefix = link.prefix };
		else
			add_leaf(walk, &link, page);
	}
}

int ds_radix_walk(const struct ds_memory *memory, const struct ds_radix *radix, uint64_t root_pa, uint64_t *visited,
		  struct ds_radix_found *ret)
{
	struct walk walk = { .memory = memory, .visited = visited, .found = ret };
	struct link root = { .pa = root_pa };
	const uint8_t *page;
	int status;

	ret->bitmaps_count = ret->nodes_count = ret->problems.count = 0;
	status = shape_init(radix, &walk.shape);
	if (status)
		return status;
	root.level = walk.shape.root_level;
	page = enter(&walk, &root);
	if (page)
		walk_tables(&walk, page, root_pa);
	if (ret->bitmaps_count > ret->bitmaps_capacity || ret->nodes_count > ret->nodes_capacity)
		return DS_ESPACE;
	return DS_OK;
}

/* ---- build ---- */

struct build {
	struct shape shape;
	const uint64_t *node_pas;
	uint8_t *pages;
	size_t capacity;
	size_t used;
	uint64_t leaf;			/* the leaf prefix in hand */
	size_t path[MAX_DEPTH];		/* the nodes that lead there, by level */
};

static size_t add_node(struct build *build)
{
	size_t node = build->used++;

	if (node < build->capacity)
		memset(build->pages + node * build->shape.page_size, 0, build->shape.page_size);
	return node;
}

/* Makes the leaf of this prefix the one in hand. Prefixes come in ascending order: a node that is left is complete. */
static void go_to_leaf(struct build *build, uint64_t leaf)
{
	const struct shape *shape = &build->shape;
	uint32_t level = shape->root_level;

	/* Down to where the way to the new leaf parts from the way to the old one. */
	if (build->used > 1)
		while (level && leaf >> (level - 1) * shape->table_bits == build->leaf >> (level - 1) * shape->table_bits)
			level--;
	for (; level; level--) {
		uint64_t index = leaf >> (level - 1) * shape->table_bits & ((UINT64_C(1) << shape->table_bits) - 1);
		size_t parent = build->path[level], child = add_node(build);

		build->path[level - 1] = child;
		if (child < build->capacity)
			store64_of(build->pages + parent * shape->page_size + 8 * index, build->node_pas[child], (int)shape->swap);
	}
	build->leaf = leaf;
}

static void set_bits(uint8_t *words, uint32_t first, uint32_t count, int swap)
{
	while (count) {
		uint32_t bit = first % 64, many = 64 - bit < count ? 64 - bit : count;
		uint64_t ones = many < 64 ? ((UINT64_C(1) << many) - 1) << bit : ~UINT64_C(0);
		uint8_t *word = words + first / 64 * 8;

		store64_of(word, load64_of(word, swap) | ones, swap);
		first += many;
		count -= many;
	}
}

/* The first key of a run, or 0 when the run is not what the header asks for. */
static uint64_t run_key(const struct shape *shape, const struct ds_run *run)
{
	uint32_t shift = shape->page_shift + run->order;
	uint32_t depth_bits = bits_below(shape, shape->root_level);
	uint32_t top;

	if (run->order >= shape->key_bits || shift >= 64 || !run->blocks || run->pa >= PA_LIMIT)
		return 0;
	top = shape->key_bits - 1 - run->order;
	if (top >= depth_bits || run->pa & ((UINT64_C(1) << shift) - 1) || run->blocks > (PA_LIMIT - run->pa) >> shift)
		return 0;
	return UINT64_C(1) << top | run->pa >> shift;
}

int ds_radix_build(const struct ds_radix *radix, const struct ds_run *runs, size_t count, const uint64_t *node_pas,
		   size_t capacity, void *pages, size_t *ret)
{
	struct build build = { .node_pas = node_pas, .pages = pages, .capacity = capacity };
	uint64_t above = 0;
	int status;

	status = shape_init(radix, &build.shape);
	if (status)
		return status;
	build.path[build.shape.root_level] = add_node(&build);
	for (size_t i = 0; i < count; i++) {
		uint64_t key = run_key(&build.shape, &runs[i]), left = runs[i].blocks;

		if (!key)
			return DS_EINVAL;
		if (key < above)
			return DS_EORDER;
		above = key + left;
		while (left) {
			uint32_t leaf_size = 1u << build.shape.leaf_bits;
			uint32_t first = (uint32_t)(key & (leaf_size - 1));
			uint32_t many = left < leaf_size - first ? (uint32_t)left : leaf_size - first;

			if (build.used == 1 || key >> build.shape.leaf_bits != build.leaf)
				go_to_leaf(&build, key >> build.shape.leaf_bits);
			if (build.used <= capacity)
				set_bits(build.pages + build.path[0] * build.shape.page_size, first, many, (int)build.shape.swap);
			key += many;
			left -= many;
		}
	}
	*ret = build.used;
	return build.used > capacity ? DS_ESPACE : DS_OK;
}
