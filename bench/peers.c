// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Peers of the page-table benchmarks, as fast as a C programmer would make them; built by bench/tables.py with -O3 -march=native.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRIES 512
#define ADDRESS UINT64_C(0xffffffffff000)
#define READ_WRITE 3
#define LARGE (1 << 7)

static const uint64_t *table_at(const uint8_t *image, uint64_t base, uint64_t entry)
{
	return (const uint64_t *)(image + ((entry & ADDRESS) - base));
}

/* The leaf tables that one table points to, four at a time, with the beginnings of the next four asked for before. */
static uint64_t read_below(const uint8_t *image, uint64_t base, const uint64_t *table)
{
	uint64_t sum = 0;

	for (int k = 0; k < ENTRIES && table[k]; k += 4) {
		const uint64_t *a = table_at(image, base, table[k]), *b = k + 1 < ENTRIES && table[k + 1] ? table_at(image, base, table[k + 1]) : a;
		const uint64_t *c = k + 2 < ENTRIES && table[k + 2] ? table_at(image, base, table[k + 2]) : a;
		const uint64_t *d = k + 3 < ENTRIES && table[k + 3] ? table_at(image, base, table[k + 3]) : a;

		if (k + 8 <= ENTRIES && table[k + 7])
			for (int line = 0; line < 8; line++)
				for (int n = 4; n < 8; n++)
					__builtin_prefetch(table_at(image, base, table[k + n]) + 8 * line);
		for (int n = 0; n < ENTRIES; n++)
			sum += a[n] ^ b[n] ^ c[n] ^ d[n];
	}
	return sum;
}

/*
 * The limit for whatever looks at each table once: all leaf tables are read. above: levels of tables above them, 2 or 3. Of the tables
 * that point to leaf tables, those from first to end. Nothing is made of what is read.
 */
uint64_t tree_read(const uint8_t *image, uint64_t base, uint64_t top, uint64_t above, uint64_t first, uint64_t end)
{
	const uint64_t *upper = table_at(image, base, top), *middle;
	uint64_t sum = 0, number = 0;

	for (int i = 0; i < ENTRIES && upper[i]; i++) {
		if (above == 2) {
			if (number >= first && number < end)
				sum += read_below(image, base, table_at(image, base, upper[i]));
			number++;
			continue;
		}
		middle = table_at(image, base, upper[i]);
		for (int j = 0; j < ENTRIES && middle[j]; j++, number++)
			if (number >= first && number < end)
				sum += read_below(image, base, table_at(image, base, middle[j]));
	}
	return sum;
}

/* All words, one after the other. */
uint64_t pages_read(const uint64_t *words, uint64_t count)
{
	uint64_t sums[32] = { 0 }, sum = 0;

	for (uint64_t n = 0; n + 32 <= count; n += 32)
		for (int i = 0; i < 32; i++)
			sums[i] += words[n + i];
	for (int i = 0; i < 32; i++)
		sum += sums[i];
	return sum;
}

/* All words written, one after the other, around the caches: the limit for what makes pages. words is a multiple of 16 bytes. */
uint64_t pages_written(uint64_t *words, uint64_t count)
{
	__m128i value = _mm_set_epi64x(3, 4099), step = _mm_set1_epi64x(8192);

	for (uint64_t n = 0; n + 2 <= count; n += 2, value = _mm_add_epi64(value, step))
		_mm_stream_si128((__m128i *)(words + n), value);
	_mm_sfence();
	return count;
}

/* A chain of multiplications: what the processor does when memory has no part in it. */
uint64_t compute(uint64_t steps)
{
	uint64_t value = steps | 1;

	while (steps--)
		value = value * UINT64_C(0x9e3779b97f4a7c15) + 1;
	return value;
}

struct extent {
	uint64_t iova, pa, size;
};

struct naive {
	const uint8_t *image;
	uint64_t base;
	struct extent *extents;
	uint64_t capacity;
	uint64_t count;
};

static void naive_table(struct naive *walk, const uint64_t *table, int level, uint64_t iova)
{
	uint64_t size = UINT64_C(4096) << 9 * level;

	for (int n = 0; n < ENTRIES; n++, iova += size) {
		struct extent *last = walk->extents + walk->count - 1;
		uint64_t pa = table[n] & ADDRESS;

		if (!(table[n] & READ_WRITE))
			continue;
		if (level && !(table[n] & LARGE))
			naive_table(walk, table_at(walk->image, walk->base, table[n]), level - 1, iova);
		else if (walk->count && last->iova + last->size == iova && last->pa + last->size == pa)
			last->size += size;
		else if (walk->count < walk->capacity)
			walk->extents[walk->count++] = (struct extent){ iova, pa, size };
	}
}

/* A walk as it is written first: depth first, entry by entry, extents joined as they come. Returns how many there are. */
uint64_t naive_walk(const uint8_t *image, uint64_t base, uint64_t top, int level, struct extent *extents, uint64_t capacity)
{
	struct naive walk = { image, base, extents, capacity, 0 };

	naive_table(&walk, table_at(image, base, top), level, 0);
	return walk.count;
}
