/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What one entry of a page table says, for every format. These are the only readers of struct ds_pt_format.
 */
#ifndef DEVSTATE_PT_H
#define DEVSTATE_PT_H

#include "internal.h"

#include <stdbool.h>

/* The next-level field of AMD v1, which counts from 1; and its value for a leaf with its size in the address. */
#define PT_NEXT_LEVEL(entry) ((uint32_t)((entry) >> 9 & 7))
#define PT_NEXT_LEVEL_BITS (UINT64_C(7) << 9)
#define PT_SIZED 7

enum pt_kind {
	PT_EMPTY,
	PT_LEAF,
	PT_TABLE,
	PT_BAD_LEAF,	/* a leaf where none can be */
	PT_BAD_TABLE,	/* a pointer to a table where none can be */
};

/* log2 of the bytes that an entry of a level stands for: below 64 + DS_PT_LEVELS for every format and level. */
static inline uint32_t pt_shift(const struct ds_pt_format *format, uint32_t level)
{
	return format->granule_shift + level * format->index_bits;
}

/* What an entry is. below: the level of the table that a PT_TABLE points to. */
static inline enum pt_kind pt_kind(const struct ds_pt_format *format, uint64_t entry, uint32_t level, uint32_t *below)
{
	bool leaf = level == 0, can = format->leaf_levels >> level & 1;

	if (!(entry & format->present))
		return PT_EMPTY;
	*below = level - 1;
	if (format->flags & DS_PT_NEXT_LEVEL) {
		uint32_t next = PT_NEXT_LEVEL(entry);

		*below = next - 1;
		leaf = next == 0 || next == PT_SIZED;
		if (!leaf && next > level)
			return PT_BAD_TABLE;
	} else if (level || format->flags & DS_PT_LEAF_RULE_AT_0) {
		leaf = (entry ^ format->leaf_flip) & format->leaf_any;
		if (!leaf && !level)
			return PT_BAD_TABLE;
	} else if ((entry & format->page) != format->page) {
		return PT_BAD_LEAF;
	}
	if (!leaf)
		return PT_TABLE;
	return can ? PT_LEAF : PT_BAD_LEAF;
}

/* The address of the table that an entry points to. */
static inline uint64_t pt_table_pa(const struct ds_pt_format *format, uint64_t entry)
{
	return ((entry & format->table) << format->address_shift) | ((entry & format->high) << format->high_shift);
}

/* The address in a leaf, with all its bits: what is too low for its size is for the caller to find. */
static inline uint64_t pt_leaf_pa(const struct ds_pt_format *format, uint64_t entry, uint32_t level)
{
	uint64_t address = format->address & ~(level ? format->type_high[1] : 0);

	return ((entry & address) << format->address_shift) | ((entry & format->high) << format->high_shift);
}

/* The bits of a leaf that hold those bits of its address. */
static inline uint64_t pt_leaf_bits(const struct ds_pt_format *format, uint64_t pa_mask, uint32_t level)
{
	uint64_t address = format->address & ~(level ? format->type_high[1] : 0);

	return (pa_mask >> format->address_shift & address) | (pa_mask >> format->high_shift & format->high);
}

/*
 * log2 of the entries that say the same, because they are one leaf; 0 for a leaf that is one entry. Negative when there can be
 * no leaf of the size that is encoded in it.
 */
static inline int pt_run_bits(const struct ds_pt_format *format, uint64_t entry, uint32_t level)
{
	if (format->flags & DS_PT_NEXT_LEVEL && PT_NEXT_LEVEL(entry) == PT_SIZED) {
		uint64_t field = (entry & format->address) >> 12;
		int bits = 13 + __builtin_ctzll(~field) - (int)pt_shift(format, level);

		return bits < (int)format->index_bits && bits + (int)pt_shift(format, level) < 64 ? bits : -1;
	}
	if (format->flags & DS_PT_NAPOT && entry >> 63 && !level)
		return (entry >> 10 & 15) == 8 ? 4 : -1;
	return 0;
}

static inline uint64_t pt_tests(const struct ds_pt_test *tests, uint64_t entry)
{
	uint64_t found = 0;

	for (uint32_t n = 0; n < DS_PT_TESTS && tests[n].all; n++)
		if (((entry ^ tests[n].flip) & tests[n].all) == tests[n].all)
			found |= tests[n].attribute;
	return found;
}

/* The attributes of a leaf, memory type included. */
static inline uint64_t pt_attributes(const struct ds_pt_format *format, uint64_t entry, uint32_t level)
{
	uint64_t type = (entry & format->type) >> format->type_shift;

	if (entry & format->type_high[level != 0])
		type |= 4;
	return pt_tests(format->attributes, entry) | type << DS_PT_TYPE_SHIFT;
}

/* The bytes of a table: of the top one as many as it has entries. */
static inline uint64_t pt_table_size(const struct ds_pt_root *root, uint32_t level)
{
	return level + 1 == root->levels ? UINT64_C(8) * root->top_entries : UINT64_C(8) << root->format->index_bits;
}

static inline uint64_t pt_entry_at(const struct ds_pt_place *place, uint32_t index)
{
	return load64_le((const uint8_t *)place->entries + 8 * (size_t)index);
}

/* The first iova that an entry stands for. */
static inline uint64_t pt_iova_of(const struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index)
{
	uint32_t shift = pt_shift(walk->root.format, place->level);
	uint64_t iova = place->iova + ((uint64_t)index << shift);

	if (walk->root.sign_extended && place == walk->path &&
	    (index >= place->count / 2 || walk->root.sign_extended == DS_PT_UPPER)) {
		uint32_t bits = shift + (uint32_t)__builtin_ctz(place->count);

		if (bits < 64)
			iova |= ~UINT64_C(0) << bits;
	}
	return iova;
}

/* Whether a table in these units of memory is met for the first time; marks and counts it. */
static inline bool pt_is_new(struct ds_pt_walk *walk, uint64_t unit, uint64_t size, uint32_t level)
{
	uint64_t last = unit + ((size - 1) >> 12), seen = 0;

	for (uint64_t n = unit; n <= last; n++) {
		seen |= walk->visited[n / 64] >> n % 64 & 1;
		walk->visited[n / 64] |= UINT64_C(1) << n % 64;
	}
	walk->tables[level] += !seen;
	return !seen;
}

/* Whether a root is what the header says; everything else relies on it. */
int pt_root_check(const struct ds_pt_root *root);

struct pt_output {
	struct ds_pt_extent *extents;
	size_t capacity;
	size_t used;
};

/* Goes through the entries of a table until one leads into another table, or the output is full: false then. */
bool pt_walk_entries(struct ds_pt_walk *walk, struct ds_pt_place *place, struct pt_output *output);

#endif
