// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A walk over all that a tree of tables maps, and over all that is wrong with it.
 *
 * Most leaves of a table differ from the one before in nothing but the address: these take the short way in pt_walk_entries(), for
 * what was found out about the first of them holds for all.
 */
#include "pt.h"

/* What was found out about an entry, good for those before the entry `until` that have the same bits where `same` is set. */
struct seen {
	uint64_t entry;
	uint64_t same;
	uint64_t attributes;
	uint32_t until;
};

static inline const struct ds_pt_format *format_of(const struct ds_pt_walk *walk)
{
	return walk->root.format;
}

static void found_wrong(struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index, uint32_t code)
{
	if (walk->unreported >> code & 1)
		return;
	problem_add(&walk->problems, (struct ds_problem){ .pa = place->pa + 8 * (uint64_t)index, .value = pt_entry_at(place, index),
							  .key = pt_iova_of(walk, place, index), .code = code, .level = place->level });
}

/* The bits that an address may have. */
static inline uint64_t pa_mask(const struct ds_pt_walk *walk)
{
	uint32_t bits = walk->root.pa_bits;

	return bits && bits < 64 ? (UINT64_C(1) << bits) - 1 : ~UINT64_C(0);
}

static inline bool too_wide(const struct ds_pt_walk *walk, uint64_t pa, uint64_t size)
{
	return (pa | (pa + (size - 1))) & ~pa_mask(walk);
}

/* ---- tables ---- */

/* Whether a table may be entered; marks it, and counts it when it is new. */
static bool may_enter(struct ds_pt_walk *walk, uint64_t unit, uint64_t size, uint32_t level, uint32_t *code)
{
	if (pt_is_new(walk, unit, size, level))
		return true;
	*code = walk->budget < size ? DS_PT_BUDGET : DS_PT_SHARED;
	if (walk->budget < size)
		return false;
	walk->budget -= size;
	return true;
}

static bool is_inside(const struct ds_pt_walk *walk, uint64_t pa, uint64_t size)
{
	for (uint32_t n = 0; n < walk->depth; n++) {
		const struct ds_pt_place *above = &walk->path[n];

		if (pa < above->pa + 8 * (uint64_t)above->count && above->pa < pa + size)
			return true;
	}
	return false;
}

/* Goes into the table of this level at pa, whose address is in the entry at index of place; place is NULL for the top table. */
static void enter(struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index, uint64_t pa, uint32_t level)
{
	uint64_t size = pt_table_size(&walk->root, level), unit;
	const void *entries = memory_at(walk->memory, pa, size, &walk->region, &unit);
	struct ds_pt_place below = { .entries = entries, .pa = pa, .level = level, .count = (uint32_t)(size / 8) };
	uint32_t code = 0;

	if (!place) {
		if (entries && may_enter(walk, unit, size, level, &code))
			walk->path[walk->depth++] = below;
		else
			problem_add(&walk->problems, (struct ds_problem){ .value = pa, .code = DS_NOT_IN_MEMORY, .level = level });
		return;
	}
	below.iova = pt_iova_of(walk, place, index);
	below.lost = place->lost | pt_tests(format_of(walk)->limits, pt_entry_at(place, index));
	if (!entries)
		code = DS_NOT_IN_MEMORY;
	else if (is_inside(walk, pa, size))
		code = DS_PT_CYCLE;
	else if (may_enter(walk, unit, size, level, &code))
		walk->path[walk->depth++] = below;
	if (code)
		found_wrong(walk, place, index, code);
}

static void take_table(struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index, uint64_t entry, uint32_t below)
{
	const struct ds_pt_format *format = format_of(walk);
	uint64_t pa = pt_table_pa(format, entry);

	if (entry & format->reserved_table[place->level])
		found_wrong(walk, place, index, DS_PT_RESERVED);
	if (too_wide(walk, pa, pt_table_size(&walk->root, below)))
		found_wrong(walk, place, index, DS_PT_WIDTH);
	enter(walk, place, index, pa, below);
}

/* ---- leaves ---- */

static inline void put(struct ds_pt_walk *walk, struct pt_output *output, uint64_t iova, uint64_t pa, uint64_t size, uint64_t attributes)
{
	struct ds_pt_extent *open = &walk->open;
	struct ds_pt_extent extent = { .iova = iova, .pa = pa, .size = size, .attributes = attributes & walk->attributes };

	if (!walk->merge) {
		output->extents[output->used++] = extent;
		return;
	}
	if (open->size && open->iova + open->size == iova && open->pa + open->size == pa && open->attributes == extent.attributes) {
		open->size += size;
		return;
	}
	if (open->size)
		output->extents[output->used++] = *open;
	*open = extent;
}

/*
 * Whether the entries from index on are all of one leaf of 1 << bits of them; then attributes gets what the hardware has noted in any
 * of them. Else ret is what is wrong. An entry that is not the first one is never whole: the first one has seen to that.
 */
