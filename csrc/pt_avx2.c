// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The inner loops of the page-table stream, over the 512 words of a page, with AVX2.
 *
 * A page takes some 500 cycles to come from memory. What is done to the one before costs nothing as long as it takes less.
 */
#include "pt_loops.h"

#ifdef DS_X86

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define VECTOR 32

AVX2 static inline __m256i load256(const uint8_t *from)
{
	return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 static inline void store256(uint8_t *to, __m256i value, bool stream)
{
	if (stream)
		_mm256_stream_si256((__m256i *)to, value);
	else
		_mm256_storeu_si256((__m256i *)to, value);
}

AVX2 static inline __m256i all_of(uint64_t value)
{
	return _mm256_set1_epi64x((long long)value);
}

AVX2 static inline __m128i shift_by(uint32_t count)
{
	return _mm_cvtsi32_si128((int)count);
}

/* One bit of each of the 32 words in eight vectors, each all ones or all zeros, in the order of the words. */
AVX2 static inline uint32_t word_bits(const __m256i *is)
{
	const __m256i pairs = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15,
					       0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
	__m256i low = _mm256_packs_epi32(_mm256_packs_epi32(is[0], is[1]), _mm256_packs_epi32(is[2], is[3]));
	__m256i high = _mm256_packs_epi32(_mm256_packs_epi32(is[4], is[5]), _mm256_packs_epi32(is[6], is[7]));
	__m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);

	return (uint32_t)_mm256_movemask_epi8(_mm256_shuffle_epi8(bytes, pairs));
}

/* Which of 32 words are the one before plus step. before: the first four words, each shifted by one place. */
AVX2 static inline uint32_t joints_avx2(const uint8_t *words, __m256i before, __m256i step)
{
	__m256i joined[8];

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++) {
		if (i)
			before = load256(words + VECTOR * i - 8);
		joined[i] = _mm256_cmpeq_epi64(_mm256_sub_epi64(load256(words + VECTOR * i), before), step);
	}
	return word_bits(joined);
}

AVX2 static inline uint64_t zeros_avx2(const uint8_t *words)
{
	__m256i zero[16];

#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		zero[i] = _mm256_cmpeq_epi64(load256(words + VECTOR * i), _mm256_setzero_si256());
	return word_bits(zero) | (uint64_t)word_bits(zero + 8) << 32;
}

AVX2 static void cut_avx2(const uint8_t *page, uint64_t step, bool holes, const uint8_t *ahead, struct pt_cut *ret)
{
	uint64_t joined[MASK_WORDS], zero[MASK_WORDS];
	__m256i steps = all_of(step), before = _mm256_permute4x64_epi64(load256(page), 0x90);

	for (size_t n = 0; n < MASK_WORDS; n++) {
		const uint8_t *words = page + 8 * 64 * n;
		uint32_t low, high;

		fetch(ahead, n);
		low = joints_avx2(words, n ? load256(words - 8) : before, steps);
		high = joints_avx2(words + 256, load256(words + 256 - 8), steps);
		joined[n] = low | (uint64_t)high << 32;
		ret->starts[n] = ~joined[n];
	}
	joined[0] &= ~UINT64_C(1);
	ret->starts[0] |= 1;
	ret->holes = false;
	zero[0] = zeros_avx2(page);
	if (holes || zero[0]) {
		for (size_t n = 1; n < MASK_WORDS; n++)
			zero[n] = zeros_avx2(page + 8 * 64 * n);
		cut_holes(joined, zero, ret);
	}
	count_runs(ret);
}

AVX2 static size_t pick_avx2(const uint64_t *mask, const uint8_t *page, int16_t *places, uint64_t *words)
{
	return pick(mask, page, places, words);
}

