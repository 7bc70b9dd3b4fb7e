// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The header of a flattened devicetree, the reserve map, and where the blocks are: as in devstate/fdt/header.py.
 */
#include "fdt.h"

#define MAGIC 0xd00dfeedu
#define VERSION 17
#define HEADER_SIZE 40
#define RESERVE_ENTRY 16

static inline uint64_t load64_be(const uint8_t *from)
{
	return load64_of(from, __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__);
}

static bool read_header(const uint8_t *blob, size_t size, struct fdt_header *head, struct ds_fdt_verdict *verdict)
{
	if (size < HEADER_SIZE)
		return fdt_fault(verdict, DS_FDT_HEADER, 0);
	if (load32_be(blob) != MAGIC)
		return fdt_fault(verdict, DS_FDT_MAGIC, 0);
	*head = (struct fdt_header){
		.totalsize = load32_be(blob + 0x04), .structure = load32_be(blob + 0x08), .strings = load32_be(blob + 0x0c),
		.reserve = load32_be(blob + 0x10), .strings_size = load32_be(blob + 0x20), .structure_size = load32_be(blob + 0x24),
	};
	if (load32_be(blob + 0x14) < VERSION)
		return fdt_fault(verdict, DS_FDT_VERSION, 0x14);
	if (load32_be(blob + 0x18) > VERSION)
		return fdt_fault(verdict, DS_FDT_VERSION, 0x18);
	if (head->totalsize < HEADER_SIZE)
		return fdt_fault(verdict, DS_FDT_HEADER, 0x04);
	if (head->totalsize > DS_FDT_MAX_SIZE)
		return fdt_fault(verdict, DS_FDT_LIMIT, 0x04);
	if (size < head->totalsize)
		return fdt_fault(verdict, DS_FDT_CUT, size);
	return true;
}

static bool fits(const struct fdt_header *head, uint32_t start, uint32_t size)
{
	return start >= HEADER_SIZE && (uint64_t)start + size <= head->totalsize;
}

static bool check_blocks(const struct fdt_header *head, struct ds_fdt_verdict *verdict)
{
	if (!fits(head, head->reserve, 0))
		return fdt_fault(verdict, DS_FDT_BLOCK, 0x10);
	if (!fits(head, head->structure, head->structure_size))
		return fdt_fault(verdict, DS_FDT_BLOCK, 0x08);
	if (!fits(head, head->strings, head->strings_size))
		return fdt_fault(verdict, DS_FDT_BLOCK, 0x0c);
	return true;
}

static bool check_reserve_map(const uint8_t *blob, const struct fdt_header *head, uint32_t *end, struct ds_fdt_verdict *verdict)
{
	uint32_t at = head->reserve;

	for (uint32_t entries = 0; head->totalsize - at >= RESERVE_ENTRY; entries++) {
		at += RESERVE_ENTRY;
		if (!load64_be(blob + at - 8)) {
			*end = at;
			return true;
		}
		if (entries == DS_FDT_MAX_RESERVED)
			return fdt_fault(verdict, DS_FDT_LIMIT, at);
	}
	return fdt_fault(verdict, DS_FDT_RESERVE_END, at);
}

struct block {
	uint32_t start, end, field;
};

static void order(struct block *a, struct block *b)
{
	struct block moved = *a;

	if (a->start < b->start || (a->start == b->start && a->end <= b->end))
		return;
	*a = *b;
	*b = moved;
}

static bool check_places(const struct fdt_header *head, uint32_t reserve_end, struct ds_fdt_verdict *verdict)
{
	struct block blocks[] = {
		{ head->reserve, reserve_end, 0x10 },
		{ head->strings, head->strings + head->strings_size, 0x0c },
		{ head->structure, head->structure + head->structure_size, 0x08 },
	};
	uint32_t reached = 0;

	if (head->structure % 4)
		return fdt_fault(verdict, DS_FDT_MISALIGNED_BLOCK, 0x08);
	if (head->reserve % 8)
		return fdt_fault(verdict, DS_FDT_MISALIGNED_BLOCK, 0x10);
	order(&blocks[0], &blocks[1]);
	order(&blocks[1], &blocks[2]);
	order(&blocks[0], &blocks[1]);
	for (int i = 0; i < 3; i++) {
		if (blocks[i].start == blocks[i].end)
			continue;
		if (blocks[i].start < reached)
			return fdt_fault(verdict, DS_FDT_OVERLAPPING_BLOCKS, blocks[i].field);
		reached = blocks[i].end > reached ? blocks[i].end : reached;
	}
	return true;
}

bool fdt_header_check(const uint8_t *blob, size_t size, struct fdt_header *head, struct ds_fdt_verdict *verdict)
{
	uint32_t reserve_end = 0;

	return read_header(blob, size, head, verdict) && check_blocks(head, verdict) &&
	       check_reserve_map(blob, head, &reserve_end, verdict) && check_places(head, reserve_end, verdict);
}