static bool run_is_whole(const struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index, int bits, uint64_t *attributes,
			 uint32_t *ret)
{
	const struct ds_pt_format *format = format_of(walk);
	uint32_t many = 1u << bits, first = index & ~(many - 1);
	uint64_t entry = pt_entry_at(place, index), touched = 0;

	if (first != index) {
		uint64_t other = pt_entry_at(place, first);

		*ret = other & format->present && (other ^ entry) & ~format->touched ? DS_PT_OVERLAP : DS_PT_RUN;
		return false;
	}
	*ret = DS_PT_RUN;
	if (many > place->count - index)
		return false;
	for (uint32_t n = 0; n < many; n++) {
		uint64_t other = pt_entry_at(place, index + n);

		if ((other ^ entry) & ~format->touched) {
			*ret = other & format->present ? DS_PT_OVERLAP : DS_PT_RUN;
			return false;
		}
		touched |= other & format->touched;
	}
	*attributes |= pt_attributes(format, entry | touched, place->level) & (DS_PT_ACCESSED | DS_PT_DIRTY);
	return true;
}

/* Looks at the run of entries that a hint is about, once. */
static void take_hint(struct ds_pt_walk *walk, struct ds_pt_place *place, uint32_t index)
{
	const struct ds_pt_format *format = format_of(walk);
	uint32_t many = 1u << format->contiguous_bits[place->level], first = index & ~(many - 1), level = place->level, below;
	uint64_t start = pt_leaf_pa(format, pt_entry_at(place, first), level), noted = DS_PT_ACCESSED | DS_PT_DIRTY;
	uint64_t attributes = pt_attributes(format, pt_entry_at(place, index), level) | noted;
	bool whole = many <= place->count && !(start & (((uint64_t)many << pt_shift(format, level)) - 1));

	for (uint32_t n = 0; whole && n < many; n++) {
		uint64_t other = pt_entry_at(place, first + n);

		whole = pt_kind(format, other, level, &below) == PT_LEAF &&
			pt_leaf_pa(format, other, level) == start + ((uint64_t)n << pt_shift(format, level)) &&
			(pt_attributes(format, other, level) | noted) == attributes;
	}
	place->hinted = first + many < place->count ? first + many : place->count;
	if (!whole)
		found_wrong(walk, place, index, DS_PT_RUN);
}

/* What a leaf that maps 1 << shift bytes at pa must not be. */
static void check_leaf(struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index, uint64_t pa, uint32_t shift)
{
	const struct ds_pt_format *format = format_of(walk);
	uint64_t entry = pt_entry_at(place, index), low = (UINT64_C(1) << shift) - 1;
	uint64_t access = pt_attributes(format, entry, place->level) & (DS_PT_READ | DS_PT_WRITE);
	/* The low bits of the address of a run are how its size is encoded. */
	bool encoded = shift != pt_shift(format, place->level) ||
		       (format->flags & DS_PT_NEXT_LEVEL && PT_NEXT_LEVEL(entry) == PT_SIZED);

	if (entry & format->reserved_leaf[place->level] || (format->flags & DS_PT_NO_WRITE_ONLY && access == DS_PT_WRITE))
		found_wrong(walk, place, index, DS_PT_RESERVED);
	if (pa & low && !encoded)
		found_wrong(walk, place, index, DS_PT_MISALIGNED);
	if (too_wide(walk, pa & ~low, low + 1))
		found_wrong(walk, place, index, DS_PT_WIDTH);
}

/* Where the entries end whose iovas follow each other: in the middle of a sign-extended top table they do not. */
static inline uint32_t iovas_end(const struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index)
{
	bool jumps = walk->root.sign_extended == 1 && place == walk->path && index < place->count / 2;

	return jumps ? place->count / 2 : place->count;
}

/* The long way: everything about a leaf, whose entry is at index. Returns how many entries it is. */
static uint32_t take_leaf(struct ds_pt_walk *walk, struct ds_pt_place *place, uint32_t index, struct seen *seen, struct pt_output *output)
{
	const struct ds_pt_format *format = format_of(walk);
	uint32_t level = place->level, shift = pt_shift(format, level), code;
	uint64_t entry = pt_entry_at(place, index), attributes = pt_attributes(format, entry, level), pa = pt_leaf_pa(format, entry, level);
	bool hint = entry & format->contiguous && format->contiguous_bits[level];
	int bits = pt_run_bits(format, entry, level);
	size_t problems = walk->problems.count;

	if (bits < 0) {
		found_wrong(walk, place, index, DS_PT_LEAF_LEVEL);
		return 1;
	}
	check_leaf(walk, place, index, pa, shift + (uint32_t)bits);
	pa &= ~((UINT64_C(1) << (shift + (uint32_t)bits)) - 1);
	if (hint && index >= place->hinted)
		take_hint(walk, place, index);
	if (!bits && problems == walk->problems.count) {
		uint64_t vary = ~((UINT64_C(1) << shift) - 1) & pa_mask(walk);

		*seen = (struct seen){ .entry = entry, .attributes = attributes & ~place->lost, .same = ~pt_leaf_bits(format, vary, level),
				       .until = iovas_end(walk, place, index) };
		if (hint && seen->until > place->hinted)
			seen->until = place->hinted;
	}
	if (bits && !run_is_whole(walk, place, index, bits, &attributes, &code)) {
		found_wrong(walk, place, index, code);
		pa += (uint64_t)(index & ((1u << bits) - 1)) << shift;
		bits = 0;
	}
	walk->leaves[shift + (uint32_t)bits]++;
	put(walk, output, pt_iova_of(walk, place, index), pa, UINT64_C(1) << (shift + (uint32_t)bits), attributes & ~place->lost);
	return 1u << bits;
}