AVX2 static void survey_avx2(const uint8_t *words, size_t count, struct pt_survey *ret)
{
	__m256i all[2] = { all_of(UINT64_MAX), all_of(UINT64_MAX) }, any[2], twins;
	const size_t block = 32;
	size_t whole = count / block * block;
	uint64_t alls[LANES], anys[LANES];

	any[0] = any[1] = twins = _mm256_setzero_si256();
	for (const uint8_t *at = words; at < words + 8 * whole; at += 8 * block) {
		__m256i one = load256(at), two = load256(at + VECTOR);

		twins = _mm256_or_si256(twins, _mm256_cmpeq_epi64(_mm256_unpacklo_epi64(one, two), _mm256_unpackhi_epi64(one, two)));
#pragma GCC unroll 4
		for (size_t i = 0; i < 8 * block; i += 2 * VECTOR) {
			all[0] = _mm256_and_si256(all[0], load256(at + i));
			any[0] = _mm256_or_si256(any[0], load256(at + i));
			all[1] = _mm256_and_si256(all[1], load256(at + i + VECTOR));
			any[1] = _mm256_or_si256(any[1], load256(at + i + VECTOR));
		}
	}
	_mm256_storeu_si256((__m256i *)alls, _mm256_and_si256(all[0], all[1]));
	_mm256_storeu_si256((__m256i *)anys, _mm256_or_si256(any[0], any[1]));
	survey_words(words + 8 * whole, count - whole, ret);
	for (size_t lane = 0; lane < LANES; lane++) {
		ret->all &= alls[lane];
		ret->any |= anys[lane];
	}
	ret->twins |= !_mm256_testz_si256(twins, twins);
	/* Words that share a bit are not 0. */
	for (size_t n = 0; !ret->all && !ret->zero && n < whole; n++)
		ret->zero = !load64(words + 8 * n);
}

/* Both of the loops above, for a page of single words. */
AVX2 static bool apart_avx2(const uint8_t *page, uint64_t step, const uint8_t *ahead, struct pt_survey *ret)
{
	const __m256i but_first = _mm256_setr_epi64x(0, -1, -1, -1);
	__m256i all = all_of(UINT64_MAX), any = _mm256_setzero_si256(), twins = any, steps = all_of(step);
	__m256i before = _mm256_permute4x64_epi64(load256(page), 0x90);
	uint64_t alls[LANES], anys[LANES];

	*ret = (struct pt_survey){ .all = UINT64_MAX };
	for (size_t n = 0; n < MASK_WORDS; n++) {
		const uint8_t *words = page + 8 * 64 * n;
		__m256i joined = _mm256_setzero_si256();

		fetch(ahead, n);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m256i word = load256(words + VECTOR * i), joint;

			if (i || n)
				before = load256(words + VECTOR * i - 8);
			joint = _mm256_cmpeq_epi64(_mm256_sub_epi64(word, before), steps);
			joined = _mm256_or_si256(joined, i || n ? joint : _mm256_and_si256(joint, but_first));
			all = _mm256_and_si256(all, word);
			any = _mm256_or_si256(any, word);
			if (i % 8 < 2)	/* where IS_TWIN looks: word 1 of 0 and 1, 3 of 2 and 3 */
				twins = _mm256_or_si256(twins, _mm256_cmpeq_epi64(word, _mm256_shuffle_epi32(word, 0x4e)));
		}
		if (!_mm256_testz_si256(joined, joined))
			return false;
	}
	_mm256_storeu_si256((__m256i *)alls, all);
	_mm256_storeu_si256((__m256i *)anys, any);
	for (size_t lane = 0; lane < LANES; lane++) {
		ret->all &= alls[lane];
		ret->any |= anys[lane];
	}
	ret->twins = !_mm256_testz_si256(twins, twins);
	for (size_t n = 0; !ret->all && !ret->zero && n < WORDS; n++)
		ret->zero = !load64(page + 8 * n);
	return true;
}

/* Vectors of four items each that are being put into lanes. */
struct filling {
	__m256i lanes;
	uint8_t *out;
};

