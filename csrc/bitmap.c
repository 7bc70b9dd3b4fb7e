// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Bitmaps of preserved blocks to ranges, and the ranges of many orders to one sorted list.
 *
 * An edge is a place where a bit differs from the one before it: word ^ (word << 1 | last bit of the word before). Edges come in
 * pairs, start and end of a range; a run that goes on over words and bitmaps has no edge there and costs nothing.
 */
#include "internal.h"

#include <stdbool.h>

/* The scan is compiled twice, for any machine and for one with the bit instructions: everything in it is inlined. */
#define INLINE __attribute__((always_inline)) static inline

/* The range that is open at the end of what was scanned so far: end is where it would close. */
struct cursor {
	uint64_t *edges;
	size_t capacity;
	size_t used;
	uint64_t carry;		/* 1 while a range is open */
	uint64_t end;
};

INLINE bool put(struct cursor *at, uint64_t edge)
{
	if (at->edges) {
		if (at->used == at->capacity)
			return false;
		at->edges[at->used] = edge;
	}
	at->used++;
	return true;
}

#ifdef DS_X86

/* The places of the set bits of a byte, lowest first, one in each byte of the entry. */
#define PLACE(i, b, higher) ((higher) * ((i) >> (b) & 1 ? 256 : 1) + ((i) >> (b) & 1 ? (b) : 0))
#define PLACES(i) \
	PLACE(i, 0, PLACE(i, 1, PLACE(i, 2, PLACE(i, 3, PLACE(i, 4, PLACE(i, 5, PLACE(i, 6, PLACE(i, 7, UINT64_C(0)))))))))

static const uint64_t places[256] = { EACH_256(PLACES) };

/* From this many edges in a word on, looking at all its bytes is quicker than looking for the bits. */
#define DENSE 10

/*
 * The edges of a word, a byte at a time: all eight places are written, whether they are edges or not, and the next byte goes
 * where the last edge was. No branch depends on the data, which is what counts when it is random.
 */
__attribute__((target("avx2,popcnt"))) static inline void put_dense(uint64_t *to, uint64_t toggles, uint64_t pa, uint32_t shift)
{
	const __m128i by = _mm_cvtsi32_si128((int)shift);

	for (int n = 0; n < 8; n++, toggles >>= 8, pa += UINT64_C(8) << shift) {
		__m128i place = _mm_cvtsi64_si128((long long)places[toggles & 0xff]);
		__m256i base = _mm256_set1_epi64x((long long)pa);
		__m256i low = _mm256_cvtepu8_epi64(place), high = _mm256_cvtepu8_epi64(_mm_srli_si128(place, 4));

		_mm256_storeu_si256((__m256i *)to, _mm256_add_epi64(base, _mm256_sll_epi64(low, by)));
		_mm256_storeu_si256((__m256i *)(to + 4), _mm256_add_epi64(base, _mm256_sll_epi64(high, by)));
		to += __builtin_popcountll(toggles & 0xff);
	}
}

#else

#define DENSE 65

static inline void put_dense(uint64_t *to, uint64_t toggles, uint64_t pa, uint32_t shift)
{
	(void)to, (void)toggles, (void)pa, (void)shift;
}

#endif

/* The edges in the lowest bits of a word, which are blocks from pa on. */
INLINE bool scan_word(struct cursor *at, uint64_t word, uint32_t bits, uint64_t pa, uint32_t shift, const bool avx2)
{
	uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : ~UINT64_C(0), room = at->capacity - at->used;
	uint64_t toggles = (word ^ (word << 1 | at->carry)) & mask;
	uint32_t many = (uint32_t)__builtin_popcountll(toggles);
	uint64_t *to;

	at->carry = word >> (bits - 1) & 1;
	if (!at->edges) {
		at->used += many;
		return true;
	}
	if (many > room)
		return false;
	to = at->edges + at->used;
	at->used += many;
	if (avx2 && many >= DENSE && room >= 64 + 8)
		put_dense(to, toggles, pa, shift);
	else
		for (; toggles; toggles &= toggles - 1)
			*to++ = pa + ((uint64_t)__builtin_ctzll(toggles) << shift);
	return true;
}

/* Leaves are scattered, which the machine's own prefetcher cannot know: while one is read, so is the fourth after it. */
#define AHEAD 4

