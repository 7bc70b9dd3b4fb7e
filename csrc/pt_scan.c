// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The entries of page tables as sets of bits.
 */
#include "pt_scan.h"

void scan_lens_init(const struct ds_pt_format *format, uint32_t level, struct scan_lens *ret)
{
	*ret = (struct scan_lens){
		.present = format->present,
		.expected = 1,
		.high = format->high,
		.address_shift = format->address_shift,
		.high_shift = format->high_shift,
		.shift = pt_shift(format, level),
	};
}

bool scan_lens_for(const struct ds_pt_format *format, uint32_t level, uint64_t entry, struct scan_lens *ret)
{
	uint32_t shift = pt_shift(format, level), below;
	uint64_t low = pt_leaf_bits(format, (UINT64_C(1) << shift) - 1, level), matters = low;

	if (pt_kind(format, entry, level, &below) != PT_LEAF || pt_run_bits(format, entry, level) || entry & low)
		return false;
	if (format->flags & DS_PT_NEXT_LEVEL)
		matters |= UINT64_C(7) << 9;
	if (format->flags & DS_PT_NAPOT)
		matters |= UINT64_C(1) << 63;
	matters |= level || format->flags & DS_PT_LEAF_RULE_AT_0 ? format->leaf_any : format->page;
	scan_lens_init(format, level, ret);
	ret->address = pt_leaf_bits(format, ~UINT64_C(0), level) & ~low;
	ret->matters = matters;
	ret->expected = entry & matters;
	ret->step = (UINT64_C(1) << shift) >> format->address_shift;
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

static bool scan_portable(const uint8_t *entries, const struct scan_lens *lens, struct scan_sets *ret)
{
	uint64_t before = (load64_le(entries) & lens->address), odd = 0;

	for (int n = 0; n < SCAN_WORDS; n++) {
		uint64_t there = 0, follows = 0;

		for (int k = 0; k < 64; k++, entries += 8) {
			uint64_t entry = load64_le(entries), address = entry & lens->address;
			bool present = entry & lens->present;

			odd |= present ? (entry & lens->matters) ^ lens->expected : 0;
			there |= (uint64_t)present << k;
			follows |= (uint64_t)(address - before == lens->step) << k;
			before = address;
		}
		ret->present[n] = there;
		ret->follows[n] = follows;
	}
	drop_absent(ret);
	return !odd;
}

#ifdef DS_X86

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

#define ODD_BITS UINT64_C(0xaaaaaaaaaaaaaaaa)

/* A lens in vectors. */
struct vectors {
	__m256i present, address, matters, expected, step;
};

/* Of four entries two bits each, the lower one when it is absent, the higher one when it follows on the one before, as before has them. */
AVX2 static inline uint64_t take_four(const struct vectors *lens, const bool choosy, __m256i entry, __m256i before, __m256i *sound)
{
	__m256i absent = _mm256_cmpeq_epi64(_mm256_and_si256(entry, lens->present), _mm256_setzero_si256());
	__m256i plain = _mm256_cmpeq_epi64(_mm256_and_si256(entry, lens->matters), lens->expected);
	__m256i apart = _mm256_sub_epi64(_mm256_and_si256(entry, lens->address), _mm256_and_si256(before, lens->address));
	__m256i follows = _mm256_cmpeq_epi64(apart, lens->step);

	if (choosy)
		*sound = _mm256_and_si256(*sound, _mm256_or_si256(absent, plain));
	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_blend_epi32(absent, follows, 0xaa)));
}

/*
 * The streams take turns at each vector: so many pages are read at once, and each is a sequence that the machine sees as one. choosy: there
 * are entries that are present but no plain leaf.
 */
AVX2 __attribute__((always_inline)) static inline uint32_t scan_avx2(const uint8_t *const *streams, const int count,
								     const struct scan_lens *lens, const bool choosy,
								     struct scan_sets *ret)
{
	const struct vectors vectors = {
		.present = _mm256_set1_epi64x((long long)lens->present), .address = _mm256_set1_epi64x((long long)lens->address),
		.matters = _mm256_set1_epi64x((long long)lens->matters), .expected = _mm256_set1_epi64x((long long)lens->expected),
		.step = _mm256_set1_epi64x((long long)lens->step),
	};
	const __m256i all = _mm256_set1_epi64x(-1);
	__m256i sound[SCAN_STREAMS] = { all, all, all, all, all, all, all, all };
	uint64_t found[SCAN_STREAMS];
	uint32_t all_sound = 0;

	/* What stands before the first entry is not ours to read. */
	for (int n = 0; n < count; n++) {
		__m256i entry = _mm256_loadu_si256((const void *)streams[n]);

		found[n] = take_four(&vectors, choosy, entry, _mm256_permute4x64_epi64(entry, _MM_SHUFFLE(2, 1, 0, 0)), &sound[n]);
	}
	for (int half = 0; half < 2 * SCAN_WORDS; half++) {
		for (int k = half ? 0 : 4; k < 32; k += 4) {
#pragma GCC unroll 8
			for (int n = 0; n < count; n++) {
				const uint8_t *at = streams[n] + 8 * (32 * half + k);
				__m256i entry = _mm256_loadu_si256((const void *)at), before = _mm256_loadu_si256((const void *)(at - 8));

				found[n] |= take_four(&vectors, choosy, entry, before, &sound[n]) << 2 * k;
			}
		}
#pragma GCC unroll 8
		for (int n = 0; n < count; n++) {
			uint64_t present = (uint32_t)~_pext_u64(found[n], ~ODD_BITS), follows = _pext_u64(found[n], ODD_BITS);

			ret[n].present[half / 2] = half % 2 ? ret[n].present[half / 2] | present << 32 : present;
			ret[n].follows[half / 2] = half % 2 ? ret[n].follows[half / 2] | follows << 32 : follows;
			found[n] = 0;
		}
	}
	for (int n = 0; n < count; n++) {
		drop_absent(&ret[n]);
		all_sound |= (uint32_t)_mm256_testc_si256(sound[n], all) << n;
	}
	return all_sound;
}

AVX2 static uint32_t scan_one(const uint8_t *const *streams, const struct scan_lens *lens, struct scan_sets *ret)
{
	return scan_avx2(streams, 1, lens, true, ret);
}

AVX2 static uint32_t scan_all(const uint8_t *const *streams, const struct scan_lens *lens, struct scan_sets *ret)
{
	return lens->matters || lens->expected ? scan_avx2(streams, SCAN_STREAMS, lens, true, ret) :
						 scan_avx2(streams, SCAN_STREAMS, lens, false, ret);
}

#endif

uint32_t scan_entries(const uint8_t *const *streams, uint32_t count, const struct scan_lens *lens, bool avx2, struct scan_sets *ret)
{
	uint32_t sound = 0;

#ifdef DS_X86
	if (avx2)
		return (count == 1 ? scan_one : scan_all)(streams, lens, ret);
#endif
	(void)avx2;
	for (uint32_t stream = 0; stream < count; stream++)
		sound |= (uint32_t)scan_portable(streams[stream], lens, &ret[stream]) << stream;
	return sound;
}
