// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Two children of one name, in time that is linear in the bytes of the names, or n log n where they were made to collide.
 */
#include "fdt.h"

#define FEW 8	/* fewer are compared each with each */

/* Nodes by name, which follows the token. */
static inline int compare(const uint8_t *blob, uint32_t a, uint32_t b)
{
	return strcmp((const char *)blob + a + 4, (const char *)blob + b + 4);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a && a < b ? a : b;
}

/* Whether a stands before b, by name and then by place. */
static bool stands_before(const uint8_t *blob, const struct fdt_child *a, const struct fdt_child *b)
{
	int sign = a->hash != b->hash ? (a->hash < b->hash ? -1 : 1) : compare(blob, a->offset, b->offset);

	return sign < 0 || (!sign && a->offset < b->offset);
}

static void sink(const uint8_t *blob, struct fdt_child *heap, uint32_t at, uint32_t count)
{
	struct fdt_child moved = heap[at];

	for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && stands_before(blob, &heap[child], &heap[child + 1]))
			child++;
		if (!stands_before(blob, &moved, &heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = moved;
}

/* The same as second_of_many(), in n log n whatever the names are. Changes the order of the children, which nobody needs any more. */
static uint32_t second_of_odd(const uint8_t *blob, struct fdt_child *children, uint32_t count)
{
	uint32_t found = 0;

	for (uint32_t i = count / 2; i--;)
		sink(blob, children, i, count);
	for (uint32_t left = count; left-- > 1;) {
		struct fdt_child last = children[left];

		children[left] = children[0];
		children[0] = last;
		sink(blob, children, 0, left);
	}
	for (uint32_t i = 1; i < count; i++)
		if (children[i].hash == children[i - 1].hash && !compare(blob, children[i].offset, children[i - 1].offset))
			found = smaller(found, children[i].offset);
	return found;
}

/* Where the first child is that has the name of one before it; 0 when there is none. */
static uint32_t second_of_many(const uint8_t *blob, struct fdt_child *children, uint32_t count, uint32_t *slots)
{
	uint32_t mask = (1u << (33 - __builtin_clz(count))) - 1, steps = 8 * count;

	memset(slots, 0, sizeof(*slots) * ((size_t)mask + 1));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = children[i].hash & mask, other;

		for (; (other = slots[slot]); slot = (slot + 1) & mask) {
			if (children[other - 1].hash == children[i].hash &&
			    !compare(blob, children[other - 1].offset, children[i].offset))
				return children[i].offset;
			/* Names that were made to meet. */
			if (!--steps)
				return second_of_odd(blob, children, count);
		}
		slots[slot] = i + 1;
	}
	return 0;
}

static uint32_t second_of_few(const uint8_t *blob, struct fdt_child *children, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (children[k].hash == children[i].hash && !compare(blob, children[k].offset, children[i].offset))
				return children[i].offset;
	return 0;
}

uint32_t fdt_second_child(const uint8_t *blob, struct fdt_child *children, uint32_t count, uint32_t *slots)
{
	return count < FEW ? second_of_few(blob, children, count) : second_of_many(blob, children, count, slots);
}
