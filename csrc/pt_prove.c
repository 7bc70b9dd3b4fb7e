// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The proof that all memory which a device can reach is inside of some ranges, in one pass over its tables.
 *
 * Tables whose entries are nothing but plain leaves, as nearly all are, take the short way: their entries are made into runs, whose
 * bits of the coverage are fetched ahead, and looked up when the next table was scanned. So are the tables themselves. What is odd in
 * any way is left to the walk.
 */
#include "coverage.h"
#include "pt_scan.h"

/* Scans that the memory needs to bring a table: so far ahead is it asked for. */
#define AHEAD 4

#define EXTENTS 64

struct run {
	uint64_t pa;
	uint32_t entries;
	uint32_t index;
};

/* The runs of one scan, which are looked up when the next one is done. */
struct runs {
	uint64_t iova;		/* of the first entry of the scan */
	uint32_t shift;
	uint32_t count;
	struct run run[SCAN_ENTRIES];
};

struct prover {
	struct ds_pt_proof *proof;
	struct ds_pt_walk *walk;
	struct scan_lens lens[DS_PT_LEVELS];
	struct runs runs[2];
	uint32_t scanned;	/* which of both has the last scan */
	size_t near;
	size_t region_ahead;
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
		const struct run *run = &runs->run[n];
		uint64_t size = (uint64_t)run->entries << runs->shift, pages = size >> COVERAGE_SHIFT;

		if (pages < COVERAGE_LOAD && coverage_has_few(inside, run->pa, pages))
			continue;
		if (!coverage_has(inside, run->pa, size, &prover->near))
			coverage_add_gaps(inside, prover->proof->scratch, runs->iova + ((uint64_t)run->index << runs->shift), run->pa, size,
					  &prover->proof->pages);
	}
	runs->count = 0;
}

/* Looks up what was scanned, in the order of the scans. */
static void look_up_all(struct prover *prover)
{
	look_up(prover, &prover->runs[!prover->scanned]);
	look_up(prover, &prover->runs[prover->scanned]);
}

static inline void make_runs(struct prover *prover, const uint8_t *entries, uint32_t level, const struct scan_sets *sets, struct runs *runs)
{
	const struct ds_pt_format *format = format_of(prover);
	uint64_t address = prover->lens[level].address & ~format->high;
	uint32_t count = 0;

	for (uint32_t n = 0; n < SCAN_WORDS; n++) {
		for (uint64_t starts = sets->present[n] & ~sets->follows[n]; starts; starts &= starts - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(starts), index = 64 * n + bit, word = n;
			uint64_t entry = load64_le(entries + 8 * (size_t)index), others = ~sets->follows[n] >> bit >> 1;
			struct run *run = &runs->run[count++];

			run->pa = ((entry & address) << format->address_shift) | ((entry & format->high) << format->high_shift);
			run->index = index;
			__builtin_prefetch(coverage_bits(prover->proof->inside, run->pa));
			if (others) {
				run->entries = 1 + (uint32_t)__builtin_ctzll(others);
				continue;
			}
			while (++word < SCAN_WORDS && !~sets->follows[word])
				;
			run->entries = 64 * word - index;
			if (word < SCAN_WORDS)
				run->entries += (uint32_t)__builtin_ctzll(~sets->follows[word]);
		}
	}
	runs->count = count;
}

