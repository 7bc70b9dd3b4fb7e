// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The entries of page tables as sets of bits.
 */
#include "pt_scan.h"

bool scan_lens_for(const struct ds_pt_format *format, uint32_t level, uint64_t entry, struct scan_lens *ret)
{
	uint64_t low = pt_leaf_bits(format, (UINT64_C(1) << pt_shift(format, level)) - 1, level), matters = low;
	uint32_t below;

	if (pt_kind(format, entry, level, &below) != PT_LEAF || pt_run_bits(format, entry, level) || entry & low)
		return false;
	if (format->flags & DS_PT_NEXT_LEVEL)
		matters |= UINT64_C(7) << 9;
	if (format->flags & DS_PT_NAPOT)
		matters |= UINT64_C(1) << 63;
	matters |= level || format->flags & DS_PT_LEAF_RULE_AT_0 ? format->leaf_any : format->page;
	*ret = (struct scan_lens){
		.present = format->present,
		.address = pt_leaf_bits(format, ~UINT64_C(0), level) & ~low,
		.matters = matters,
		.expected = entry & matters,
		.step = (UINT64_C(1) << pt_shift(format, level)) >> format->address_shift,
	};
	return true;
}

static inline void drop_absent(struct scan_sets *sets)
{
	uint64_t before = 0;

	for (int n = 0; n < SCAN_WORDS; n++) {
		uint64_t present = sets->present[n];

		sets->follows[n] &= present & (present << 1 | before);
		before = present >> 63;
	}
}

bool scan_entries(const uint8_t *entries, const struct scan_lens *lens, const uint8_t *ahead, struct scan_sets *ret)
{
	uint64_t before = 0, odd = 0;

	for (int n = 0; n < SCAN_WORDS; n++) {
		uint64_t there = 0, follows = 0;

		for (int k = 0; k < 64; k++, entries += 8, ahead += 8) {
			uint64_t entry = load64_le(entries), address = entry & lens->address;
			bool present = entry & lens->present;

			if (k % 8 == 0)
				__builtin_prefetch(ahead);
			odd |= present ? (entry & lens->matters) ^ lens->expected : 0;
			there |= (uint64_t)present << k;
			follows |= (uint64_t)(address - before == lens->step) << k;
			before = address;
		}
		ret->present[n] = there;
		ret->follows[n] = follows;
	}
	ret->follows[0] &= ~UINT64_C(1);
	drop_absent(ret);
	return !odd;
}

#ifdef DS_X86

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

AVX2 static inline uint64_t lanes(__m256i mask)
{
	return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(mask));
}

AVX2 bool scan_entries_avx2(const uint8_t *entries, const struct scan_lens *lens, const uint8_t *ahead, struct scan_sets *ret)
{
	const __m256i present = _mm256_set1_epi64x((long long)lens->present), address = _mm256_set1_epi64x((long long)lens->address);
	const __m256i matters = _mm256_set1_epi64x((long long)lens->matters), expected = _mm256_set1_epi64x((long long)lens->expected);
	const __m256i step = _mm256_set1_epi64x((long long)lens->step), none = _mm256_setzero_si256();
	__m256i sound = _mm256_set1_epi64x(-1);

	/* What stands before the first entry is not ours to read. */
	__m256i before = _mm256_permute4x64_epi64(_mm256_loadu_si256((const void *)entries), _MM_SHUFFLE(2, 1, 0, 0));

	for (int n = 0; n < SCAN_WORDS; n++) {
		uint64_t absent_set = 0, follows = 0;

		for (int k = 0; k < 64; k += 4, entries += 32, ahead += 32) {
			__m256i entry = _mm256_loadu_si256((const void *)entries);
			__m256i absent = _mm256_cmpeq_epi64(_mm256_and_si256(entry, present), none);
			__m256i plain = _mm256_cmpeq_epi64(_mm256_and_si256(entry, matters), expected);
			__m256i apart;

			if (n || k)
				before = _mm256_loadu_si256((const void *)(entries - 8));
			if (k % 8 == 0)
				__builtin_prefetch(ahead);
			apart = _mm256_sub_epi64(_mm256_and_si256(entry, address), _mm256_and_si256(before, address));
			sound = _mm256_and_si256(sound, _mm256_or_si256(absent, plain));
			absent_set |= lanes(absent) << k;
			follows |= lanes(_mm256_cmpeq_epi64(apart, step)) << k;
		}
		ret->present[n] = ~absent_set;
		ret->follows[n] = follows;
	}
	drop_absent(ret);
	return _mm256_testc_si256(sound, _mm256_set1_epi64x(-1));
}

#endif
