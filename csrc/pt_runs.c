// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs of pages, made of sets of entries, and their look-up: compiled twice, for any machine and for one with the bit instructions.
 */
#include "pt_runs.h"

#define INLINE __attribute__((always_inline)) static inline

/* Up to so many runs are made without a branch that depends on where they are; of a word of a set, so many at first. */
#define FEW 24
#define FEW_IN_WORD 4

#define RUN_PAGE(run) ((run) & ((UINT64_C(1) << RUN_PAGE_BITS) - 1))
#define RUN_MORE(run) ((run) >> RUN_PAGE_BITS)

INLINE void look_up_odd(struct runs *runs)
{
	const struct ds_coverage *inside = runs->inside;

	for (uint32_t n = 0; n < runs->odd_count; n++) {
		uint64_t page = RUN_PAGE(runs->odd[n]), more = RUN_MORE(runs->odd[n]), number = (page >> TILE_SHIFT) - inside->first_tile;
		uint64_t tile = number < inside->tile_count && !coverage_is_dense(inside) ? inside->tiles[number] : 0;

		if (tile & TILE_LINE && line_of_tile(tile) != TILE_NO_LINE &&
		    coverage_line_has_few(inside, line_of_tile(tile), page % TILE_PAGES, more))
			continue;
		if (!coverage_has(inside, page << COVERAGE_SHIFT, (more + 1) << COVERAGE_SHIFT, &runs->near))
			runs->missing = true;
	}
	runs->odd_count = 0;
}

/* Asks for the line of a page, if it has one. */
INLINE void ask_line(const struct ds_coverage *inside, uint64_t page)
{
	uint64_t number = (page >> TILE_SHIFT) - inside->first_tile, tile = number < inside->tile_count ? inside->tiles[number] : 0;

	if (tile & TILE_LINE)
		__builtin_prefetch(inside->lines + TILE_PAGES / 64 * line_of_tile(tile));
}

/* Whatever no range of its tile has becomes odd. No branch depends on the data. */
INLINE uint32_t look_up(struct runs *runs)
{
	const struct ds_coverage *inside = runs->inside;
	uint32_t odd = 0;

	for (uint32_t n = 0; n < runs->count; n++) {
		uint64_t run = runs->run[n], number = (RUN_PAGE(run) >> TILE_SHIFT) - inside->first_tile;
		uint64_t tile = number < inside->tile_count ? inside->tiles[number] : 0;

		runs->odd[odd] = run;
		odd += !tile_has(tile, run % TILE_PAGES, RUN_MORE(run));
	}
	for (uint32_t n = 0; n < odd; n++)
		ask_line(inside, RUN_PAGE(runs->odd[n]));
	return odd;
}

/* The same where there are lines only: what is not in one word of its line becomes odd. */
INLINE uint32_t look_up_dense(struct runs *runs)
{
	const struct ds_coverage *inside = runs->inside;
	uint32_t odd = 0;

	for (uint32_t n = 0; n < runs->count; n++) {
		uint64_t run = runs->run[n], number = (RUN_PAGE(run) >> TILE_SHIFT) - inside->first_tile;

		runs->odd[odd] = run;
		odd += number >= inside->tile_count || !coverage_line_has_few(inside, number, run % TILE_PAGES, RUN_MORE(run));
	}
	return odd;
}

INLINE void turn(struct runs *runs)
{
	look_up_odd(runs);
	runs->odd_count = coverage_is_dense(runs->inside) && runs->inside->tile_count ? look_up_dense(runs) : look_up(runs);
	runs->count = 0;
}

/* What there is to know about entries and where their pages are looked up: in variables of its own, so that no store can change it. */
struct adder {
	const uint8_t *entries;
	uint64_t address, high;
	uint32_t address_shift, high_shift, pages_shift;
	uint64_t first_tile, tile_count;
	const char *places;	/* of the first tile; each is 1 << place_shift bytes */
	uint32_t place_shift;
};

INLINE struct adder adder_for(const struct runs *runs, const uint8_t *entries, const struct scan_lens *lens)
{
	const struct ds_coverage *inside = runs->inside;
	bool dense = coverage_is_dense(inside);

	return (struct adder){ .entries = entries, .address = lens->address & ~lens->high, .high = lens->high,
			       .address_shift = lens->address_shift, .high_shift = lens->high_shift,
			       .pages_shift = lens->shift - COVERAGE_SHIFT, .first_tile = inside->first_tile,
			       .tile_count = inside->tile_count,
			       .places = dense ? (const char *)inside->lines : (const char *)inside->tiles,
			       .place_shift = dense ? 6 : 3 };
}