/* How many of the entries from index on, up to the one before until, are each the one before and a step. */
static inline uint32_t row_length(const struct ds_pt_place *place, uint32_t index, uint32_t until, uint64_t step)
{
	uint64_t entry = pt_entry_at(place, index);
	uint32_t n = index + 1;

	while (n < until && pt_entry_at(place, n) == (entry += step))
		n++;
	return n - index;
}

/* The short way: leaves like one that was looked at. As many as are one extent, when these are joined. Returns how many entries. */
static inline uint32_t take_like(struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index, const struct seen *seen,
				 struct pt_output *output)
{
	const struct ds_pt_format *format = format_of(walk);
	uint32_t shift = pt_shift(format, place->level), many = 1;
	uint64_t entry = pt_entry_at(place, index), low = (UINT64_C(1) << shift) - 1, step = (low + 1) >> format->address_shift;

	if (walk->merge)
		many = row_length(place, index, seen->until, step);
	/* The last one tells whether adding steps has left the bits of the address, which no row is long enough to do twice. */
	if (((entry + (many - 1) * step) ^ seen->entry) & seen->same)
		many = 1;
	walk->leaves[shift] += many;
	put(walk, output, pt_iova_of(walk, place, index), pt_leaf_pa(format, entry, place->level) & ~low, (uint64_t)many << shift,
	    seen->attributes);
	return many;
}

/* ---- the walk ---- */

/* Asks for the first lines of the table that the next entry points to: the hardware goes on from there. */
static inline void prefetch_next(const struct ds_pt_walk *walk, const struct ds_pt_place *place, uint32_t index)
{
	const struct ds_pt_format *format = format_of(walk);
	size_t region = walk->region;
	const char *table;
	uint64_t unit;

	if (index + 1 >= place->count)
		return;
	table = memory_at(walk->memory, pt_table_pa(format, pt_entry_at(place, index + 1)), 512, &region, &unit);
	for (int n = 0; table && n < 8; n++)
		__builtin_prefetch(table + 64 * n);
}

bool pt_walk_entries(struct ds_pt_walk *walk, struct ds_pt_place *place, struct pt_output *output)
{
	const struct ds_pt_format *format = format_of(walk);
	uint32_t level = place->level, depth = walk->depth;
	struct seen seen = { .until = 0 };

	while (place->next < place->count) {
		uint32_t index = place->next, below;
		uint64_t entry = pt_entry_at(place, index);

		if (output->used == output->capacity)
			return false;
		if (index < seen.until && !((entry ^ seen.entry) & seen.same)) {
			place->next += take_like(walk, place, index, &seen, output);
			continue;
		}
		switch (pt_kind(format, entry, level, &below)) {
		case PT_LEAF:
			place->next += take_leaf(walk, place, index, &seen, output);
			continue;
		case PT_TABLE:
			take_table(walk, place, index, entry, below);
			if (!below)
				prefetch_next(walk, place, index);
			break;
		case PT_BAD_LEAF:
			found_wrong(walk, place, index, DS_PT_LEAF_LEVEL);
			break;
		case PT_BAD_TABLE:
			found_wrong(walk, place, index, DS_PT_TABLE_LEVEL);
			break;
		case PT_EMPTY:
			break;
		}
		place->next++;
		if (walk->depth != depth)
			break;
	}
	return true;
}

int ds_pt_walk_begin(struct ds_pt_walk *walk)
{
	walk->problems.count = 0;
	memset(walk->leaves, 0, sizeof(walk->leaves));
	memset(walk->tables, 0, sizeof(walk->tables));
	walk->open.size = 0;
	walk->depth = 0;
	walk->region = 0;
	if (pt_root_check(&walk->root))
		return DS_EINVAL;
	enter(walk, NULL, 0, walk->root.top_pa, walk->root.levels - 1);
	return DS_OK;
}

int ds_pt_walk_next(struct ds_pt_walk *walk, struct ds_pt_extent *extents, size_t capacity, size_t *ret)
{
	struct pt_output output = { .extents = extents, .capacity = capacity };

	if (!capacity)
		return DS_EINVAL;
	while (walk->depth) {
		struct ds_pt_place *place = &walk->path[walk->depth - 1];

		if (place->next == place->count)
			walk->depth--;
		else if (!pt_walk_entries(walk, place, &output))
			break;
	}
	if (!walk->depth && walk->open.size && output.used < capacity) {
		output.extents[output.used++] = walk->open;
		walk->open.size = 0;
	}
	*ret = output.used;
	return DS_OK;
}