static inline bool scan(const uint8_t *entries, const struct scan_lens *lens, const uint8_t *ahead, bool avx2, struct scan_sets *ret)
{
#ifdef DS_X86
	if (avx2)
		return scan_entries_avx2(entries, lens, ahead, ret);
#endif
	(void)avx2;
	return scan_entries(entries, lens, ahead, ret);
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

/* Takes in SCAN_ENTRIES entries of a level, from an iova on; false, and nothing done, when they are not all plain leaves. */
static bool take_plain(struct prover *prover, const uint8_t *entries, const uint8_t *ahead, uint32_t level, uint64_t iova, bool avx2)
{
	struct runs *runs = &prover->runs[!prover->scanned];
	uint32_t shift = pt_shift(format_of(prover), level);
	struct scan_sets sets;
	uint64_t present = 0;

	if (!scan(entries, &prover->lens[level], ahead, avx2, &sets) &&
	    !(other_lens(prover, entries, level) && scan(entries, &prover->lens[level], ahead, avx2, &sets)))
		return false;
	for (int n = 0; n < SCAN_WORDS; n++)
		present += (uint64_t)__builtin_popcountll(sets.present[n]);
	prover->walk->leaves[shift] += present;
	runs->iova = iova;
	runs->shift = shift;
	make_runs(prover, entries, level, &sets, runs);
	look_up(prover, &prover->runs[prover->scanned]);
	prover->scanned = !prover->scanned;
	return true;
}

/* ---- tables ---- */

static void take_table(struct prover *prover, uint64_t iova, uint64_t pa, uint64_t size)
{
	struct ds_pt_proof *proof = prover->proof;

	if (!coverage_has(proof->inside, pa, size, &prover->near))
		coverage_add_gaps(proof->inside, proof->scratch, iova, pa, size, &proof->tables);
}

static inline bool was_entered(const struct ds_pt_walk *walk, uint64_t unit, uint64_t size)
{
	for (uint64_t n = unit; n <= unit + ((size - 1) >> 12); n++)
		if (walk->visited[n / 64] >> n % 64 & 1)
			return true;
	return false;
}

/* The table of level 0 that an entry leads to, or NULL. */
static inline const uint8_t *leaf_table(struct prover *prover, const struct ds_pt_place *place, uint32_t index, size_t *region,
					uint64_t *pa, uint64_t *unit)
{
	const struct ds_pt_format *format = format_of(prover);
	uint64_t entry = pt_entry_at(place, index);
	uint32_t below;

	if (pt_kind(format, entry, place->level, &below) != PT_TABLE || below)
		return NULL;
	*pa = pt_table_pa(format, entry);
	return memory_at(prover->walk->memory, *pa, UINT64_C(8) << format->index_bits, region, unit);
}

/* What will be scanned AHEAD scans after this one: a table from the entry at index on, or the part of it that begins at offset. */
static inline const uint8_t *look_ahead(struct prover *prover, const struct ds_pt_place *place, uint32_t index, uint64_t offset)
{
	uint64_t size = UINT64_C(8) << format_of(prover)->index_bits, pa, unit;
	const uint8_t *table;

	offset += AHEAD * SCAN_SIZE;
	index += (uint32_t)(offset / size);
	if (index >= place->count)
		return place->entries;
	table = leaf_table(prover, place, index, &prover->region_ahead, &pa, &unit);
	if (!table)
		return place->entries;
	if (offset % size == 0) {
		__builtin_prefetch(coverage_bits(prover->proof->inside, pa));
		__builtin_prefetch(&prover->walk->visited[unit / 64]);
	}
	return table + offset % size;
}

/*
 * Takes in tables of level 0, from the next entry of a place on, until an entry is something else. A table that is not all plain leaves
 * becomes the place in hand. False when nothing could be taken in.
 */
static bool take_leaf_tables(struct prover *prover, struct ds_pt_place *place, bool avx2)
{
	struct ds_pt_walk *walk = prover->walk;
	uint64_t size = UINT64_C(8) << format_of(prover)->index_bits, pa, unit;
	uint32_t first = place->next;

	while (place->next < place->count && size >= SCAN_SIZE) {
		uint32_t index = place->next;
		uint64_t iova = pt_iova_of(walk, place, index), offset = 0;
		const uint8_t *table = leaf_table(prover, place, index, &walk->region, &pa, &unit);

		if (!table || was_entered(walk, unit, size))
			break;
		pt_is_new(walk, unit, size, 0);
		take_table(prover, iova, pa, size);
		place->next++;
		while (offset < size && take_plain(prover, table + offset, look_ahead(prover, place, index, offset), 0,
						   iova + (offset / 8 << pt_shift(format_of(prover), 0)), avx2))
			offset += SCAN_SIZE;
		if (offset < size) {
			walk->path[walk->depth++] = (struct ds_pt_place){ .entries = table, .pa = pa, .iova = iova,
									  .next = (uint32_t)(offset / 8), .count = (uint32_t)(size / 8) };
			break;
		}
	}
	return place->next != first;
}

/* Takes in the leaves of a place that is a whole scan of them; false when it is not. */
static bool take_leaves(struct prover *prover, struct ds_pt_place *place, bool avx2)
{
	const uint8_t *entries = (const uint8_t *)place->entries + 8 * (size_t)place->next;
	uint32_t below;

	if (place->count - place->next < SCAN_ENTRIES ||
	    (place->level && pt_kind(format_of(prover), load64_le(entries), place->level, &below) != PT_LEAF) ||
	    (prover->walk->root.sign_extended && place == prover->walk->path))
		return false;
	if (!take_plain(prover, entries, entries, place->level, pt_iova_of(prover->walk, place, place->next), avx2))
		return false;
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
	struct prover prover = { .proof = ret, .walk = &ret->walk };
	struct ds_pt_walk *walk = &ret->walk;
	bool avx2 = ds_features() & DS_FEATURE_AVX2;
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
		else if (!take_leaves(&prover, place, avx2) && !(place->level && take_leaf_tables(&prover, place, avx2)))
			take_odd(&prover, place);
	}
	look_up_all(&prover);
	return DS_OK;
}