/* Adds the run of entries from first to last. halves: an entry is a page, and runs often are in two tiles. */
INLINE void add(struct runs *runs, const struct adder *by, uint32_t first, uint32_t last, const bool halves)
{
	uint64_t entry = load64_le(by->entries + 8 * (size_t)first);
	uint64_t pa = ((entry & by->address) << by->address_shift) | ((entry & by->high) << by->high_shift);
	uint64_t page = pa >> COVERAGE_SHIFT, more = ((uint64_t)(last - first + 1) << by->pages_shift) - 1;
	uint64_t room = TILE_PAGES - 1 - page % TILE_PAGES, here = more < room ? more : room;
	uint64_t number = (page >> TILE_SHIFT) - by->first_tile, known = number < by->tile_count ? number : 0;

	/* Not into the first cache: there it would have to make room again for tables before it is needed. */
	__builtin_prefetch(by->places + (known << by->place_shift), 0, 2);
	if (halves) {
		runs->run[runs->count] = page | here << RUN_PAGE_BITS;
		runs->run[runs->count + 1] = (page + here + 1) | (more - here - 1) << RUN_PAGE_BITS;
		runs->count += more > room ? 2 : 1;
	} else if (more <= room) {
		runs->run[runs->count++] = page | more << RUN_PAGE_BITS;
	} else if (more < RUN_PAGES) {
		runs->odd[runs->odd_count++] = page | more << RUN_PAGE_BITS;
	} else if (!coverage_has(runs->inside, pa, (more + 1) << COVERAGE_SHIFT, &runs->near)) {
		runs->missing = true;
	}
}

/* All entries are present, so that a run ends where the next one starts; and there are few. */
INLINE void add_few(struct runs *runs, const struct scan_sets *sets, const struct adder *by)
{
	uint16_t starts[SCAN_ENTRIES + FEW_IN_WORD];
	uint32_t count = 0;

	for (uint32_t n = 0; n < SCAN_WORDS; n++) {
		uint64_t word = ~sets->follows[n];
		uint32_t many = (uint32_t)__builtin_popcountll(word), k = 0;

		for (; k < FEW_IN_WORD; k++, word &= word - 1)
			starts[count + k] = (uint16_t)(64 * n + (uint32_t)__builtin_ctzll(word | UINT64_C(1) << 63));
		for (; k < many; k++, word &= word - 1)
			starts[count + k] = (uint16_t)(64 * n + (uint32_t)__builtin_ctzll(word));
		count += many;
	}
	starts[count] = SCAN_ENTRIES;
	for (uint32_t n = 0; n < count; n++)
		add(runs, by, starts[n], starts[n + 1] - 1u, true);
}

/* Where the bits of a word are, counted from base on; returns how many there are. */
INLINE uint32_t list_bits(uint64_t word, uint32_t base, uint16_t *to)
{
	uint32_t count = 0;

	for (; word; word &= word - 1)
		to[count++] = (uint16_t)(base + (uint32_t)__builtin_ctzll(word));
	return count;
}

/* A run starts at what is there and does not follow, and ends before what does not follow it. */
INLINE void add_many(struct runs *runs, const struct scan_sets *sets, const struct adder *by)
{
	uint16_t starts[SCAN_ENTRIES], ends[SCAN_ENTRIES];
	uint32_t count = 0, ended = 0;

	for (uint32_t n = 0; n < SCAN_WORDS; n++) {
		uint64_t follows = sets->follows[n], next = n + 1 < SCAN_WORDS ? sets->follows[n + 1] << 63 : 0;

		count += list_bits(sets->present[n] & ~follows, 64 * n, starts + count);
		ended += list_bits(sets->present[n] & ~(follows >> 1 | next), 64 * n, ends + ended);
	}
	for (uint32_t n = 0; n < count; n++)
		add(runs, by, starts[n], ends[n], false);
}

INLINE uint64_t add_sets(struct runs *runs, const struct scan_sets *sets, const uint8_t *entries, const struct scan_lens *lens)
{
	const struct adder by = adder_for(runs, entries, lens);
	uint64_t present = 0, breaks = 0;

	for (uint32_t n = 0; n < SCAN_WORDS; n++) {
		present += (uint64_t)__builtin_popcountll(sets->present[n]);
		breaks += (uint64_t)__builtin_popcountll(~sets->follows[n]);
	}
	if (present == SCAN_ENTRIES && breaks <= FEW && lens->shift == COVERAGE_SHIFT)
		add_few(runs, sets, &by);
	else
		add_many(runs, sets, &by);
	return present;
}

#ifdef DS_X86

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

AVX2 static uint64_t add_sets_avx2(struct runs *runs, const struct scan_sets *sets, const uint8_t *entries, const struct scan_lens *lens)
{
	return add_sets(runs, sets, entries, lens);
}

AVX2 static void turn_avx2(struct runs *runs)
{
	turn(runs);
}

#endif

uint64_t runs_add(struct runs *runs, const struct scan_sets *sets, const uint8_t *entries, const struct scan_lens *lens)
{
#ifdef DS_X86
	if (runs->avx2)
		return add_sets_avx2(runs, sets, entries, lens);
#endif
	return add_sets(runs, sets, entries, lens);
}

void runs_turn(struct runs *runs)
{
#ifdef DS_X86
	if (runs->avx2) {
		turn_avx2(runs);
		return;
	}
#endif
	turn(runs);
}
