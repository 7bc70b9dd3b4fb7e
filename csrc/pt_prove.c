// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The proof that all memory which a device can reach is inside of some ranges, in one pass over its tables.
 *
 * Tables whose entries are nothing but plain leaves, as nearly all are, take the short way: four of them at a time are made into runs,
 * whose bits of the coverage are asked for at once, and looked up when the memory has brought them. What is odd in any way is left to
 * the walk.
 */
#include "coverage.h"
#include "pt_scan.h"

/* That the walk gives at once. */
#define EXTENTS 64

/* A run of entries that map pages which follow each other: page frame number, index of the first entry, number of entries less one. */
#define RUN_PAGE_BITS 44
#define RUN_INDEX_BITS 9
#define RUN(page, index, count) ((page) | (uint64_t)(index) << RUN_PAGE_BITS | (uint64_t)((count) - 1) << (RUN_PAGE_BITS + RUN_INDEX_BITS))
#define RUN_PA(run) (((run) & ((UINT64_C(1) << RUN_PAGE_BITS) - 1)) << COVERAGE_SHIFT)
#define RUN_INDEX(run) ((run) >> RUN_PAGE_BITS & (SCAN_ENTRIES - 1))
#define RUN_COUNT(run) (((run) >> (RUN_PAGE_BITS + RUN_INDEX_BITS)) + 1)

/* The runs of one scan, which are looked up when some more scans are done. */
struct runs {
	uint64_t iova;		/* of the first entry of the scan */
	uint32_t shift;
	uint32_t count;
	uint64_t run[SCAN_ENTRIES];
};

/* A table of level 0 that an entry leads to. */
struct leaf_table {
	const uint8_t *entries;
	uint64_t pa;
	uint64_t iova;
	uint64_t unit;
};

struct prover {
	struct ds_pt_proof *proof;
	struct ds_pt_walk *walk;
	bool avx2;
	struct scan_lens lens[DS_PT_LEVELS];
	struct scan_sets sets[SCAN_STREAMS];
	struct runs runs[2 * SCAN_STREAMS];
	uint32_t oldest;	/* the runs that were made first */
	size_t near;		/* where a page was found last, and a table */
	size_t near_table;
};

static inline const struct ds_pt_format *format_of(const struct prover *prover)
{
	return prover->walk->root.format;
}

/* ---- runs ---- */

static inline void look_up(struct prover *prover, struct runs *runs)
{
	const struct ds_coverage *inside = prover->proof->inside;

	for (uint32_t n = 0; n < runs->count; n++) {
		uint64_t run = runs->run[n], pa = RUN_PA(run), size = RUN_COUNT(run) << runs->shift, pages = size >> COVERAGE_SHIFT;

		if (coverage_has_few(inside, pa, pages))
			continue;
		if (!coverage_has(inside, pa, size, &prover->near))
			coverage_add_gaps(inside, prover->proof->scratch, runs->iova + (RUN_INDEX(run) << runs->shift), pa, size,
					  &prover->proof->pages);
	}
	runs->count = 0;
}

/* Looks up all runs, in the order of the scans. */
static void look_up_all(struct prover *prover)
{
	for (uint32_t n = 0; n < 2 * SCAN_STREAMS; n++)
		look_up(prover, &prover->runs[(prover->oldest + n) % (2 * SCAN_STREAMS)]);
}

static inline void make_runs(struct prover *prover, const uint8_t *entries, uint32_t level, const struct scan_sets *sets, struct runs *runs)
{
	const struct ds_pt_format *format = format_of(prover);
	uint64_t address = prover->lens[level].address & ~format->high;
	uint32_t count = 0;

	for (uint32_t n = 0; n < SCAN_WORDS; n++) {
		for (uint64_t starts = sets->present[n] & ~sets->follows[n]; starts; starts &= starts - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(starts), index = 64 * n + bit, end, word = n;
			uint64_t entry = load64_le(entries + 8 * (size_t)index), others = ~sets->follows[n] >> bit >> 1;
			uint64_t pa = ((entry & address) << format->address_shift) | ((entry & format->high) << format->high_shift);

			__builtin_prefetch(coverage_place(prover->proof->inside, pa));
			if (others) {
				end = index + 1 + (uint32_t)__builtin_ctzll(others);
			} else {
				while (++word < SCAN_WORDS && !~sets->follows[word])
					;
				end = 64 * word + (word < SCAN_WORDS ? (uint32_t)__builtin_ctzll(~sets->follows[word]) : 0);
			}
			runs->run[count++] = RUN(pa >> COVERAGE_SHIFT, index, end - index);
		}
	}
	runs->count = count;
}

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