/*
 * How many of the next words, up to limit, hold nothing but what the carry says: no edge in them. ahead is what stands at the
 * same place in a later bitmap, as a number: it need not be inside of anything, as it is not read.
 */
INLINE size_t same_words(const uint8_t *words, size_t limit, uint64_t carry, uintptr_t ahead)
{
	uint64_t fill = 0 - carry;
	size_t n = 0;

	if (!limit || load64(words) != fill)
		return 0;
	for (; n + 8 <= limit; n += 8) {
		uint64_t other = 0;

		__builtin_prefetch((const void *)(ahead + 8 * n));
		for (size_t k = 0; k < 8; k++)
			other |= load64(words + 8 * (n + k)) ^ fill;
		if (other)
			break;
	}
	return n ? n : 1;
}

INLINE bool scan_bitmap(struct cursor *at, const struct ds_bitmap *map, uintptr_t ahead, int swap, const bool avx2,
			uint64_t *blocks)
{
	const uint8_t *words = (const uint8_t *)map->words + map->first / 64 * 8;
	size_t full = map->count / 64;
	uint32_t rest = map->count % 64;
	uint64_t set = 0;

	for (size_t n = 0; n < full;) {
		size_t same = same_words(words + 8 * n, full - n, at->carry, ahead + 8 * n);
		uint64_t word;

		if (same) {
			set += at->carry * 64 * same;
			n += same;
			continue;
		}
		word = load64_of(words + 8 * n, swap);
		set += (uint64_t)__builtin_popcountll(word);
		if (!scan_word(at, word, 64, map->pa + ((uint64_t)n << 6 << map->shift), map->shift, avx2))
			return false;
		n++;
	}
	if (rest) {
		uint64_t word = load64_of(words + 8 * full, swap) >> map->first % 64;

		set += (uint64_t)__builtin_popcountll(word & ((UINT64_C(1) << rest) - 1));
		if (!scan_word(at, word, rest, map->pa + ((uint64_t)full << 6 << map->shift), map->shift, avx2))
			return false;
	}
	*blocks += set;
	return true;
}

INLINE bool close_range(struct cursor *at)
{
	bool done = !at->carry || put(at, at->end);

	at->carry = 0;
	return done;
}

/* One above the last block, or 0 when the bitmap is not what the header asks for. */
static uint64_t bitmap_end(const struct ds_bitmap *map)
{
	const uint64_t limit = UINT64_C(1) << DS_PA_BITS;

	if (map->shift < 12 || map->shift > 63 || map->order >= DS_ORDERS || !map->count)
		return 0;
	if (map->first % 64 && map->first % 64 + (uint64_t)map->count > 64)
		return 0;
	if (map->pa >= limit || map->count > (limit - map->pa) >> map->shift)
		return 0;
	return map->pa + ((uint64_t)map->count << map->shift);
}

INLINE int scan_all(const struct ds_bitmap *maps, size_t count, int swap, uint64_t *edges, size_t capacity, const bool avx2,
		    struct ds_scan *ret)
{
	struct cursor at = { .edges = edges, .capacity = capacity };
	size_t before = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < count; i++) {
		const struct ds_bitmap *map = &maps[i];
		bool same_order = i && map->order == maps[i - 1].order;
		uintptr_t ahead = (uintptr_t)maps[count - i > AHEAD ? i + AHEAD : i].words;
		uint64_t end = bitmap_end(map);

		if (!end)
			return DS_EINVAL;
		if (i && (map->order > maps[i - 1].order || (same_order && map->pa < at.end)))
			return DS_EORDER;
		if ((!same_order || map->pa != at.end) && !close_range(&at))
			return DS_ESPACE;
		if (i && !same_order) {
			ret->edges[maps[i - 1].order] = at.used - before;
			before = at.used;
		}
		if (!(swap ? scan_bitmap(&at, map, ahead, 1, avx2, &ret->blocks[map->order])
			   : scan_bitmap(&at, map, ahead, 0, avx2, &ret->blocks[map->order])))
			return DS_ESPACE;
		at.end = end;
	}
	if (!close_range(&at))
		return DS_ESPACE;
	if (count)
		ret->edges[maps[count - 1].order] = at.used - before;
	ret->total = at.used;
	return DS_OK;
}

