// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The proof that all memory which a device can reach is inside of some ranges.
 *
 * A first pass only says yes or no. Tables whose entries are nothing but plain leaves, as nearly all are, take the short way there: eight
 * of them at a time are made into runs, which are looked up while others are made. What is odd in any way is left to the walk. When the
 * answer is no, the walk goes through everything once more, in order, and finds what is not inside.
 */
#include "pt_runs.h"

/* That the walk gives at once. */
#define EXTENTS 64

struct prover {
	struct ds_pt_proof *proof;
	struct ds_pt_walk *walk;
	struct scan_lens lens[DS_PT_LEVELS];
	struct scan_sets sets[SCAN_STREAMS];
	struct runs runs;
	size_t near;		/* where a page was found last, and a table */
	size_t near_table;
};

static inline const struct ds_pt_format *format_of(const struct prover *prover)
{
	return prover->walk->root.format;
}

/* ---- scans ---- */

/* A lens for the entries of a scan, when the one in hand does not fit: that of the first entry which is present. */
static bool other_lens(struct prover *prover, const uint8_t *entries, uint32_t level)
{
	const struct ds_pt_format *format = format_of(prover);
	struct scan_lens *lens = &prover->lens[level];
	uint64_t expected = lens->expected, matters = lens->matters;

	for (uint32_t n = 0; n < SCAN_ENTRIES; n++) {
		uint64_t entry = load64_le(entries + 8 * (size_t)n);

		if (entry & format->present)
			return scan_lens_for(format, level, entry, lens) && (lens->matters != matters || lens->expected != expected);
	}
	return false;
}

/* Scans, and takes a turn; the result has a bit for each stream that is nothing but plain leaves. */
static uint32_t scan(struct prover *prover, const uint8_t *const *streams, uint32_t count, uint32_t level)
{
	uint32_t all = (1u << count) - 1, sound = scan_entries(streams, count, &prover->lens[level], prover->runs.avx2, prover->sets);

	if (sound != all && other_lens(prover, streams[__builtin_ctz(~sound)], level))
		sound = scan_entries(streams, count, &prover->lens[level], prover->runs.avx2, prover->sets);
	runs_turn(&prover->runs);
	return sound;
}

static void take_sets(struct prover *prover, const uint8_t *entries, uint32_t level, const struct scan_sets *sets)
{
	const struct scan_lens *lens = &prover->lens[level];

	prover->walk->leaves[lens->shift] += runs_add(&prover->runs, sets, entries, lens);
}

/* ---- tables ---- */

static void take_table(struct prover *prover, const struct ds_pt_place *table, bool gaps)
{
	struct ds_pt_proof *proof = prover->proof;
	uint64_t size = 8 * (uint64_t)table->count;

	if (coverage_has(proof->inside, table->pa, size, &prover->near_table))
		return;
	prover->runs.missing = true;
	if (gaps)
		coverage_add_gaps(proof->inside, proof->scratch, table->iova, table->pa, size, &proof->tables);
}

static inline bool was_entered(const struct ds_pt_walk *walk, uint64_t unit, uint64_t size)
{
	for (uint64_t n = unit; n <= unit + ((size - 1) >> 12); n++)
		if (walk->visited[n / 64] >> n % 64 & 1)
			return true;
	return false;
}

/* As if a table had not been entered. */
static void forget(struct ds_pt_walk *walk, uint64_t unit, uint64_t size)
{
	for (uint64_t n = unit; n <= unit + ((size - 1) >> 12); n++)
		walk->visited[n / 64] &= ~(UINT64_C(1) << n % 64);
	walk->tables[0]--;
}

/* As memory_at(), without a call for what is in the same region as before. */
static inline const uint8_t *table_at(struct ds_pt_walk *walk, uint64_t pa, uint64_t size, uint64_t *unit)
{
	const struct ds_region *region = &walk->memory->regions[walk->region];
	uint64_t offset = pa - region->pa;

	if (pa < region->pa || offset >= region->size || size > region->size - offset)
		return memory_at(walk->memory, pa, size, &walk->region, unit);
	*unit = region->first_unit + (offset >> 12);
	return (const uint8_t *)region->base + offset;
}

