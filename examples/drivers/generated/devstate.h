/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What generated readers and writers of handed-over state stand on, in the kernel and outside.
 *
 * Promises, for any bytes: nothing is read outside of what the caller gives or of what struct
 * devstate_memory answers for; nothing is allocated; no recursion; time is linear in the bytes that
 * are there. Chains end at a limit and when they come back to a block that they have been at.
 */
#ifndef DEVSTATE_H
#define DEVSTATE_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#include <asm/page.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef u16 __le16;
typedef u32 __le32;
typedef u64 __le64;
typedef u16 __be16;
typedef u32 __be32;
typedef u64 __be64;

#ifndef PAGE_SIZE
#define PAGE_SIZE 4096
#endif
#ifndef PAGE_SHIFT
#define PAGE_SHIFT (PAGE_SIZE == 4096 ? 12 : PAGE_SIZE == 16384 ? 14 : 16)
#endif
#ifdef __cplusplus
#define DECLARE_FLEX_ARRAY(type, name) type name[0]
#else
#define DECLARE_FLEX_ARRAY(type, name) \
	__extension__ struct { struct { } empty_ ## name; type name[]; }
#undef static_assert
#define static_assert(condition) _Static_assert(condition, #condition)
#endif
#define __packed __attribute__((__packed__))
#define __counted_by(member)
#define __maybe_unused __attribute__((__unused__))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define devstate_le(bits, value) (value)
#define devstate_be(bits, value) __builtin_bswap ## bits(value)
#else
#define devstate_le(bits, value) __builtin_bswap ## bits(value)
#define devstate_be(bits, value) (value)
#endif
#define le16_to_cpu(value) devstate_le(16, value)
#define le32_to_cpu(value) devstate_le(32, value)
#define le64_to_cpu(value) devstate_le(64, value)
#define be16_to_cpu(value) devstate_be(16, value)
#define be32_to_cpu(value) devstate_be(32, value)
#define be64_to_cpu(value) devstate_be(64, value)
#define cpu_to_le16(value) devstate_le(16, value)
#define cpu_to_le32(value) devstate_le(32, value)
#define cpu_to_le64(value) devstate_le(64, value)
#define cpu_to_be16(value) devstate_be(16, value)
#define cpu_to_be32(value) devstate_be(32, value)
#define cpu_to_be64(value) devstate_be(64, value)
#define __ffs64(word) ((u64)__builtin_ctzll(word))
#define fls64(word) (64 - __builtin_clzll(word))
#endif /* __KERNEL__ */

/*
 * The physical address of a type, or 0 for nothing: 8 bytes in which only pa is stored. of[] takes
 * no room; it lets the compiler know what stands there:
 *
 *	struct queue_ser *queue = DEVSTATE_TYPED(ser->queues, phys_to_virt(ser->queues.pa));
 */
#define DEVSTATE_PHYS(type) __extension__ union { u64 pa; type *of[0]; }
#define DEVSTATE_TYPED(field, pointer) ((__typeof__((field).of[0]))(pointer))

/* Why a reader refuses: too few bytes, a value that is not of the format, a link to nowhere. */
enum devstate_rule {
	DEVSTATE_FINE,
	DEVSTATE_TRUNCATED,	/* the bytes end before the struct or its entries do */
	DEVSTATE_COUNT,		/* a link leads to more or less entries than are said */
	DEVSTATE_REMAINDER,	/* an area ends inside of an entry */
	DEVSTATE_LIMIT,		/* more than a limit of the format */
	DEVSTATE_VERSION,	/* another version */
	DEVSTATE_MUST,		/* not the one value that is allowed */
	DEVSTATE_FLAGS,		/* an unknown bit */
	DEVSTATE_ENUM,		/* an unknown value */
	DEVSTATE_RANGE,		/* below the least or above the greatest value */
	DEVSTATE_TEXT,		/* no NUL in it */
	DEVSTATE_MEMORY,	/* an address at which there is no memory */
	DEVSTATE_CYCLE,		/* a chain that comes back to where it has been */
	DEVSTATE_CHAIN,		/* a link to no page boundary, a block with an impossible count */
	DEVSTATE_KEY,		/* a page of a tree that stands for keys which none can be */
	DEVSTATE_ADDRESS,	/* blocks beyond the physical address space, or not at a page */
	DEVSTATE_TREE,		/* no sound devicetree */
	DEVSTATE_MISSING,	/* a node or a property that has to be there */
	DEVSTATE_SIZE,		/* a property of another length */
	DEVSTATE_TWICE,		/* a second node or property of a name */
	DEVSTATE_TYPE,		/* another kind of value than the field has */
	DEVSTATE_FORM,		/* a value that is not in its one form */
};

/**
 * struct devstate_fault - the first thing that is wrong, and where
 * @rule: enum devstate_rule
 * @field: path of the field in its struct
 * @at: bytes from the start of what was checked
 * @found: the value, as far as it is a number
 */
struct devstate_fault {
	int rule;
	const char *field;
	u64 at;
	u64 found;
};

/**
 * struct devstate_memory - how a reader gets at physical memory
 * @at: the @size bytes at @pa, or NULL unless all of them are memory that was handed over
 * @context: for @at and @seen
 * @seen: whether it was asked about the page at @pa before, in this walk of a map; may be NULL
 */
struct devstate_memory {
	const void *(*at)(void *context, u64 pa, u64 size);
	void *context;
	bool (*seen)(void *context, u64 pa);
};

/* Entries of one flexible array, and blocks of one chain, that a reader takes at most. */
#define DEVSTATE_ENTRIES_MAX (1U << 24)
#define DEVSTATE_BLOCKS_MAX 10000

/* Takes down what is wrong, and gives the error number for it. */
static inline int devstate_refuse(struct devstate_fault *fault, int rule, u64 at, u64 found,
				  const char *field)
{
	if (fault) {
		fault->rule = rule;
		fault->field = field;
		fault->at = at;
		fault->found = found;
	}
	switch (rule) {
	case DEVSTATE_LIMIT:
		return -E2BIG;
	case DEVSTATE_MEMORY:
		return -EFAULT;
	case DEVSTATE_CYCLE:
		return -ELOOP;
	case DEVSTATE_VERSION:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

/* Entries of @stride bytes in @room bytes: @count when that is @said, else as many as fit. */
static inline int devstate_entries(struct devstate_fault *fault, u64 at, u64 room, u64 stride,
				   bool said, s64 count, const char *field, u64 *ret)
{
	u64 entries = said ? (u64)count : room / stride;

	if (said && (count < 0 || (u64)count > room / stride))
		return devstate_refuse(fault, DEVSTATE_TRUNCATED, at, (u64)count, field);
	if (!said && room % stride)
		return devstate_refuse(fault, DEVSTATE_REMAINDER, at, room, field);
	if (entries > DEVSTATE_ENTRIES_MAX)
		return devstate_refuse(fault, DEVSTATE_LIMIT, at, entries, field);
	*ret = entries;
	return 0;
}

/*
 * A chain of pages { u64 next; u64 count; entries }. devstate_chain_next() gives one page after the
 * other: 1 with entries, 0 at the end, or an error. A cycle is seen by Brent's method: a mark that
 * the chain meets again, moved on at each power of two.
 */
struct devstate_chain {
	const struct devstate_memory *memory;
	const char *field;
	u64 next;
	u64 stride;
	u64 limit;
	u64 blocks;
	u64 mark;
	u64 power;
	const void *entries;
	u64 count;
	u64 total;
};

static inline void devstate_chain_init(struct devstate_chain *chain,
				       const struct devstate_memory *memory, u64 pa, u64 stride,
				       u64 limit, const char *field)
{
	memset(chain, 0, sizeof(*chain));
	chain->memory = memory;
	chain->next = pa;
	chain->stride = stride;
	chain->limit = limit;
	chain->field = field;
	chain->power = 1;
}

static inline int devstate_chain_next(struct devstate_chain *chain, struct devstate_fault *fault)
{
	u64 pa = chain->next, head[2];
	const u8 *page;

	if (!pa)
		return 0;
	if (pa % PAGE_SIZE)
		return devstate_refuse(fault, DEVSTATE_CHAIN, 0, pa, chain->field);
	if (pa == chain->mark)
		return devstate_refuse(fault, DEVSTATE_CYCLE, 0, pa, chain->field);
	if (chain->blocks >= chain->limit)
		return devstate_refuse(fault, DEVSTATE_LIMIT, 0, chain->blocks + 1, chain->field);
	page = (const u8 *)chain->memory->at(chain->memory->context, pa, PAGE_SIZE);
	if (!page)
		return devstate_refuse(fault, DEVSTATE_MEMORY, 0, pa, chain->field);
	chain->blocks++;
	if (chain->blocks == chain->power) {
		chain->mark = pa;
		chain->power *= 2;
	}
	memcpy(head, page, sizeof(head));
	if (!head[1] || head[1] > (PAGE_SIZE - sizeof(head)) / chain->stride)
		return devstate_refuse(fault, DEVSTATE_CHAIN, 8, head[1], chain->field);
	chain->next = head[0];
	chain->count = head[1];
	chain->total += head[1];
	chain->entries = page + sizeof(head);
	return 1;
}

/*
 * The bytes of a struct kho_vmalloc area in order: a chain of pages { u64 next; u64 phys[] }, where
 * a 0 in phys ends a page early. devstate_pages_read() copies the next @size bytes of the area.
 */
struct devstate_pages {
	const struct devstate_memory *memory;
	const char *field;
	u64 next;
	u64 left;		/* blocks that the area still has */
	u64 limit;		/* list pages that may still come */
	u64 block_size;
	const u8 *list;
	u64 index;
	const u8 *block;
	u64 within;
};

static inline void devstate_pages_init(struct devstate_pages *pages,
				       const struct devstate_memory *memory, u64 first,
				       u64 total_pages, u32 order, const char *field)
{
	memset(pages, 0, sizeof(*pages));
	pages->memory = memory;
	pages->field = field;
	pages->next = first;
	pages->block_size = order < 32 ? (u64)PAGE_SIZE << order : 0;
	pages->left = order < 32 ? (total_pages + (1ULL << order) - 1) >> order : 0;
	pages->limit = pages->left + 1;
}

/* The next page of the list; its index starts behind the pointer to the one after it. */
static inline int devstate_pages_list(struct devstate_pages *pages, struct devstate_fault *fault)
{
	u64 pa = pages->next;

	if (!pa)
		return devstate_refuse(fault, DEVSTATE_COUNT, 0, pages->left, pages->field);
	if (pa % PAGE_SIZE)
		return devstate_refuse(fault, DEVSTATE_CHAIN, 0, pa, pages->field);
	if (!pages->limit--)
		return devstate_refuse(fault, DEVSTATE_CYCLE, 0, pa, pages->field);
	pages->list = (const u8 *)pages->memory->at(pages->memory->context, pa, PAGE_SIZE);
	if (!pages->list)
		return devstate_refuse(fault, DEVSTATE_MEMORY, 0, pa, pages->field);
	memcpy(&pages->next, pages->list, sizeof(u64));
	pages->index = 1;
	return 0;
}

static inline int devstate_pages_block(struct devstate_pages *pages, struct devstate_fault *fault)
{
	u64 entry = 0, at;

	if (!pages->left)
		return devstate_refuse(fault, DEVSTATE_COUNT, 0, 0, pages->field);
	while (true) {
		int error;

		if (pages->list && pages->index < PAGE_SIZE / sizeof(u64))
			memcpy(&entry, pages->list + pages->index * sizeof(u64), sizeof(u64));
		if (entry)
			break;
		error = devstate_pages_list(pages, fault);
		if (error)
			return error;
	}
	at = pages->index * sizeof(u64);
	if (entry % PAGE_SIZE)
		return devstate_refuse(fault, DEVSTATE_CHAIN, at, entry, pages->field);
	pages->block = (const u8 *)pages->memory->at(pages->memory->context, entry,
						     pages->block_size);
	if (!pages->block)
		return devstate_refuse(fault, DEVSTATE_MEMORY, at, entry, pages->field);
	pages->index++;
	pages->left--;
	pages->within = 0;
	return 0;
}

static inline int devstate_pages_read(struct devstate_pages *pages, void *to, u64 size,
				      struct devstate_fault *fault)
{
	u8 *out = (u8 *)to;

	while (size) {
		u64 step;

		if (!pages->block || pages->within == pages->block_size) {
			int error = devstate_pages_block(pages, fault);

			if (error)
				return error;
		}
		step = pages->block_size - pages->within;
		if (step > size)
			step = size;
		memcpy(out, pages->block + pages->within, step);
		pages->within += step;
		out += step;
		size -= step;
	}
	return 0;
}

#endif /* DEVSTATE_H */