#ifdef DS_X86
__attribute__((target("bmi,bmi2,popcnt,avx2"))) static int scan_x86(const struct ds_bitmap *maps, size_t count, int swap,
								   uint64_t *edges, size_t capacity, struct ds_scan *ret)
{
	return scan_all(maps, count, swap, edges, capacity, true, ret);
}
#endif

static int scan(const struct ds_bitmap *maps, size_t count, int swap, uint64_t *edges, size_t capacity, struct ds_scan *ret)
{
#ifdef DS_X86
	if (ds_features() & DS_FEATURE_AVX2)
		return scan_x86(maps, count, swap, edges, capacity, ret);
#endif
	return scan_all(maps, count, swap, edges, capacity, false, ret);
}

int ds_bitmaps_count(const struct ds_bitmap *bitmaps, size_t count, int swap, struct ds_scan *ret)
{
	return scan(bitmaps, count, swap, NULL, 0, ret);
}

int ds_bitmaps_scan(const struct ds_bitmap *bitmaps, size_t count, int swap, uint64_t *edges, size_t capacity,
		    struct ds_scan *ret)
{
	uint64_t none;

	return scan(bitmaps, count, swap, edges ? edges : &none, edges ? capacity : 0, ret);
}

/* What is left of the ranges of one order. */
struct head {
	const uint64_t *next;
	const uint64_t *end;
	uint32_t order;
};

/* By the start of the next range; where they start together, the larger blocks first. */
static inline bool comes_first(const struct head *a, const struct head *b)
{
	return a->next[0] < b->next[0] || (a->next[0] == b->next[0] && a->order > b->order);
}

/* Puts the first head where it belongs in the sorted rest. */
static void sift(struct head *heads, size_t count)
{
	struct head moved = heads[0];
	size_t i = 1;

	for (; i < count && comes_first(&heads[i], &moved); i++)
		heads[i - 1] = heads[i];
	heads[i - 1] = moved;
}

static size_t heads_of(const uint64_t *edges, const struct ds_scan *scan, struct head heads[DS_ORDERS])
{
	size_t count = 0;

	/* Lowest order first, from the back: each new head goes in front and is sifted to its place. */
	edges += scan->total;
	for (uint32_t order = 0; order < DS_ORDERS; order++) {
		const uint64_t *end = edges;

		edges -= scan->edges[order];
		if (edges == end)
			continue;
		memmove(heads + 1, heads, count * sizeof(*heads));
		heads[0] = (struct head){ .next = edges, .end = end, .order = order };
		sift(heads, ++count);
	}
	return count;
}

void problem_add(struct ds_problems *problems, struct ds_problem problem)
{
	if (problems->count < problems->capacity)
		problems->list[problems->count] = problem;
	problems->count++;
}

int ds_edges_merge(const uint64_t *edges, const struct ds_scan *scan, uint64_t *out, size_t capacity,
		   struct ds_problems *problems, size_t *ret)
{
	struct head heads[DS_ORDERS];
	size_t count, used = 0;
	uint64_t sum = 0;

	for (uint32_t order = 0; order < DS_ORDERS; order++) {
		if (scan->edges[order] % 2 || scan->edges[order] > scan->total)
			return DS_EINVAL;
		sum += scan->edges[order];
	}
	if (sum != scan->total)
		return DS_EINVAL;
	for (count = heads_of(edges, scan, heads); count;) {
		uint64_t start = heads[0].next[0], end = heads[0].next[1];

		if (used && start <= out[used - 1]) {
			uint64_t joined = out[used - 1];

			if (start < joined)
				problem_add(problems, (struct ds_problem){ .pa = start, .value = end < joined ? end : joined,
									   .code = DS_OVERLAP, .level = heads[0].order });
			out[used - 1] = end > joined ? end : joined;
		} else {
			if (capacity - used < 2)
				return DS_ESPACE;
			out[used++] = start;
			out[used++] = end;
		}
		heads[0].next += 2;
		if (heads[0].next == heads[0].end)
			memmove(heads, heads + 1, --count * sizeof(*heads));
		else
			sift(heads, count);
	}
	*ret = used;
	return DS_OK;
}