AVX2 static inline void put_row(struct filling *to, __m256i item, uint32_t used, uint32_t width)
{
	to->lanes = _mm256_or_si256(to->lanes, _mm256_sll_epi64(item, shift_by(used)));
	if (used + width >= 64) {
		_mm256_storeu_si256((__m256i *)to->out, to->lanes);
		to->out += VECTOR;
		to->lanes = _mm256_srl_epi64(item, shift_by(64 - used));	/* by 64 gives 0 */
	}
}

/* Two rows as one of items twice as wide, when that is no more than a word. */
AVX2 static inline __m256i pair_at(const uint8_t *at, __m128i shift, __m256i mask, __m128i width)
{
	__m256i even = _mm256_and_si256(_mm256_srl_epi64(load256(at), shift), mask);
	__m256i odd = _mm256_and_si256(_mm256_srl_epi64(load256(at + VECTOR), shift), mask);

	return _mm256_or_si256(even, _mm256_sll_epi64(odd, width));
}

/* 64 rows end with a whole word in each lane: two times 64 are two arrays, filled side by side. */
AVX2 static void put_page_lanes(const uint8_t *words, __m128i shift, uint32_t width, uint8_t *out)
{
	const size_t half = PAGE / 2;
	struct filling one = { _mm256_setzero_si256(), out }, two = { _mm256_setzero_si256(), out + (size_t)VECTOR * width };
	__m256i mask = all_of(low_bits(width));
	uint32_t used = 0;

	if (width <= 32) {
		__m128i widths = shift_by(width);

		for (const uint8_t *at = words; at < words + half; at += (size_t)2 * VECTOR) {
			put_row(&one, pair_at(at, shift, mask, widths), used, 2 * width);
			put_row(&two, pair_at(at + half, shift, mask, widths), used, 2 * width);
			used = (used + 2 * width) % 64;
		}
		return;
	}
	for (const uint8_t *at = words; at < words + half; at += VECTOR) {
		put_row(&one, _mm256_and_si256(_mm256_srl_epi64(load256(at), shift), mask), used, width);
		put_row(&two, _mm256_and_si256(_mm256_srl_epi64(load256(at + half), shift), mask), used, width);
		used = (used + width) % 64;
	}
}

AVX2 static void put_lanes_avx2(const uint8_t *words, size_t count, uint32_t shift, uint32_t width, uint8_t *out)
{
	__m128i shifts = shift_by(shift);
	__m256i mask = all_of(low_bits(width));
	struct filling filling = { _mm256_setzero_si256(), out };
	size_t rows = (count + LANES - 1) / LANES;
	uint64_t last[LANES] = { 0 };
	uint32_t used = 0;

	if (count == WORDS) {
		put_page_lanes(words, shifts, width, out);
		return;
	}
	memcpy(last, words + VECTOR * (rows - 1), 8 * (count - LANES * (rows - 1)));
	for (size_t row = 0; row < rows; row++) {
		const uint8_t *at = row + 1 < rows ? words + VECTOR * row : (const uint8_t *)last;

		put_row(&filling, _mm256_and_si256(_mm256_srl_epi64(load256(at), shifts), mask), used, width);
		used = (used + width) % 64;
	}
	if (used)
		_mm256_storeu_si256((__m256i *)filling.out, filling.lanes);
}

AVX2 static void get_lanes_avx2(const uint8_t *in, size_t count, uint32_t shift, uint32_t width, uint64_t rest, uint8_t *words,
			   bool stream)
{
	__m128i shifts = shift_by(shift);
	__m256i mask = all_of(low_bits(width)), rests = all_of(rest), lanes = load256(in);
	size_t rows = (count + LANES - 1) / LANES;
	uint32_t used = 0;

	stream = stream && !((uintptr_t)words % VECTOR);
	for (size_t row = 0; row < rows; row++) {
		__m256i item = _mm256_srl_epi64(lanes, shift_by(used));

		used += width;
		if (used > 64 || (used == 64 && row + 1 < rows)) {
			in += VECTOR;
			used -= 64;
			lanes = load256(in);
			item = _mm256_or_si256(item, _mm256_sll_epi64(lanes, shift_by(width - used)));
		}
		item = _mm256_sll_epi64(_mm256_and_si256(item, mask), shifts);
		store256(words + VECTOR * row, _mm256_or_si256(item, rests), stream);
	}
}

