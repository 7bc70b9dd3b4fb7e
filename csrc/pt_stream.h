/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What writing and reading the page-table stream share: docs/page-table-stream.md says what its bytes mean.
 */
#ifndef DEVSTATE_PT_STREAM_H
#define DEVSTATE_PT_STREAM_H

#include "internal.h"

#include <stdbool.h>

#define PAGE_SHIFT 12
#define PAGE 4096
#define WORDS 512			/* in a page */
#define MASK_WORDS (WORDS / 64)		/* of a bit for each word of a page */

/* The low bits of an item of a list of pages: the level of its table. */
#define PAGE_LEVEL(item) ((uint32_t)((item) & (PAGE - 1)))
#define PAGE_PA(item) ((item) & ~(uint64_t)(PAGE - 1))
#define LEVEL_MAX 7

/* Chunk headers: where their fields are. */
#define CHUNK_MAGIC 0x6b6e6863u		/* "chnk" */
#define CHUNK_NUMBER 4
#define CHUNK_FIRST_PA 8
#define CHUNK_BODY 16
#define CHUNK_PAGES 20
#define CHUNK_LIST 22
#define CHUNK_BODY_CRC 24
#define CHUNK_CRC 28
#define CHUNK_HEADER 32

#define VARINT_MAX 7
#define RUN_LEVEL_BITS 3

/* Records. */
enum pt_record { RECORD_ZERO, RECORD_REPEAT, RECORD_RUN, RECORD_PACKED, RECORD_LITERAL, RECORD_KINDS };
#define RECORD_KIND_BITS 3
#define RECORD_ARGUMENT_MAX 31
#define RECORD_KEEP (1u << RECORD_KIND_BITS)
#define RUN_SIZE 10
#define LITERAL_SIZE (1 + PAGE)
#define PACKED_HEAD 8
#define PACKED_FORM 16
#define SMALL_BITS 12			/* where the width is in the two bytes that describe gaps or lengths */
#define SMALL_WIDTH_MAX 9

/* From so many items on, an array is laid out in lanes. */
#define LANES 4
#define LANES_FROM 64

/* Which bits of a word are in an array, and what the others are. */
struct pt_form {
	uint64_t mask;
	uint64_t rest;
};

/* The bytes of an array. */
static inline size_t array_size(size_t count, uint32_t width)
{
	if (count < LANES_FROM)
		return (count * width + 7) / 8;
	return ((count + LANES - 1) / LANES * width + 63) / 64 * LANES * 8;
}

/* Integers of the stream: little-endian, at any address. */
static inline void store64_le(void *to, uint64_t value)
{
	store64_of(to, value, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static inline void store_le(uint8_t *to, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t load_le(const uint8_t *from, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

static inline uint64_t low_bits(uint32_t width)
{
	return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

/* The lowest ones of a mask that has some: how many there are without a gap, and where they begin. */
static inline uint32_t mask_run(uint64_t mask, uint32_t *low)
{
	*low = (uint32_t)__builtin_ctzll(mask);
	mask >>= *low;
	return mask == UINT64_MAX ? 64 : (uint32_t)__builtin_ctzll(~mask);
}

/*
 * Twins are only a hint, so only some are looked for: a word at an even place and the one after it, in the first 8 of each 32 words.
 * That finds every run of 4 that is repeated over and over, for a quarter of the time.
 */
#define IS_TWIN(n) ((n) % 2 && (n) % 32 < 8)

/* What words have in common, and more. */
struct pt_survey {
	uint64_t all;		/* bits that are set in all of them */
	uint64_t any;		/* in any of them */
	bool zero;		/* one of them is 0 */
	bool twins;		/* one is equal to the one after it: IS_TWIN */
};

/* Where the runs of a page are: runs of words that are not 0, each the one before plus a step. Bit n is word n. */
struct pt_cut {
	uint64_t starts[MASK_WORDS];	/* words that begin a run */
	uint64_t ends[MASK_WORDS];	/* words that end one, if there are holes; else a run ends where the next one starts */
	size_t runs;
	bool holes;			/* some words are 0 */
};

/* The runs of a page, as they are read. Gaps and lengths together are at most WORDS. */
struct pt_runs {
	size_t count;
	uint64_t step;
	uint64_t bases[WORDS];
	uint64_t gaps[WORDS];
	uint64_t lengths[WORDS];
};

/*
 * The loops that are worth two versions. Pages and words may stand at any address.
 *
 * cut: unless holes is set, holes are only looked for when one is among the first 64 words; else each zero is a run of one word.
 * ahead: the page that will be cut next, to be fetched meanwhile; NULL for none.
 * apart: surveys a page in which no word is the one before plus step; false when there is such a word.
 * pick: the places of the set bits of a mask, and the words there. put_lanes: words >> shift, count of them, as an array of that
 * width; get_lanes: the reverse, rest added, in whole rows of LANES.
 * expand: runs, each a gap of zeros and then base, base + step, ..., to words, which has room for EXPAND_ROOM; zeros up to WORDS.
 * fill: a page of base, base + step, ... copy: a page. These two and get_lanes go around the caches when stream is set.
 * differ: of each of SIDE_BY_SIDE tables, the bits in which a word differs from its first one; size is a multiple of 32.
 */
struct pt_loops {
	void (*cut)(const uint8_t *page, uint64_t step, bool holes, const uint8_t *ahead, struct pt_cut *ret);
	size_t (*pick)(const uint64_t *mask, const uint8_t *page, int16_t *places, uint64_t *words);
	void (*survey)(const uint8_t *words, size_t count, struct pt_survey *ret);
	bool (*apart)(const uint8_t *page, uint64_t step, const uint8_t *ahead, struct pt_survey *ret);
	void (*put_lanes)(const uint8_t *words, size_t count, uint32_t shift, uint32_t width, uint8_t *out);
	void (*get_lanes)(const uint8_t *in, size_t count, uint32_t shift, uint32_t width, uint64_t rest, uint8_t *words, bool stream);
	void (*expand)(const struct pt_runs *runs, uint64_t *words);
	void (*fill)(uint8_t *page, uint64_t base, uint64_t step, bool stream);
	void (*copy)(uint8_t *page, const uint8_t *from, bool stream);
	void (*differ)(const uint8_t *const *tables, size_t size, uint64_t *ret);
};

/* Tables that are read at a time, since memory gives four pages in the time of one or two. */
#define SIDE_BY_SIDE 4

/* What expand() may write to. */
#define EXPAND_ROOM (WORDS + 4)

/* What pick() may write to. */
#define PICK_ROOM (WORDS + 2)

/* Those for the running machine. */
const struct pt_loops *pt_loops(void);

#endif