struct leaf_tables {
	const uint8_t *entries[SCAN_STREAMS];
	uint64_t pa[SCAN_STREAMS];
	uint64_t unit[SCAN_STREAMS];
	uint64_t size;
	uint32_t count;
};

/* Enters tables of level 0 that the next entries of a place lead to, up to most, while they are new. */
static void enter_leaf_tables(struct prover *prover, const struct ds_pt_place *place, uint32_t most, struct leaf_tables *ret)
{
	const struct ds_pt_format *format = format_of(prover);
	struct ds_pt_walk *walk = prover->walk;
	uint32_t n = 0, below;

	most = most < place->count - place->next ? most : place->count - place->next;
	for (; n < most; n++) {
		uint64_t entry = pt_entry_at(place, place->next + n);

		if (pt_kind(format, entry, place->level, &below) != PT_TABLE || below)
			break;
		ret->pa[n] = pt_table_pa(format, entry);
		ret->entries[n] = table_at(walk, ret->pa[n], ret->size, &ret->unit[n]);
		if (!ret->entries[n] || was_entered(walk, ret->unit[n], ret->size))
			break;
		pt_is_new(walk, ret->unit[n], ret->size, 0);
	}
	ret->count = n;
}

/* Scans tables from an entry on, as many scans as there are streams, and takes them in; returns how many tables are all plain leaves. */
static uint32_t scan_tables(struct prover *prover, const struct leaf_tables *tables, uint64_t from, uint32_t each)
{
	const uint8_t *streams[SCAN_STREAMS];
	uint32_t count = tables->count * each, sound;

	for (uint32_t n = 0; n < SCAN_STREAMS; n++)
		streams[n] = n < count ? tables->entries[n / each] + 8 * from + SCAN_SIZE * (uint64_t)(n % each) : streams[0];
	sound = scan(prover, streams, SCAN_STREAMS, 0);
	if (~sound & ((1u << count) - 1))
		count = (uint32_t)__builtin_ctz(~sound) / each * each;
	for (uint32_t n = 0; n < count; n++)
		take_sets(prover, streams[n], 0, &prover->sets[n]);
	return count / each;
}

/* The table of this number becomes the place in hand, from an entry on. */
static void go_into(struct prover *prover, const struct ds_pt_place *place, uint32_t index, const struct leaf_tables *tables, uint32_t n,
		    uint64_t from)
{
	struct ds_pt_walk *walk = prover->walk;

	walk->path[walk->depth++] = (struct ds_pt_place){ .entries = tables->entries[n], .pa = tables->pa[n], .next = (uint32_t)from,
							  .iova = pt_iova_of(walk, place, index), .count = (uint32_t)(tables->size / 8) };
}

/*
 * Takes in tables of level 0 that the next entries of a place lead to. One that is not all plain leaves becomes the place in hand.
 * False when there was none.
 */
static bool take_leaf_tables(struct prover *prover, struct ds_pt_place *place)
{
	struct leaf_tables tables = { .size = UINT64_C(8) << format_of(prover)->index_bits };
	uint32_t scans = (uint32_t)(tables.size / SCAN_SIZE), each = scans < SCAN_STREAMS ? scans : SCAN_STREAMS, done = 0;
	uint64_t from = 0;

	if (!scans)
		return false;
	enter_leaf_tables(prover, place, SCAN_STREAMS / each, &tables);
	if (!tables.count)
		return false;
	for (; from < tables.size / 8; from += SCAN_ENTRIES * each) {
		done = scan_tables(prover, &tables, from, each);
		if (done < tables.count)
			break;
	}
	for (uint32_t n = 0; n < tables.count; n++) {
		if (n > done) {
			forget(prover->walk, tables.unit[n], tables.size);
			continue;
		}
		take_table(prover, &(struct ds_pt_place){ .pa = tables.pa[n], .count = (uint32_t)(tables.size / 8) }, false);
		if (n == done)
			go_into(prover, place, place->next + n, &tables, n, from);
	}
	place->next += done < tables.count ? done + 1 : done;
	return true;
}