/* Scans; the result has a bit for each stream that is nothing but plain leaves. */
static uint32_t scan(struct prover *prover, const uint8_t *const *streams, uint32_t count, uint32_t level)
{
	uint32_t all = (1u << count) - 1, sound = scan_entries(streams, count, &prover->lens[level], prover->avx2, prover->sets);

	if (sound != all && other_lens(prover, streams[__builtin_ctz(~sound)], level))
		sound = scan_entries(streams, count, &prover->lens[level], prover->avx2, prover->sets);
	return sound;
}

/* Makes runs of the sets of one stream, whose first entry stands for an iova, and looks up those of some scans ago. */
static void take_sets(struct prover *prover, const uint8_t *entries, uint32_t level, uint64_t iova, const struct scan_sets *sets)
{
	struct runs *runs = &prover->runs[prover->oldest];
	uint32_t shift = pt_shift(format_of(prover), level);
	uint64_t present = 0;

	look_up(prover, runs);
	for (int n = 0; n < SCAN_WORDS; n++)
		present += (uint64_t)__builtin_popcountll(sets->present[n]);
	prover->walk->leaves[shift] += present;
	runs->iova = iova;
	runs->shift = shift;
	make_runs(prover, entries, level, sets, runs);
	prover->oldest = (prover->oldest + 1) % (2 * SCAN_STREAMS);
}

/* ---- tables ---- */

static void take_table(struct prover *prover, uint64_t iova, uint64_t pa, uint64_t size)
{
	struct ds_pt_proof *proof = prover->proof;

	if (!coverage_has(proof->inside, pa, size, &prover->near_table))
		coverage_add_gaps(proof->inside, proof->scratch, iova, pa, size, &proof->tables);
}

static inline bool was_entered(const struct ds_pt_walk *walk, uint64_t unit, uint64_t size)
{
	for (uint64_t n = unit; n <= unit + ((size - 1) >> 12); n++)
		if (walk->visited[n / 64] >> n % 64 & 1)
			return true;
	return false;
}

/* Finds tables of level 0 that the next entries of a place lead to, up to most, all different and new. */
static uint32_t find_leaf_tables(struct prover *prover, const struct ds_pt_place *place, uint32_t most, struct leaf_table *ret)
{
	const struct ds_pt_format *format = format_of(prover);
	uint64_t size = UINT64_C(8) << format->index_bits;
	struct ds_pt_walk *walk = prover->walk;
	uint32_t count = 0, below;

	most = most < place->count - place->next ? most : place->count - place->next;
	for (; count < most; count++) {
		struct leaf_table *table = &ret[count];
		uint64_t entry = pt_entry_at(place, place->next + count);

		if (pt_kind(format, entry, place->level, &below) != PT_TABLE || below)
			break;
		table->pa = pt_table_pa(format, entry);
		table->iova = pt_iova_of(walk, place, place->next + count);
		table->entries = memory_at(walk->memory, table->pa, size, &walk->region, &table->unit);
		if (!table->entries || was_entered(walk, table->unit, size))
			break;
		for (uint32_t n = 0; n < count; n++)
			if (ret[n].pa < table->pa + size && table->pa < ret[n].pa + size)
				return count;
	}
	return count;
}

/* Goes into a table of level 0, which from an offset on is not all plain leaves. */
static void enter(struct prover *prover, const struct leaf_table *table, uint64_t size, uint64_t offset)
{
	struct ds_pt_walk *walk = prover->walk;

	walk->path[walk->depth++] = (struct ds_pt_place){ .entries = table->entries, .pa = table->pa, .iova = table->iova,
							  .next = (uint32_t)(offset / 8), .count = (uint32_t)(size / 8) };
}

/* Takes in a table of several scans. */
static void take_large_table(struct prover *prover, const struct leaf_table *table, uint64_t size)
{
	uint32_t shift = pt_shift(format_of(prover), 0);

	for (uint64_t offset = 0; offset < size; offset += SCAN_STREAMS * SCAN_SIZE) {
		const uint8_t *streams[SCAN_STREAMS];
		uint32_t sound;

		for (int n = 0; n < SCAN_STREAMS; n++)
			streams[n] = table->entries + offset + SCAN_SIZE * (uint64_t)n;
		sound = scan(prover, streams, SCAN_STREAMS, 0);
		for (uint32_t n = 0; n < SCAN_STREAMS; n++) {
			uint64_t at = offset + SCAN_SIZE * (uint64_t)n;

			if (!(sound >> n & 1)) {
				enter(prover, table, size, at);
				return;
			}
			take_sets(prover, streams[n], 0, table->iova + (at / 8 << shift), &prover->sets[n]);
		}
	}
}

