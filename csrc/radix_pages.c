// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The radix tree of preserved pages from a list of pages in any order.
 *
 * While it is made, an entry of a table is the number of the node that it leads to; at the end it becomes that node's address. Pages that
 * come in ascending order, as they mostly do, are put together in a register, a word of the leaf at a time; those that do not are found
 * by a cache of leaves.
 */
#include "radix.h"

/* Leaves that are remembered, by the low bits of their prefix: at 4K pages these are neighbours of 128 MiB each, 128 GiB in all. */
#define CACHED 1024

/* With fewer blocks than DENSE for the word in hand, the next SCATTERED blocks are put one by one. */
#define DENSE 3
#define SCATTERED 128

struct cached {
	uint64_t prefix;	/* the key bits above a leaf */
	uint8_t *words;		/* its page, or NULL */
};

struct tree {
	struct shape shape;
	uint8_t *pages;
	size_t capacity;
	size_t used;
	struct cached cache[CACHED];
};

static uint8_t *page_of(const struct tree *tree, uint64_t node)
{
	return tree->pages + node * tree->shape.page_size;
}

/* The number of a new node that is all zero; 0, which is the root, when there is no room. */
static uint64_t new_node(struct tree *tree)
{
	if (tree->used == tree->capacity)
		return 0;
	memset(page_of(tree, tree->used), 0, tree->shape.page_size);
	return tree->used++;
}

/* The words of a leaf, which is made when there is none; NULL when there is no room for it. */
static uint8_t *make_leaf(struct tree *tree, uint64_t prefix)
{
	const struct shape *shape = &tree->shape;
	uint64_t node = 0;

	for (uint32_t level = shape->root_level; level; level--) {
		uint64_t index = prefix >> (level - 1) * shape->table_bits & ((UINT64_C(1) << shape->table_bits) - 1);
		uint8_t *slot = page_of(tree, node) + 8 * index;

		node = load64(slot);
		if (node)
			continue;
		node = new_node(tree);
		if (!node)
			return NULL;
		store64_of(slot, node, 0);
	}
	return page_of(tree, node);
}

static inline uint8_t *find_leaf(struct tree *tree, uint64_t prefix)
{
	struct cached *cached = &tree->cache[prefix % CACHED];

	if (!cached->words || cached->prefix != prefix)
		*cached = (struct cached){ .prefix = prefix, .words = make_leaf(tree, prefix) };
	return cached->words;
}

/* From numbers of nodes to their addresses, in all tables. */
static void link_nodes(const struct tree *tree, const uint64_t *node_pas)
{
	const struct shape *shape = &tree->shape;
	uint64_t entries = UINT64_C(1) << shape->table_bits, next[MAX_DEPTH] = { 0 };
	uint8_t *tables[MAX_DEPTH];
	uint32_t level = shape->root_level;

	tables[level] = tree->pages;
	while (level <= shape->root_level) {
		uint8_t *slot = tables[level] + 8 * next[level];
		uint64_t node;

		if (next[level] == entries) {
			level++;
			continue;
		}
		next[level]++;
		node = load64(slot);
		if (!node)
			continue;
		store64_of(slot, node_pas[node], (int)shape->swap);
		if (level > 1) {
			tables[--level] = page_of(tree, node);
			next[level] = 0;
		}
	}
}

/* Whether 64 blocks are one word of a leaf, all of it. */
static inline bool is_full_word(const uint64_t *blocks)
{
	uint64_t first = blocks[0], other = first % 64;

	if (other || blocks[63] != first + 63)
		return false;
	for (uint64_t n = 0; n < 64; n++)
		other |= blocks[n] ^ (first + n);
	return !other;
}

/* The blocks of the list that are in the same word as the first, for as long as they follow each other in the list. */
static inline uint64_t take_word(const uint64_t *blocks, size_t count, size_t *ret)
{
	uint64_t first = blocks[0], bits = 0;
	size_t n = 0;

	if (count >= 64 && is_full_word(blocks)) {
		*ret = 64;
		return ~UINT64_C(0);
	}
	for (; n + 4 <= count; n += 4) {
		const uint64_t *four = blocks + n;

		if (((four[0] ^ first) | (four[1] ^ first) | (four[2] ^ first) | (four[3] ^ first)) / 64)
			break;
		bits |= UINT64_C(1) << four[0] % 64 | UINT64_C(1) << four[1] % 64 | UINT64_C(1) << four[2] % 64 |
			UINT64_C(1) << four[3] % 64;
	}
	while (n < count && !((blocks[n] ^ first) / 64))
		bits |= UINT64_C(1) << blocks[n++] % 64;
	*ret = n;
	return bits;
}

struct target {
	struct tree *tree;
	uint64_t limit;		/* blocks are below it: a power of two */
	uint64_t first_key;
	bool avx2;
};

/* The word of a leaf that a block is in, in ret. */
static inline int find_word(const struct target *to, uint64_t block, uint8_t **ret)
{
	const struct shape *shape = &to->tree->shape;
	uint64_t key = to->first_key | block;
	uint8_t *leaf;

	if (block >= to->limit)
		return DS_EINVAL;
	leaf = find_leaf(to->tree, key >> shape->leaf_bits);
	if (!leaf)
		return DS_ESPACE;
	*ret = leaf + (key & ((UINT64_C(1) << shape->leaf_bits) - 1)) / 64 * 8;
	return DS_OK;
}

#ifdef DS_X86

#define AVX2 __attribute__((target("avx2")))

/* Blocks in a group, which is put at once. */
#define GROUP 8

