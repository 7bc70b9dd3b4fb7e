// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The inner loops of the page-table stream in plain C; pt_avx2.c has the others.
 */
#include "pt_loops.h"

static uint64_t zeros_portable(const uint8_t *words)
{
	uint64_t zeros = 0;

	for (size_t bit = 0; bit < 64; bit++)
		zeros |= (uint64_t)(load64(words + 8 * bit) == 0) << bit;
	return zeros;
}

static void cut_portable(const uint8_t *page, uint64_t step, bool holes, const uint8_t *ahead, struct pt_cut *ret)
{
	uint64_t joined[MASK_WORDS], zero[MASK_WORDS], before = load64_le(page);

	holes |= zeros_portable(page) != 0;
	for (size_t n = 0; n < MASK_WORDS; n++) {
		uint64_t joints = 0;

		fetch(ahead, n);
		for (size_t bit = 0; bit < 64; bit++) {
			uint64_t word = load64_le(page + 8 * (64 * n + bit));

			joints |= (uint64_t)(word - before == step) << bit;
			before = word;
		}
		joined[n] = n ? joints : joints & ~UINT64_C(1);
		ret->starts[n] = ~joined[n];
		zero[n] = holes ? zeros_portable(page + 8 * 64 * n) : 0;
	}
	ret->holes = false;
	if (holes)
		cut_holes(joined, zero, ret);
	count_runs(ret);
}

static size_t pick_portable(const uint64_t *mask, const uint8_t *page, int16_t *places, uint64_t *words)
{
	return pick(mask, page, places, words);
}

static void survey_portable(const uint8_t *words, size_t count, struct pt_survey *ret)
{
	survey_words(words, count, ret);
}

static bool apart_portable(const uint8_t *page, uint64_t step, const uint8_t *ahead, struct pt_survey *ret)
{
	uint64_t joined = 0;

	for (size_t n = 0; n < MASK_WORDS; n++)
		fetch(ahead, n);
	for (size_t n = 1; n < WORDS; n++)
		joined |= load64_le(page + 8 * n) - load64_le(page + 8 * (n - 1)) == step;
	if (!joined)
		survey_words(page, WORDS, ret);
	return !joined;
}

static void put_lanes_portable(const uint8_t *words, size_t count, uint32_t shift, uint32_t width, uint8_t *out)
{
	uint64_t lanes[LANES] = { 0 }, mask = low_bits(width);
	size_t rows = (count + LANES - 1) / LANES;
	uint32_t used = 0;

	for (size_t row = 0; row < rows; row++) {
		uint32_t next = used + width;

		for (size_t lane = 0; lane < LANES; lane++) {
			size_t n = LANES * row + lane;
			uint64_t item = n < count ? load64_le(words + 8 * n) >> shift & mask : 0;

			lanes[lane] |= item << used;
			if (next >= 64) {
				store64_le(out + 8 * lane, lanes[lane]);
				lanes[lane] = next > 64 ? item >> (64 - used) : 0;
			}
		}
		out += next >= 64 ? 8 * LANES : 0;
		used = next % 64;
	}
	for (size_t lane = 0; used && lane < LANES; lane++)
		store64_le(out + 8 * lane, lanes[lane]);
}

static void get_lanes_portable(const uint8_t *in, size_t count, uint32_t shift, uint32_t width, uint64_t rest, uint8_t *words,
			       bool stream)
{
	uint64_t mask = low_bits(width);

	(void)stream;
	for (size_t n = 0; n < (count + LANES - 1) / LANES * LANES; n++) {
		size_t bit = n / LANES * width, lane = n % LANES;
		const uint8_t *at = in + 8 * (LANES * (bit / 64) + lane);
		uint64_t item = load64_le(at) >> bit % 64;

		if (bit % 64 + width > 64)
			item |= load64_le(at + 8 * LANES) << (64 - bit % 64);
		store64_le(words + 8 * n, (item & mask) << shift | rest);
	}
}

static void expand_portable(const struct pt_runs *runs, uint64_t *words)
{
	uint64_t *at = words, *end = words + WORDS;

	for (size_t n = 0; n < runs->count; n++) {
		uint64_t word = runs->bases[n];

		memset(at, 0, 8 * runs->gaps[n]);
		at += runs->gaps[n];
		for (uint64_t i = 0; i < runs->lengths[n]; i++, word += runs->step)
			store64_le(at++, word);
	}
	memset(at, 0, 8 * (size_t)(end - at));
}

static void fill_portable(uint8_t *page, uint64_t base, uint64_t step, bool stream)
{
	(void)stream;
	for (size_t n = 0; n < WORDS; n++, base += step)
		store64_le(page + 8 * n, base);
}

static void copy_portable(uint8_t *page, const uint8_t *from, bool stream)
{
	(void)stream;
	memcpy(page, from, PAGE);
}

static void differ_portable(const uint8_t *const *tables, size_t size, uint64_t *ret)
{
	for (size_t n = 0; n < SIDE_BY_SIDE; n++)
		ret[n] = 0;
	for (size_t at = 0; at < size; at += 8)
		for (size_t n = 0; n < SIDE_BY_SIDE; n++)
			ret[n] |= load64_le(tables[n] + at) ^ load64_le(tables[n]);
}

static const struct pt_loops portable = {
	.cut = cut_portable,
	.pick = pick_portable,
	.survey = survey_portable,
	.apart = apart_portable,
	.put_lanes = put_lanes_portable,
	.get_lanes = get_lanes_portable,
	.expand = expand_portable,
	.fill = fill_portable,
	.copy = copy_portable,
	.differ = differ_portable,
};

const struct pt_loops *pt_loops(void)
{
#ifdef DS_X86
	if (ds_features() & DS_FEATURE_AVX2)
		return &pt_loops_avx2;
#endif
	return &portable;
}
