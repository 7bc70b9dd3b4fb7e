// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The pages that hold the tables of one tree.
 */
#include "pt.h"
#include "pt_stream.h"

int pt_root_check(const struct ds_pt_root *root)
{
	const struct ds_pt_format *format = root->format;
	uint32_t bits, most;

	if (!format || format->granule_shift < 12 || format->granule_shift > 16 || format->index_bits + 3 > format->granule_shift)
		return DS_EINVAL;
	if (!format->index_bits || root->levels < format->min_levels || root->levels > format->max_levels || !root->levels ||
	    root->levels > DS_PT_LEVELS)
		return DS_EINVAL;
	if (!root->top_entries || root->top_entries & (root->top_entries - 1) || format->concatenated > 4)
		return DS_EINVAL;
	bits = (uint32_t)__builtin_ctz(root->top_entries);
	most = format->index_bits + format->concatenated;
	if (bits > most || pt_shift(format, root->levels - 1) >= 64 || pt_shift(format, root->levels - 1) + bits > 64)
		return DS_EINVAL;
	if (root->sign_extended > DS_PT_UPPER || (root->sign_extended == 1 && !bits))
		return DS_EINVAL;
	if (root->top_pa & 7 || root->pa_bits > 64)
		return DS_EINVAL;
	return DS_OK;
}

struct place {
	const uint8_t *entries;
	uint64_t pa;
	uint64_t iova;
	uint32_t next;		/* the entry to look at next */
	uint32_t plain;		/* of the last four entries from a multiple of four on: a bit for each, that its table is plain */
	uint32_t count;
};

struct tables {
	const struct ds_memory *memory;
	const struct ds_pt_root *root;
	uint64_t *visited;
	size_t region;
	struct ds_pt_tables *found;
};

/* A pointer to a table, and the iova that it stands for. */
struct link {
	uint64_t slot_pa;
	uint64_t entry;
	uint64_t pa;
	uint64_t iova;
	uint32_t level;
	bool plain;		/* nothing in the table points to a table */
};

static void link_problem(struct tables *tables, const struct link *link, uint32_t code)
{
	problem_add(&tables->found->problems, (struct ds_problem){ .pa = link->slot_pa, .value = link->entry, .key = link->iova,
								   .code = code, .level = link->level });
}

/* The bytes of a table that has not been entered before, or NULL and a problem. */
static const uint8_t *enter(struct tables *tables, const struct link *link)
{
	struct ds_pt_tables *found = tables->found;
	uint64_t size = pt_table_size(tables->root, link->level), unit;
	const uint8_t *entries = memory_at(tables->memory, link->pa, size, &tables->region, &unit);

	if (!entries) {
		link_problem(tables, link, DS_NOT_IN_MEMORY);
		return NULL;
	}
	for (uint64_t n = unit; n <= unit + ((size - 1) >> 12); n++)
		if (tables->visited[n / 64] >> n % 64 & 1) {
			link_problem(tables, link, DS_PT_SHARED);
			return NULL;
		}
	for (uint64_t n = unit; n <= unit + ((size - 1) >> 12); n++)
		tables->visited[n / 64] |= UINT64_C(1) << n % 64;
	if (link->level >= found->lowest) {
		if (found->pas && found->listed < found->capacity) {
			found->pas[found->listed] = link->pa;
			found->levels[found->listed] = (uint8_t)link->level;
		}
		found->listed++;
	}
	found->count++;
	found->by_level[link->level]++;
	return entries;
}

/* So many entries are compared at a time, and so many tables read side by side: memory gives four pages in the time of one or two. */
#define ALIKE 8
#define FETCHED 512

/* The bits by which the entries of a table above level 0 are told apart. */
static uint64_t kind_bits(const struct ds_pt_format *format)
{
	return format->present | (format->flags & DS_PT_NEXT_LEVEL ? PT_NEXT_LEVEL_BITS : format->leaf_any);
}

/* Moves on while entries are, in some bits, like one that is no pointer. */
static void skip_alike(struct place *place, uint64_t like, uint64_t bits)
{
	for (; place->next + ALIKE <= place->count; place->next += ALIKE) {
		const uint8_t *at = place->entries + 8 * (size_t)place->next;
		uint64_t differ = 0;

		for (size_t n = 0; n < ALIKE; n++)
			differ |= load64_le(at + 8 * n) ^ like;
		if (differ & bits)
			return;
	}
}

/* The tables that four entries point to; false unless all do, to tables above level 0 that are in memory. */
static bool four_tables(struct tables *tables, const struct place *place, uint32_t index, uint32_t level, const uint8_t **ret)
{
	const struct ds_pt_format *format = tables->root->format;
	uint64_t unit;

	if (index + SIDE_BY_SIDE > place->count)
		return false;
	for (uint32_t n = 0, below; n < SIDE_BY_SIDE; n++) {
		uint64_t entry = load64_le(place->entries + 8 * (size_t)(index + n));

		if (pt_kind(format, entry, level, &below) != PT_TABLE || below + 1 != level || !below)
			return false;
		ret[n] = memory_at(tables->memory, pt_table_pa(format, entry), pt_table_size(tables->root, below), &tables->region, &unit);
		if (!ret[n])
			return false;
	}
	return true;
}

