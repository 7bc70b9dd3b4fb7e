/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Maps that are made of pages: the radix tree of preserved memory, its bitmaps, trees of values.
 *
 *	root   PAGE_SIZE / 8 addresses of pages one level down, 0 is none
 *	...
 *	leaf   bits in u64 words, lowest first; bit n is the key that ends in n
 *
 *	key = 1 << (64 - PAGE_SHIFT - order) | pa >> (PAGE_SHIFT + order)
 *
 * The promises of devstate.h hold here. What is wrong is at the address of the pointer that leads
 * there, 0 for the first of all. A page that is its own ancestor is always found. That one is
 * reached in two ways only devstate_memory.seen can tell; without it, DEVSTATE_NODES_MAX bounds
 * the walk.
 */
#ifndef DEVSTATE_MAP_H
#define DEVSTATE_MAP_H

#include "devstate.h"

#define DEVSTATE_LEVELS_MAX 8
/* Pages of one tree: leaves of bits of 4 KiB pages then stand for 128 TiB. */
#ifndef DEVSTATE_NODES_MAX
#define DEVSTATE_NODES_MAX (1U << 20)
#endif
/* Pages of one chain of bitmaps: 255 bitmaps of 128 MiB each. */
#ifndef DEVSTATE_CHUNKS_MAX
#define DEVSTATE_CHUNKS_MAX (1U << 20)
#endif
/* Addresses are below 1 << 56: no machine that Linux runs on has more. */
#define DEVSTATE_PA_BITS 56

#define DEVSTATE_TABLE_BITS (PAGE_SHIFT - 3)
#define DEVSTATE_KEY_BITS (64 - PAGE_SHIFT + 1)

static inline u64 devstate_word(const void *page, u64 index)
{
	u64 word;

	memcpy(&word, (const u8 *)page + index * sizeof(word), sizeof(word));
	return word;
}

/* Blocks that follow each other and have one order are given to @each at once. */
struct devstate_blocks {
	int (*each)(void *context, u64 pa, u32 order, u64 blocks);
	void *context;
	u64 pa;
	u64 blocks;
	u32 order;
};

static inline int devstate_blocks_end(struct devstate_blocks *to)
{
	u64 blocks = to->blocks;

	to->blocks = 0;
	return blocks && to->each ? to->each(to->context, to->pa, to->order, blocks) : 0;
}

/* An error of the callback ends a walk; one of the map comes after what was found before it. */
static inline int devstate_blocks_done(struct devstate_blocks *to, int error)
{
	int ended = devstate_blocks_end(to);

	return error ? error : ended;
}

static inline int devstate_blocks_add(struct devstate_blocks *to, u64 pa, u32 order, u64 blocks)
{
	int error;

	if (to->blocks && order == to->order &&
	    pa == to->pa + (to->blocks << (PAGE_SHIFT + order))) {
		to->blocks += blocks;
		return 0;
	}
	error = devstate_blocks_end(to);
	to->pa = pa;
	to->order = order;
	to->blocks = blocks;
	return error;
}

/* The lowest run of ones in @bits: where it starts, and how many they are. */
static inline u64 devstate_run(u64 bits, u64 *ret)
{
	u64 first = __ffs64(bits), rest = ~(bits >> first);

	*ret = rest ? __ffs64(rest) : 64;
	return first;
}

/* Whether @count blocks of an order, from block @first on, are addresses. */
static inline bool devstate_addresses(u64 first, u64 count, u32 order)
{
	u64 shift = PAGE_SHIFT + (u64)order;
	u64 limit = shift > DEVSTATE_PA_BITS ? 0 : 1ULL << (DEVSTATE_PA_BITS - shift);

	return count <= limit && first <= limit - count;
}

/*
 * From leaf to leaf of a tree of pages, in the order of the keys. devstate_tables_next() gives 1
 * with a leaf, 0 at the end, or an error.
 */
struct devstate_tables {
	const struct devstate_memory *memory;
	const char *field;
	u32 depth;		/* levels, with the leaf */
	u32 leaf_bits;		/* bits of the key that a leaf uses */
	u32 key_bits;		/* bits that a key may have */
	u32 level;		/* of the page in hand; the leaf has 0 */
	u64 nodes;
	u64 prefix;		/* the indices that led to the page in hand */
	u64 slot;		/* address of the pointer to the page in hand */
	const void *pages[DEVSTATE_LEVELS_MAX];
	u64 pas[DEVSTATE_LEVELS_MAX];
	u32 next[DEVSTATE_LEVELS_MAX];
};

/* Take the page at @pa, to which the pointer at @slot leads, in hand. */
static inline int devstate_tables_enter(struct devstate_tables *tables, u32 level, u64 slot, u64 pa,
					struct devstate_fault *fault)
{
	u32 below = tables->leaf_bits + level * DEVSTATE_TABLE_BITS;
	const struct devstate_memory *memory = tables->memory;

