// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Folio records of a preserved memfd: check, and split into columns.
 *
 * Records go by in blocks that stay in the cache. A block is first asked, without branches, whether anything in it is wrong;
 * only one that says yes is looked through record by record. Then it is split. So memory is read once.
 */
#include "internal.h"

#include <stdbool.h>

#define RECORD 16
#define BLOCK 256	/* records: 4 KiB; with more, checking runs so far ahead that reading and writing no longer overlap */
#define PFN_BITS 52
#define PFN_MASK ((UINT64_C(1) << PFN_BITS) - 1)

/* Output that is larger than this goes around the caches: it would only push the input out of them. */
#define STREAM_RECORDS (UINT64_C(1) << 18)

/*
 * The first word of a record is a pair of bit-fields, which compilers for big-endian machines begin with the highest bit: there the page
 * frame number is above the flags.
 */
static inline bool is_big(int swap)
{
	return (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) != !!swap;
}

static inline uint64_t pfn_of(uint64_t word, int swap)
{
	return is_big(swap) ? word >> (64 - PFN_BITS) : word & PFN_MASK;
}

static inline uint64_t flags_of(uint64_t word, int swap)
{
	return is_big(swap) ? word & ~(~UINT64_C(0) << (64 - PFN_BITS)) : word >> PFN_BITS;
}

struct columns {
	uint64_t *pfn;
	uint16_t *flags;
	uint64_t *index;
};

/* before is the index of the record before the first one; first says that there is none. */
static bool any_fault(const uint8_t *at, size_t count, const struct ds_folio_rules *rules, uint64_t before, bool first)
{
	uint64_t bad_flags = ~(uint64_t)rules->known_flags, wrong = 0;
	int swap = (int)rules->swap;

	for (size_t i = 0; i < count; i++) {
		uint64_t word = load64_of(at + RECORD * i, swap), index = load64_of(at + RECORD * i + 8, swap);
		uint64_t pfn = pfn_of(word, swap);

		wrong |= (flags_of(word, swap) & bad_flags) | (pfn == 0) | (pfn >= rules->pfn_limit) | (index >= rules->index_limit) |
			 (index <= before && !(first && i == 0));
		before = index;
	}
	return wrong;
}

static void count_faults(const uint8_t *at, size_t count, const struct ds_folio_rules *rules, uint64_t before, uint64_t number,
			 struct ds_folio_faults *ret)
{
	int swap = (int)rules->swap;

	for (size_t i = 0; i < count; i++, number++) {
		uint64_t word = load64_of(at + RECORD * i, swap);
		uint64_t index = load64_of(at + RECORD * i + 8, swap), pfn = pfn_of(word, swap);
		const bool wrong[DS_FOLIO_FAULTS] = {
			[DS_FOLIO_PFN_ZERO] = pfn == 0,
			[DS_FOLIO_PFN_LIMIT] = pfn >= rules->pfn_limit,
			[DS_FOLIO_FLAGS] = flags_of(word, swap) & ~(uint64_t)rules->known_flags,
			[DS_FOLIO_INDEX_LIMIT] = index >= rules->index_limit,
			[DS_FOLIO_INDEX_ORDER] = number && index <= before,
		};

		for (int fault = 0; fault < DS_FOLIO_FAULTS; fault++)
			if (wrong[fault] && !ret->count[fault]++)
				ret->first[fault] = number;
		before = index;
	}
}

/* number is that of the first record: where in the columns it goes. */
static void split(const uint8_t *at, size_t count, int swap, const struct columns *to, size_t number)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t word = load64_of(at + RECORD * i, swap);

		to->pfn[number + i] = pfn_of(word, swap);
		to->flags[number + i] = (uint16_t)flags_of(word, swap);
		to->index[number + i] = load64_of(at + RECORD * i + 8, swap);
	}
}

#ifdef DS_X86

#define AVX2 __attribute__((target("avx2")))
#define LANES 4

/* Four records as two vectors, first words and indices, both in the order 0 2 1 3. */
AVX2 static inline void load_four(const uint8_t *at, __m256i *words, __m256i *indices)
{
	__m256i low = _mm256_loadu_si256((const void *)at), high = _mm256_loadu_si256((const void *)(at + 32));

	*words = _mm256_unpacklo_epi64(low, high);
	*indices = _mm256_unpackhi_epi64(low, high);
}

/* a > b, as unsigned numbers: AVX2 compares signed ones only. */
AVX2 static inline __m256i above(__m256i a, __m256i b)
{
	const __m256i sign = _mm256_set1_epi64x(INT64_MIN);

	return _mm256_cmpgt_epi64(_mm256_xor_si256(a, sign), _mm256_xor_si256(b, sign));
}