/* Takes in the leaves of a place that is a whole scan of them; false when it is not. */
static bool take_leaves(struct prover *prover, struct ds_pt_place *place)
{
	const uint8_t *entries = (const uint8_t *)place->entries + 8 * (size_t)place->next;
	uint32_t below;

	if (place->count - place->next < SCAN_ENTRIES ||
	    (place->level && pt_kind(format_of(prover), load64_le(entries), place->level, &below) != PT_LEAF))
		return false;
	if (!scan(prover, &entries, 1, place->level))
		return false;
	take_sets(prover, entries, place->level, &prover->sets[0]);
	place->next += SCAN_ENTRIES;
	return true;
}

/* ---- both passes ---- */

/* Has the walk take in what comes next. With gaps: notes those that there are, else only that there is one. */
static void take_odd(struct prover *prover, struct ds_pt_place *place, bool gaps)
{
	struct ds_pt_extent extents[EXTENTS + 1];
	struct pt_output output = { .extents = extents, .capacity = EXTENTS };
	struct ds_pt_proof *proof = prover->proof;
	struct ds_pt_walk *walk = prover->walk;
	uint64_t tables[DS_PT_LEVELS];
	uint32_t depth = walk->depth;

	memcpy(tables, walk->tables, sizeof(tables));
	pt_walk_entries(walk, place, &output);
	if (walk->open.size)
		extents[output.used++] = walk->open;
	walk->open.size = 0;
	for (size_t n = 0; n < output.used; n++) {
		const struct ds_pt_extent *extent = &extents[n];

		if (coverage_has(proof->inside, extent->pa, extent->size, &prover->runs.near))
			continue;
		prover->runs.missing = true;
		if (gaps)
			coverage_add_gaps(proof->inside, proof->scratch, extent->iova, extent->pa, extent->size, &proof->pages);
	}
	if (walk->depth > depth) {
		const struct ds_pt_place *entered = &walk->path[depth];

		if (walk->tables[entered->level] != tables[entered->level])
			take_table(prover, entered, gaps);
	}
}

/* Starts a walk; visited is cleared when it is not the first one. */
static void begin(struct prover *prover, uint64_t budget, bool gaps)
{
	struct ds_pt_walk *walk = prover->walk;

	walk->budget = budget;
	ds_pt_walk_begin(walk);
	if (walk->depth)
		take_table(prover, &walk->path[0], gaps);
}

/* Whether all is inside. */
static bool look_through(struct prover *prover)
{
	struct ds_pt_walk *walk = prover->walk;

	while (walk->depth && !prover->runs.missing) {
		struct ds_pt_place *place = &walk->path[walk->depth - 1];

		if (place->next == place->count)
			walk->depth--;
		else if (!take_leaves(prover, place) && !(place->level && take_leaf_tables(prover, place)))
			take_odd(prover, place, false);
	}
	runs_turn(&prover->runs);
	runs_turn(&prover->runs);
	return !prover->runs.missing;
}

static void find_gaps(struct prover *prover)
{
	struct ds_pt_walk *walk = prover->walk;

	while (walk->depth) {
		struct ds_pt_place *place = &walk->path[walk->depth - 1];

		if (place->next == place->count)
			walk->depth--;
		else
			take_odd(prover, place, true);
	}
}

int ds_pt_prove(struct ds_pt_proof *ret)
{
	struct prover prover = { .proof = ret, .walk = &ret->walk };
	struct ds_pt_walk *walk = &ret->walk;
	const struct ds_memory *memory = walk->memory;
	uint64_t budget = walk->budget, units = 0;

	if (pt_root_check(&walk->root))
		return DS_EINVAL;
	prover.runs.inside = ret->inside;
	prover.runs.avx2 = ds_features() & DS_FEATURE_AVX2;
	for (uint32_t level = 0; level < walk->root.levels; level++)
		scan_lens_init(walk->root.format, level, &prover.lens[level]);
	walk->merge = 1;
	walk->attributes = 0;
	walk->unreported = ~(uint32_t)DS_PT_HIDING;
	begin(&prover, budget, false);
	if (look_through(&prover))
		return DS_OK;
	if (memory->count)
		units = memory->regions[memory->count - 1].first_unit + (memory->regions[memory->count - 1].size >> 12) + 1;
	memset(walk->visited, 0, (units / 64 + 1) * sizeof(*walk->visited));
	begin(&prover, budget, true);
	find_gaps(&prover);
	return DS_OK;
}