	if (tables->prefix && (below >= tables->key_bits ||
			       tables->prefix >> (tables->key_bits - below)))
		return devstate_refuse(fault, DEVSTATE_KEY, slot, pa, tables->field);
	if (pa % PAGE_SIZE)
		return devstate_refuse(fault, DEVSTATE_CHAIN, slot, pa, tables->field);
	tables->pages[level] = memory->at(memory->context, pa, PAGE_SIZE);
	if (!tables->pages[level])
		return devstate_refuse(fault, DEVSTATE_MEMORY, slot, pa, tables->field);
	for (u32 above = level + 1; above < tables->depth; above++) {
		if (tables->pas[above] == pa)
			return devstate_refuse(fault, DEVSTATE_CYCLE, slot, pa, tables->field);
	}
	if (memory->seen && memory->seen(memory->context, pa))
		return devstate_refuse(fault, DEVSTATE_CYCLE, slot, pa, tables->field);
	if (tables->nodes++ == DEVSTATE_NODES_MAX)
		return devstate_refuse(fault, DEVSTATE_LIMIT, slot, pa, tables->field);
	tables->pas[level] = pa;
	tables->next[level] = 0;
	tables->level = level;
	tables->slot = slot;
	return 0;
}

/* @root is not 0. */
static inline int devstate_tables_init(struct devstate_tables *tables,
				       const struct devstate_memory *memory, u64 root, u32 depth,
				       u32 leaf_bits, u32 key_bits, const char *field,
				       struct devstate_fault *fault)
{
	memset(tables, 0, sizeof(*tables));
	tables->memory = memory;
	tables->field = field;
	tables->depth = depth;
	tables->leaf_bits = leaf_bits;
	tables->key_bits = key_bits;
	return devstate_tables_enter(tables, depth - 1, 0, root, fault);
}

static inline int devstate_tables_next(struct devstate_tables *tables, struct devstate_fault *fault)
{
	u32 level = tables->level ? tables->level : 1;

	if (!tables->level)
		tables->prefix >>= DEVSTATE_TABLE_BITS;
	while (level < tables->depth) {
		u64 index = tables->next[level], slot, pa;
		int error;

		if (index == PAGE_SIZE / sizeof(u64)) {
			tables->prefix >>= DEVSTATE_TABLE_BITS;
			level++;
			continue;
		}
		tables->next[level]++;
		pa = devstate_word(tables->pages[level], index);
		if (!pa)
			continue;
		tables->prefix = tables->prefix << DEVSTATE_TABLE_BITS | index;
		level--;
		slot = tables->pas[level + 1] + index * sizeof(u64);
		error = devstate_tables_enter(tables, level, slot, pa, fault);
		if (error || !level)
			return error ? error : 1;
	}
	return 0;
}

/*
 * The blocks of one leaf of the radix tree. The order changes at keys that are powers of two: a
 * word has one order, or keys below 64, which are blocks that no address space has.
 */
static inline int devstate_radix_leaf(const struct devstate_tables *tables,
				      struct devstate_blocks *to, struct devstate_fault *fault)
{
	u64 above = tables->prefix << tables->leaf_bits, slot = tables->slot, pa = tables->pas[0];
	const char *field = tables->field;

	for (u64 index = 0; index < PAGE_SIZE / sizeof(u64); index++) {
		u64 bits = devstate_word(tables->pages[0], index);

		while (bits) {
			u64 count, first = devstate_run(bits, &count);
			u64 key = above + index * 64 + first;
			u32 top, order;
			int error;

			if (!key)
				return devstate_refuse(fault, DEVSTATE_KEY, slot, pa, field);
			top = (u32)fls64(key) - 1;
			key ^= 1ULL << top;
			order = DEVSTATE_KEY_BITS - 1 - top;
			if (!devstate_addresses(key, count, order))
				return devstate_refuse(fault, DEVSTATE_ADDRESS, slot, pa, field);
			error = devstate_blocks_add(to, key << (PAGE_SHIFT + order), order, count);
			if (error)
				return error;
			bits &= count == 64 ? 0 : ~(((1ULL << count) - 1) << first);
		}
	}
	return 0;
}

/* Every block that the radix tree at @root says is preserved; none when @root is 0. */
static inline int devstate_radix_walk(const struct devstate_memory *memory, u64 root, u32 depth,
				      int (*each)(void *context, u64 pa, u32 order, u64 blocks),
				      void *context, struct devstate_fault *fault,
				      const char *field)
{
	struct devstate_blocks to = { .each = each, .context = context };
	struct devstate_tables tables;
	int error;

	if (!root)
		return 0;
	error = devstate_tables_init(&tables, memory, root, depth, PAGE_SHIFT + 3,
				     DEVSTATE_KEY_BITS, field, fault);
	while (!error) {
		error = devstate_tables_next(&tables, fault);
		if (error <= 0)
			break;
		error = devstate_radix_leaf(&tables, &to, fault);
	}
	return devstate_blocks_done(&to, error);
}