/*
 * Takes in tables of level 0 that the next entries of a place lead to. One that is not all plain leaves becomes the place in hand.
 * False when there was none.
 */
static bool take_leaf_tables(struct prover *prover, struct ds_pt_place *place)
{
	uint64_t size = UINT64_C(8) << format_of(prover)->index_bits;
	struct leaf_table tables[SCAN_STREAMS];
	const uint8_t *streams[SCAN_STREAMS];
	bool large = size % (SCAN_STREAMS * SCAN_SIZE) == 0;
	uint32_t count, sound = 0;

	if (!large && size != SCAN_SIZE)
		return false;
	count = find_leaf_tables(prover, place, large ? 1 : SCAN_STREAMS, tables);
	count = count < SCAN_STREAMS && count ? 1 : count;
	for (uint32_t n = 0; n < count; n++)
		streams[n] = tables[n].entries;
	if (!large && count)
		sound = scan(prover, streams, count, 0);
	for (uint32_t n = 0; n < count; n++) {
		const struct leaf_table *table = &tables[n];

		pt_is_new(prover->walk, table->unit, size, 0);
		take_table(prover, table->iova, table->pa, size);
		place->next++;
		if (large)
			take_large_table(prover, table, size);
		else if (sound >> n & 1)
			take_sets(prover, table->entries, 0, table->iova, &prover->sets[n]);
		else {
			enter(prover, table, size, 0);
			break;
		}
	}
	return count;
}

/* Takes in the leaves of a place that is a whole scan of them; false when it is not. */
static bool take_leaves(struct prover *prover, struct ds_pt_place *place)
{
	const uint8_t *entries = (const uint8_t *)place->entries + 8 * (size_t)place->next;
	uint32_t below;

	if (place->count - place->next < SCAN_ENTRIES ||
	    (place->level && pt_kind(format_of(prover), load64_le(entries), place->level, &below) != PT_LEAF) ||
	    (prover->walk->root.sign_extended && place == prover->walk->path))
		return false;
	if (!scan(prover, &entries, 1, place->level))
		return false;
	take_sets(prover, entries, place->level, pt_iova_of(prover->walk, place, place->next), &prover->sets[0]);
	place->next += SCAN_ENTRIES;
	return true;
}

/* Has the walk take in what comes next, and looks up what it finds. */
static void take_odd(struct prover *prover, struct ds_pt_place *place)
{
	struct ds_pt_extent extents[EXTENTS + 1];
	struct pt_output output = { .extents = extents, .capacity = EXTENTS };
	struct ds_pt_proof *proof = prover->proof;
	struct ds_pt_walk *walk = prover->walk;
	uint64_t tables[DS_PT_LEVELS];
	uint32_t depth = walk->depth;

	memcpy(tables, walk->tables, sizeof(tables));
	look_up_all(prover);
	pt_walk_entries(walk, place, &output);
	if (walk->open.size)
		extents[output.used++] = walk->open;
	walk->open.size = 0;
	for (size_t n = 0; n < output.used; n++)
		if (!coverage_has(proof->inside, extents[n].pa, extents[n].size, &prover->near))
			coverage_add_gaps(proof->inside, proof->scratch, extents[n].iova, extents[n].pa, extents[n].size, &proof->pages);
	if (walk->depth > depth) {
		const struct ds_pt_place *entered = &walk->path[depth];

		if (walk->tables[entered->level] != tables[entered->level])
			take_table(prover, entered->iova, entered->pa, 8 * (uint64_t)entered->count);
	}
}

int ds_pt_prove(struct ds_pt_proof *ret)
{
	struct prover prover = { .proof = ret, .walk = &ret->walk, .avx2 = ds_features() & DS_FEATURE_AVX2 };
	struct ds_pt_walk *walk = &ret->walk;
	int status;

	/* Lenses to which nothing is plain that is present. */
	for (int level = 0; level < DS_PT_LEVELS && walk->root.format; level++)
		prover.lens[level] = (struct scan_lens){ .present = walk->root.format->present, .expected = 1 };
	walk->merge = 1;
	walk->attributes = 0;
	walk->unreported = ~(uint32_t)DS_PT_HIDING;
	status = ds_pt_walk_begin(walk);
	if (status)
		return status;
	if (walk->depth)
		take_table(&prover, walk->path[0].iova, walk->path[0].pa, 8 * (uint64_t)walk->path[0].count);
	while (walk->depth) {
		struct ds_pt_place *place = &walk->path[walk->depth - 1];

		if (place->next == place->count)
			walk->depth--;
		else if (!take_leaves(&prover, place) && !(place->level && take_leaf_tables(&prover, place)))
			take_odd(&prover, place);
	}
	look_up_all(&prover);
	return DS_OK;
}