/* Records from on, a multiple of four of them; each has a record before it. */
AVX2 static bool any_fault_avx2(const uint8_t *at, size_t from, size_t count, const struct ds_folio_rules *rules)
{
	const __m256i pfn_mask = _mm256_set1_epi64x((long long)PFN_MASK);
	const __m256i bad_flags = _mm256_set1_epi64x((long long)(~(uint64_t)rules->known_flags << PFN_BITS));
	const __m256i pfn_limit = _mm256_set1_epi64x((long long)rules->pfn_limit);
	const __m256i index_limit = _mm256_set1_epi64x((long long)rules->index_limit);
	__m256i right = _mm256_set1_epi64x(-1), flags = _mm256_setzero_si256(), zero = _mm256_setzero_si256();

	for (size_t i = from; i < count; i += LANES) {
		__m256i words, indices, words_before, before, pfn;

		load_four(at + RECORD * i, &words, &indices);
		load_four(at + RECORD * (i - 1), &words_before, &before);
		pfn = _mm256_and_si256(words, pfn_mask);
		flags = _mm256_or_si256(flags, _mm256_and_si256(words, bad_flags));
		zero = _mm256_or_si256(zero, _mm256_cmpeq_epi64(pfn, _mm256_setzero_si256()));
		right = _mm256_and_si256(right, above(pfn_limit, pfn));
		right = _mm256_and_si256(right, above(index_limit, indices));
		right = _mm256_and_si256(right, above(indices, before));
	}
	return !_mm256_testz_si256(_mm256_or_si256(flags, zero), _mm256_set1_epi64x(-1)) ||
	       !_mm256_testc_si256(right, _mm256_set1_epi64x(-1));
}

/* Sixteen records at a time, so that the flags fill a vector too, into aligned columns, as streaming stores want them. */
AVX2 static void split_avx2(const uint8_t *at, size_t count, const struct columns *to, size_t number)
{
	const __m256i pfn_mask = _mm256_set1_epi64x((long long)PFN_MASK);

	for (size_t i = 0; i < count; i += 16) {
		__m256i flags[4];

		for (int k = 0; k < 4; k++) {
			size_t here = number + i + LANES * (size_t)k;
			__m256i words, indices;

			load_four(at + RECORD * (i + LANES * (size_t)k), &words, &indices);
			words = _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0));
			indices = _mm256_permute4x64_epi64(indices, _MM_SHUFFLE(3, 1, 2, 0));
			_mm256_stream_si256((__m256i *)(to->pfn + here), _mm256_and_si256(words, pfn_mask));
			_mm256_stream_si256((__m256i *)(to->index + here), indices);
			flags[k] = _mm256_srli_epi64(words, PFN_BITS);
		}
		/* Packing takes from the halves of both in turn; the permutation puts what it gives in order again. */
		__m256i low = _mm256_packus_epi32(flags[0], flags[1]), high = _mm256_packus_epi32(flags[2], flags[3]);
		__m256i all = _mm256_packus_epi32(_mm256_permute4x64_epi64(low, _MM_SHUFFLE(3, 1, 2, 0)),
						  _mm256_permute4x64_epi64(high, _MM_SHUFFLE(3, 1, 2, 0)));

		_mm256_stream_si256((__m256i *)(to->flags + number + i), _mm256_permute4x64_epi64(all, _MM_SHUFFLE(3, 1, 2, 0)));
	}
}

#endif

/* What the machine and the columns allow, found out once. */
struct means {
	bool avx2;
	bool stream;
};

static struct means means_for(const struct ds_folio_rules *rules, const struct columns *to, size_t count)
{
	struct means means = { .avx2 = ds_features() & DS_FEATURE_AVX2 && !rules->swap };

	if (to)
		means.stream = means.avx2 && count >= STREAM_RECORDS &&
			       !(((uintptr_t)to->pfn | (uintptr_t)to->flags | (uintptr_t)to->index) % 32);
	return means;
}

static bool block_has_fault(const uint8_t *at, size_t count, const struct ds_folio_rules *rules, uint64_t before, bool first,
			    const struct means *means)
{
#ifdef DS_X86
	if (means->avx2) {
		size_t from = 1 + (count - 1) % LANES;

		return any_fault(at, from, rules, before, first) || any_fault_avx2(at, from, count, rules);
	}
#endif
	(void)means;
	return any_fault(at, count, rules, before, first);
}

static void split_block(const uint8_t *at, size_t count, int swap, const struct columns *to, size_t number,
			const struct means *means)
{
	size_t done = 0;

#ifdef DS_X86
	if (means->stream) {
		done = count & ~(size_t)15;
		split_avx2(at, done, to, number);
	}
#endif
	(void)means;
	split(at + RECORD * done, count - done, swap, to, number + done);
}

static int go_through(const uint8_t *at, size_t count, const struct ds_folio_rules *rules, const struct columns *to,
		      struct ds_folio_faults *ret)
{
	struct means means = means_for(rules, to, count);
	uint64_t before = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t number = 0; number < count; number += BLOCK, at += RECORD * BLOCK) {
		size_t many = count - number < BLOCK ? count - number : BLOCK;

		if (block_has_fault(at, many, rules, before, number == 0, &means))
			count_faults(at, many, rules, before, number, ret);
		if (to)
			split_block(at, many, (int)rules->swap, to, number, &means);
		before = load64_of(at + RECORD * (many - 1) + 8, (int)rules->swap);
	}
#ifdef DS_X86
	if (means.stream)
		_mm_sfence();
#endif
	return DS_OK;
}

int ds_folios_check(const void *records, size_t count, const struct ds_folio_rules *rules, struct ds_folio_faults *ret)
{
	return go_through(records, count, rules, NULL, ret);
}

int ds_folios_decode(const void *records, size_t count, const struct ds_folio_rules *rules, uint64_t *pfn, uint16_t *flags,
		     uint64_t *index, struct ds_folio_faults *ret)
{
	struct columns to = { .pfn = pfn, .flags = flags, .index = index };

	return go_through(records, count, rules, &to, ret);
}