/* Every value but 0 of the tree of pages at @root, with its key; none when @root is 0. */
static inline int devstate_tree_walk(const struct devstate_memory *memory, u64 root, u32 depth,
				     int (*each)(void *context, u64 key, u64 value), void *context,
				     struct devstate_fault *fault, const char *field)
{
	struct devstate_tables tables;
	int error;

	if (!root)
		return 0;
	error = devstate_tables_init(&tables, memory, root, depth, DEVSTATE_TABLE_BITS, 64, field,
				     fault);
	if (error)
		return error;
	while ((error = devstate_tables_next(&tables, fault)) > 0) {
		u64 first = tables.prefix << DEVSTATE_TABLE_BITS;

		for (u64 index = 0; each && index < PAGE_SIZE / sizeof(u64); index++) {
			u64 value = devstate_word(tables.pages[0], index);

			error = value ? each(context, first + index, value) : 0;
			if (error)
				return error;
		}
	}
	return error;
}

/* A bitmap of @size bytes: bit n is the block of @order that is n blocks behind @start. */
static inline int devstate_bitmap(const void *words, u64 size, u64 start, u32 order,
				  struct devstate_blocks *to)
{
	for (u64 index = 0; index < size / sizeof(u64); index++) {
		u64 bits = devstate_word(words, index);

		while (bits) {
			u64 count, first = devstate_run(bits, &count);
			u64 at = start + ((index * 64 + first) << (PAGE_SHIFT + order));
			int error = devstate_blocks_add(to, at, order, count);

			if (error)
				return error;
			bits &= count == 64 ? 0 : ~(((1ULL << count) - 1) << first);
		}
	}
	return 0;
}

/*
 * One page of a chain { u64 next; u32 order; u32 count; { u64 start; u64 bitmap; }[] }. The chain's
 * blocks are counted by the caller.
 */
static inline int devstate_chunk(const struct devstate_memory *memory, u64 pa, u64 size,
				 struct devstate_blocks *to, struct devstate_fault *fault,
				 const char *field, u64 *next)
{
	const u8 *page = (const u8 *)memory->at(memory->context, pa, PAGE_SIZE);
	u32 numbers[2];

	memcpy(numbers, page + 8, sizeof(numbers));
	if (numbers[0] > 52 || numbers[1] > (PAGE_SIZE - 16) / 16)
		return devstate_refuse(fault, DEVSTATE_CHAIN, pa + 8, numbers[1], field);
	for (u64 n = 0; n < numbers[1]; n++) {
		u64 start = devstate_word(page, 2 + 2 * n), bitmap = devstate_word(page, 3 + 2 * n);
		u64 at = pa + 16 + 16 * n;
		u32 shift = PAGE_SHIFT + numbers[0];
		const void *words = NULL;
		int error;

		if (start % PAGE_SIZE || start >> DEVSTATE_PA_BITS || shift >= DEVSTATE_PA_BITS ||
		    size * 8 > ((1ULL << DEVSTATE_PA_BITS) - start) >> shift)
			return devstate_refuse(fault, DEVSTATE_ADDRESS, at, start, field);
		if (bitmap)
			words = memory->at(memory->context, bitmap, size);
		if (!words)
			return devstate_refuse(fault, DEVSTATE_MEMORY, at + 8, bitmap, field);
		error = devstate_bitmap(words, size, start, numbers[0], to);
		if (error)
			return error;
	}
	*next = devstate_word(page, 0);
	return 0;
}

/* Every block that the chain of bitmaps at @first says is preserved; none when @first is 0. */
static inline int devstate_chunks_walk(const struct devstate_memory *memory, u64 first, u64 size,
				       int (*each)(void *context, u64 pa, u32 order, u64 blocks),
				       void *context, struct devstate_fault *fault,
				       const char *field)
{
	struct devstate_blocks to = { .each = each, .context = context };
	u64 slot = 0, pa = first, mark = 0, power = 1, chunks = 0;
	int error = 0;

	while (pa && !error) {
		if (pa % PAGE_SIZE)
			error = devstate_refuse(fault, DEVSTATE_CHAIN, slot, pa, field);
		else if (!memory->at(memory->context, pa, PAGE_SIZE))
			error = devstate_refuse(fault, DEVSTATE_MEMORY, slot, pa, field);
		else if (pa == mark || (memory->seen && memory->seen(memory->context, pa)))
			error = devstate_refuse(fault, DEVSTATE_CYCLE, slot, pa, field);
		else if (chunks++ == DEVSTATE_CHUNKS_MAX)
			error = devstate_refuse(fault, DEVSTATE_LIMIT, slot, pa, field);
		if (error)
			break;
		if (chunks == power) {
			mark = pa;
			power *= 2;
		}
		slot = pa;
		error = devstate_chunk(memory, pa, size, &to, fault, field, &pa);
	}
	return devstate_blocks_done(&to, error);
}

#endif /* DEVSTATE_MAP_H */
