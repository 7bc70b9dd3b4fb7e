/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Page tables of any format, out of an input: a few tables, each in a region of its own, and entries in them that point to each other, are
 * leaves, or are any bits.
 */
#ifndef DEVSTATE_FUZZ_TABLES_H
#define DEVSTATE_FUZZ_TABLES_H

#include "harness.h"

#define FORMATS 15
#define MAX_TABLES 6
#define BASE UINT64_C(0x100000)
#define ROOM UINT64_C(0x10000)
#define MOST 20000

/* An entry that points to a table, or is a leaf, by the format's own masks. */
static inline uint64_t pointer(const struct ds_pt_format *format, uint64_t pa, uint64_t level)
{
	uint64_t entry = format->present | (pa >> format->address_shift & format->table) | (format->leaf_flip & format->leaf_any);

	if (format->flags & DS_PT_NEXT_LEVEL)
		entry |= (level + 1) << 9;
	return entry;
}

static inline uint64_t leaf(const struct ds_pt_format *format, uint64_t pa, bool large)
{
	uint64_t entry = format->present | (pa >> format->address_shift & format->address);

	if (!large || format->flags & DS_PT_LEAF_RULE_AT_0)
		entry |= format->page | (format->leaf_any & ~format->leaf_flip);
	else
		entry |= format->leaf_any & ~format->leaf_flip;
	return entry;
}

static inline void write_entries(struct input *input, const struct ds_pt_format *format, uint8_t **tables, size_t count, uint64_t size)
{
	while (input->left) {
		uint64_t how = take(input, 1), slot = take(input, 2) % (size / 8), many = 1, entry, step = 0;
		uint8_t *table = tables[take(input, 1) % count];

		if (how & 16)
			slot &= 63;
		if (how & 32)
			many = UINT64_C(1) << take(input, 1) % 10;
		if ((how & 3) == 0) {
			entry = take(input, 8);
		} else if (how & 1) {
			entry = pointer(format, BASE + take(input, 1) % (2 * MAX_TABLES) * ROOM, take(input, 1) % 6);
		} else {
			entry = leaf(format, take(input, 2) << (how & 4 ? 21 : 12), how & 4);
			step = (how & 8 ? UINT64_C(1) << 12 : 0) >> format->address_shift;
		}
		if (how & 64)
			entry ^= UINT64_C(1) << take(input, 1) % 64;
		for (uint64_t n = 0; n < many && slot + n < size / 8; n++)
			put64(table + 8 * (slot + n), entry + n * step, false);
	}
}

/* A format and a root of it, by the first bytes of the input: how many tables there are is for the caller. */
static inline struct ds_pt_root take_root(uint64_t number, uint64_t how, uint64_t shape)
{
	const struct ds_pt_format *format = ds_pt_format((uint32_t)(number % FORMATS));
	struct ds_pt_root root = { .format = format, .top_pa = BASE, .sign_extended = how & 1 ? 1 + (uint32_t)(shape >> 7) : 0,
				   .pa_bits = how & 2 ? 40 : 0 };

	HOLDS(format && !ds_pt_format(FORMATS));
	root.levels = format->min_levels + (uint32_t)(shape & 7) % (format->max_levels - format->min_levels + 1);
	root.top_entries = 1u << (shape >> 3) % (format->index_bits + 1);
	if (format->granule_shift + (root.levels - 1) * format->index_bits > 50)
		root.top_entries = root.top_entries > 16 ? 16 : root.top_entries;
	if (root.sign_extended == 1 && root.top_entries == 1)
		root.top_entries = 2;
	return root;
}

#endif
