/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files share that judge a flattened devicetree. A function that says false has put the fault into the verdict.
 */
#ifndef DEVSTATE_FDT_H
#define DEVSTATE_FDT_H

#include "internal.h"

#include <stdbool.h>

static inline uint32_t load32_be(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? value : __builtin_bswap32(value);
}

static inline bool fdt_fault(struct ds_fdt_verdict *verdict, uint32_t code, uint64_t offset)
{
	verdict->code = code;
	verdict->offset = offset;
	return false;
}

struct fdt_header {
	uint32_t totalsize, structure, strings, reserve, strings_size, structure_size;
};

/* The header, and whether everything in it and the reserve map are sound: then all blocks are inside of the blob and apart. */
bool fdt_header_check(const uint8_t *blob, size_t size, struct fdt_header *head, struct ds_fdt_verdict *verdict);

/* A node: the hash of its name, and where it begins. */
struct fdt_child {
	uint32_t hash;
	uint32_t offset;
};

/*
 * Where the first of the children is that has the name of one before it; 0 when there is none. All names end inside of the blob.
 * The order of the children changes. slots: at least four for each child.
 */
uint32_t fdt_second_child(const uint8_t *blob, struct fdt_child *children, uint32_t count, uint32_t *slots);

#endif