/* Writes whole vectors: what is too much is written again by what comes after. */
AVX2 static void expand_avx2(const struct pt_runs *runs, uint64_t *words)
{
	__m256i rise = _mm256_setr_epi64x(0, (long long)runs->step, (long long)(2 * runs->step), (long long)(3 * runs->step));
	__m256i steps = all_of(LANES * runs->step);
	uint64_t *at = words, *end;

	for (size_t n = 0; n < runs->count; n++) {
		__m256i word = _mm256_add_epi64(all_of(runs->bases[n]), rise);

		for (end = at + runs->gaps[n]; at < end; at += LANES)
			_mm256_storeu_si256((__m256i *)at, _mm256_setzero_si256());
		for (at = end, end += runs->lengths[n]; at < end; at += LANES) {
			_mm256_storeu_si256((__m256i *)at, word);
			word = _mm256_add_epi64(word, steps);
		}
		at = end;
	}
	memset(at, 0, 8 * (size_t)(words + WORDS - at));
}

AVX2 static void fill_avx2(uint8_t *page, uint64_t base, uint64_t step, bool stream)
{
	__m256i word = _mm256_setr_epi64x((long long)base, (long long)(base + step), (long long)(base + 2 * step),
					  (long long)(base + 3 * step));
	__m256i steps = all_of(LANES * step);

	stream = stream && !((uintptr_t)page % VECTOR);
	for (uint8_t *end = page + PAGE; page < end; page += VECTOR) {
		store256(page, word, stream);
		word = _mm256_add_epi64(word, steps);
	}
}

AVX2 static void copy_avx2(uint8_t *page, const uint8_t *from, bool stream)
{
	if (!stream || (uintptr_t)page % VECTOR) {
		memcpy(page, from, PAGE);
		return;
	}
	for (uint8_t *end = page + PAGE; page < end; page += VECTOR, from += VECTOR)
		_mm256_stream_si256((__m256i *)page, load256(from));
}

AVX2 static void differ_avx2(const uint8_t *const *tables, size_t size, uint64_t *ret)
{
	__m256i first[SIDE_BY_SIDE], differ[SIDE_BY_SIDE];

#pragma GCC unroll 4
	for (size_t n = 0; n < SIDE_BY_SIDE; n++) {
		first[n] = all_of(load64(tables[n]));
		differ[n] = _mm256_setzero_si256();
	}
	for (size_t at = 0; at < size; at += VECTOR)
#pragma GCC unroll 4
		for (size_t n = 0; n < SIDE_BY_SIDE; n++)
			differ[n] = _mm256_or_si256(differ[n], _mm256_xor_si256(load256(tables[n] + at), first[n]));
	for (size_t n = 0; n < SIDE_BY_SIDE; n++) {
		uint64_t lanes[LANES];

		_mm256_storeu_si256((__m256i *)lanes, differ[n]);
		ret[n] = lanes[0] | lanes[1] | lanes[2] | lanes[3];
	}
}

const struct pt_loops pt_loops_avx2 = {
	.cut = cut_avx2,
	.pick = pick_avx2,
	.survey = survey_avx2,
	.apart = apart_avx2,
	.put_lanes = put_lanes_avx2,
	.get_lanes = get_lanes_avx2,
	.expand = expand_avx2,
	.fill = fill_avx2,
	.copy = copy_avx2,
	.differ = differ_avx2,
};

#endif
