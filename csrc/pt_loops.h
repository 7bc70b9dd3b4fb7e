/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the plain loops of the page-table stream and those for AVX2 have in common. It is inlined, so that each is compiled for its own
 * instruction set.
 */
#ifndef DEVSTATE_PT_LOOPS_H
#define DEVSTATE_PT_LOOPS_H

#include "pt_stream.h"

#define INLINE __attribute__((always_inline)) static inline

/*
 * Asks for some of the lines of an eighth of a page; the hardware brings those between them, and the better the fewer it is told.
 * With every line asked for, memory waits for the work on the page and the work for memory.
 */
INLINE void fetch(const uint8_t *ahead, size_t eighth)
{
	if (ahead) {
		__builtin_prefetch(ahead + PAGE / 8 * eighth, 0, 2);
		__builtin_prefetch(ahead + PAGE / 8 * eighth + PAGE / 16, 0, 2);
	}
}

/*
 * From words that are joined to the one before, and words that are 0, to runs. What is joined to a hole begins a run all the same,
 * and a hole is no part of one.
 */
INLINE void cut_holes(uint64_t *joined, const uint64_t *zero, struct pt_cut *ret)
{
	uint64_t before = 0, zeros = 0;

	for (size_t n = 0; n < MASK_WORDS; n++) {
		joined[n] &= ~(zero[n] | zero[n] << 1 | before);
		before = zero[n] >> 63;
		zeros |= zero[n];
		ret->starts[n] = ~(joined[n] | zero[n]);
	}
	for (size_t n = 0; n < MASK_WORDS; n++)
		ret->ends[n] = ~(zero[n] | joined[n] >> 1 | (n + 1 < MASK_WORDS ? joined[n + 1] << 63 : 0));
	ret->holes = zeros;
}

INLINE void count_runs(struct pt_cut *ret)
{
	ret->runs = 0;
	for (size_t n = 0; n < MASK_WORDS; n++)
		ret->runs += (size_t)__builtin_popcountll(ret->starts[n]);
}

/* The first two of each mask word are taken without asking whether they are there: that is hard to foretell, and harmless. */
INLINE size_t pick(const uint64_t *mask, const uint8_t *page, int16_t *places, uint64_t *words)
{
	size_t count = 0;

	for (size_t n = 0; n < MASK_WORDS; n++) {
		uint64_t bits = mask[n];
		size_t end = count + (size_t)__builtin_popcountll(bits);

		for (size_t i = count; i < count + 2 || bits; i++, bits &= bits - 1) {
			size_t place = 64 * n + (size_t)__builtin_ctzll(bits | UINT64_C(1) << 63);

			places[i] = (int16_t)place;
			memcpy(&words[i], page + 8 * place, 8);
		}
		count = end;
	}
	return count;
}

INLINE void survey_words(const uint8_t *words, size_t count, struct pt_survey *ret)
{
	struct pt_survey survey = { .all = UINT64_MAX };

	for (size_t n = 0; n < count; n++) {
		uint64_t word = load64_le(words + 8 * n);

		survey.all &= word;
		survey.any |= word;
		survey.zero |= word == 0;
		survey.twins |= IS_TWIN(n) && word == load64_le(words + 8 * (n - 1));
	}
	*ret = survey;
}

#ifdef DS_X86
extern const struct pt_loops pt_loops_avx2;
#endif

#endif