/* Which of the four tables from this entry on have nothing in them that points to a table, as far as that is soon found. */
static uint32_t find_plain(struct tables *tables, const struct place *place, uint32_t index, uint32_t level)
{
	const struct ds_pt_format *format = tables->root->format;
	uint64_t differ[SIDE_BY_SIDE], first;
	const uint8_t *four[SIDE_BY_SIDE], *following[SIDE_BY_SIDE];
	uint32_t below, plain = 0;

	if (!four_tables(tables, place, index, level, four))
		return 0;
	if (four_tables(tables, place, index + SIDE_BY_SIDE, level, following))
		for (size_t at = 0; at < FETCHED; at += 64)
			for (size_t n = 0; n < SIDE_BY_SIDE; n++)
				__builtin_prefetch(following[n] + at);
	pt_loops()->differ(four, pt_table_size(tables->root, level - 1), differ);
	for (uint32_t n = 0; n < SIDE_BY_SIDE; n++) {
		enum pt_kind kind;

		first = load64_le(four[n]);
		kind = pt_kind(format, first, level - 1, &below);
		plain |= (uint32_t)(kind != PT_TABLE && kind != PT_BAD_TABLE && !(differ[n] & kind_bits(format))) << n;
	}
	return plain;
}

/* The next pointer to a table in a table that is not a leaf table; false at its end. */
static bool next_link(struct tables *tables, struct place *place, uint32_t level, struct link *ret)
{
	const struct ds_pt_format *format = tables->root->format;

	while (place->next < place->count) {
		uint32_t index = place->next++, below;
		uint64_t entry = load64_le(place->entries + 8 * (size_t)index);
		enum pt_kind kind = pt_kind(format, entry, level, &below);

		if (level > 1 && index % SIDE_BY_SIDE == 0)
			place->plain = find_plain(tables, place, index, level);
		if (kind != PT_TABLE && kind != PT_BAD_TABLE) {
			if (place->next % ALIKE == 0)
				skip_alike(place, entry, kind_bits(format));
			continue;
		}
		*ret = (struct link){ .slot_pa = place->pa + 8 * (uint64_t)index, .entry = entry, .pa = pt_table_pa(format, entry),
				      .iova = place->iova + ((uint64_t)index << pt_shift(format, level)), .level = below,
				      .plain = place->plain >> index % SIDE_BY_SIDE & 1 };
		if (kind == PT_TABLE)
			return true;
		ret->level = level;
		link_problem(tables, ret, DS_PT_TABLE_LEVEL);
	}
	return false;
}

int ds_pt_tables(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t *visited, struct ds_pt_tables *ret)
{
	struct tables tables = { .memory = memory, .root = root, .visited = visited, .found = ret };
	struct place path[DS_PT_LEVELS];
	struct link link;
	uint32_t depth = 0, levels[DS_PT_LEVELS];

	ret->count = ret->listed = ret->problems.count = 0;
	memset(ret->by_level, 0, sizeof(ret->by_level));
	if (pt_root_check(root))
		return DS_EINVAL;
	link = (struct link){ .entry = root->top_pa, .pa = root->top_pa, .level = root->levels - 1 };
	for (;;) {
		const uint8_t *entries = enter(&tables, &link);

		/* All that a table of level 0 can hold is leaves: it is not read. */
		if (entries && link.level && !link.plain) {
			levels[depth] = link.level;
			path[depth++] = (struct place){ .entries = entries, .pa = link.pa, .iova = link.iova,
							.count = (uint32_t)(pt_table_size(root, link.level) / 8) };
		}
		while (depth && !next_link(&tables, &path[depth - 1], levels[depth - 1], &link))
			depth--;
		if (!depth)
			break;
	}
	return ret->pas && ret->listed > ret->capacity ? DS_ESPACE : DS_OK;
}

/* The region that a unit is in. */
static size_t region_of(const struct ds_memory *memory, uint64_t unit)
{
	size_t low = 0, high = memory->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (memory->regions[middle].first_unit <= unit)
			low = middle;
		else
			high = middle;
	}
	return low;
}

size_t ds_pt_marked(const struct ds_memory *memory, const uint64_t *visited, uint64_t *unit, uint64_t *pages, size_t capacity)
{
	const struct ds_region *last = memory->regions + memory->count - 1;
	uint64_t end = memory->count ? last->first_unit + (last->size >> PAGE_SHIFT) + 1 : 0, at = *unit;
	size_t region = memory->count ? region_of(memory, at) : 0, count = 0;

	while (at < end && count < capacity) {
		uint64_t bits = visited[at / 64] >> at % 64;

		if (!bits) {
			at = (at | 63) + 1;
			continue;
		}
		at += (uint32_t)__builtin_ctzll(bits);
		while (region + 1 < memory->count && memory->regions[region + 1].first_unit <= at)
			region++;
		if (pages)
			pages[count] = memory->regions[region].pa + ((at - memory->regions[region].first_unit) << PAGE_SHIFT);
		count++;
		at++;
	}
	*unit = at;
	return count;
}