AVX2 static inline uint64_t or_all(__m256i a)
{
	__m128i half = _mm_or_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));

	return (uint64_t)_mm_cvtsi128_si64(_mm_or_si128(half, _mm_unpackhi_epi64(half, half)));
}

/* The bits of two words that a group sets, whose blocks are counted from the first word on; false when it sets others too. */
AVX2 static inline bool group_bits(const uint64_t *blocks, uint64_t from, uint64_t bits[2])
{
	const __m256i base = _mm256_set1_epi64x((long long)from), one = _mm256_set1_epi64x(1), word = _mm256_set1_epi64x(64);
	__m256i low = _mm256_sub_epi64(_mm256_loadu_si256((const __m256i *)blocks), base);
	__m256i high = _mm256_sub_epi64(_mm256_loadu_si256((const __m256i *)(blocks + 4)), base);

	/* A shift by 64 or more leaves nothing. */
	bits[0] = or_all(_mm256_or_si256(_mm256_sllv_epi64(one, low), _mm256_sllv_epi64(one, high)));
	bits[1] = or_all(_mm256_or_si256(_mm256_sllv_epi64(one, _mm256_sub_epi64(low, word)),
					 _mm256_sllv_epi64(one, _mm256_sub_epi64(high, word))));
	return _mm256_testz_si256(_mm256_or_si256(low, high), _mm256_set1_epi64x(-128));
}

/*
 * Groups of blocks that are close to each other, sorted or not: nothing here depends on where exactly they are, so that the machine need
 * not guess. Returns how many blocks were put; less than a group may be left, or what is not close, or a word that is full.
 */
AVX2 static size_t put_close(const struct target *to, const uint64_t *blocks, size_t count, int *status)
{
	const struct shape *shape = &to->tree->shape;
	uint64_t mask = (UINT64_C(1) << shape->leaf_bits) - 1, in_hand = 0;
	uint8_t *leaf = NULL;
	size_t n = 0;

	for (; count - n >= GROUP; n += GROUP) {
		uint64_t from = blocks[n] & ~UINT64_C(63), bits[2];
		uint8_t *words;

		if (to->limit < 128 || from > to->limit - 128 || (from & mask) + 128 > mask + 1 || !group_bits(blocks + n, from, bits))
			break;
		if (from == blocks[n] && count - n >= 64 && blocks[n + 63] == from + 63)
			break;
		if (!leaf || from >> shape->leaf_bits != in_hand) {
			*status = find_word(to, from & ~mask, &leaf);
			if (*status)
				break;
			in_hand = from >> shape->leaf_bits;
		}
		words = leaf + (from & mask) / 8;
		for (int k = 0; k < 2; k++)
			store64_of(words + 8 * k, load64_of(words + 8 * k, (int)shape->swap) | bits[k], (int)shape->swap);
	}
	return n;
}

#endif

/* Blocks that are here and there: all their words are asked for before the first is written. */
static int put_scattered(const struct target *to, const uint64_t *blocks, size_t count)
{
	int swap = (int)to->tree->shape.swap, status;
	uint8_t *words[SCATTERED];

	for (size_t n = 0; n < count; n++) {
		status = find_word(to, blocks[n], &words[n]);
		if (status)
			return status;
		__builtin_prefetch(words[n], 1);
	}
	for (size_t n = 0; n < count; n++)
		store64_of(words[n], load64_of(words[n], swap) | UINT64_C(1) << blocks[n] % 64, swap);
	return DS_OK;
}

static int put_blocks(const struct target *to, const uint64_t *blocks, size_t count)
{
	int swap = (int)to->tree->shape.swap, status = DS_OK;
	size_t many;

	for (size_t n = 0; n < count; n += many) {
		uint64_t bits;
		uint8_t *word;

#ifdef DS_X86
		if (to->avx2) {
			n += put_close(to, blocks + n, count - n, &status);
			if (status || n == count)
				return status;
		}
#endif
		bits = take_word(blocks + n, count - n, &many);
		if (many < DENSE) {
			many = count - n < SCATTERED ? count - n : SCATTERED;
			status = put_scattered(to, blocks + n, many);
			if (status)
				return status;
			continue;
		}
		status = find_word(to, blocks[n], &word);
		if (status)
			return status;
		/* Of 64 or more, a power of two has all blocks of a word on one side. */
		if (to->limit < 64 && bits >> to->limit)
			return DS_EINVAL;
		store64_of(word, load64_of(word, swap) | bits, swap);
	}
	return DS_OK;
}

int ds_radix_build_pages(const struct ds_radix *radix, uint32_t order, const uint64_t *blocks, size_t count, const uint64_t *node_pas,
			 size_t capacity, void *pages, size_t *ret)
{
	struct tree tree = { .pages = pages, .capacity = capacity };
	struct target to;
	uint32_t top;
	int status;

	status = shape_init(radix, &tree.shape);
	if (status)
		return status;
	top = tree.shape.key_bits - 1 - order;
	if (order >= DS_PA_BITS || tree.shape.page_shift + order >= DS_PA_BITS ||
	    top >= bits_below(&tree.shape, tree.shape.root_level))
		return DS_EINVAL;
	if (!capacity)
		return DS_ESPACE;
	new_node(&tree);
	to = (struct target){ .tree = &tree, .limit = PA_LIMIT >> (tree.shape.page_shift + order), .first_key = UINT64_C(1) << top,
			      .avx2 = ds_features() & DS_FEATURE_AVX2 };
	status = put_blocks(&to, blocks, count);
	if (status)
		return status;
	link_nodes(&tree, node_pas);
	*ret = tree.used;
	return DS_OK;
}
