/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a proof of generated C is made of: for each struct, its reader and writer, and its values to and from the flat form
 * (numbers as 8 bytes, little-endian; bytes as they are; see devstate/codec/flat.py). User space only.
 */
#ifndef DEVSTATE_PROOF_H
#define DEVSTATE_PROOF_H

#include "devstate.h"

/**
 * struct devstate_proof - one struct
 * @name: of the struct; NULL ends a table
 * @size: bytes before a flexible array, or of all of it
 * @stride: bytes of one entry of the flexible array, 0 without one
 * @check: FORMAT_check_STRUCT()
 * @many: FORMAT_check_array_STRUCT()
 * @write: FORMAT_write_STRUCT()
 * @get: the values to the flat form
 * @put: the flat form to the members
 * @count: entries of the flexible array, of a record that was checked
 * @go: along the link of this number, without a callback; 1 when there is none
 */
struct devstate_proof {
	const char *name;
	u64 size;
	u64 stride;
	int (*check)(const void *data, u64 size, struct devstate_fault *fault);
	int (*many)(const void *entries, u64 count, struct devstate_fault *fault);
	int (*write)(const void *it, u64 size, void *to, u64 room, struct devstate_fault *fault);
	void (*get)(const void *from, u64 count, u8 **flat);
	void (*put)(void *to, u64 count, const u8 **flat);
	u64 (*count)(const void *from, u64 size);
	int (*go)(const void *it, const struct devstate_memory *memory, u64 which,
		  struct devstate_fault *fault);
};

static inline __maybe_unused void devstate_give_bytes(u8 **flat, const void *from, size_t size)
{
	memcpy(*flat, from, size);
	*flat += size;
}

static inline __maybe_unused void devstate_take_bytes(const u8 **flat, void *to, size_t size)
{
	memcpy(to, *flat, size);
	*flat += size;
}

static inline __maybe_unused void devstate_give_number(u8 **flat, u64 number)
{
	for (int i = 0; i < 8; i++)
		*(*flat)++ = (u8)(number >> 8 * i);
}

static inline __maybe_unused u64 devstate_take_number(const u8 **flat)
{
	u64 number = 0;

	for (int i = 0; i < 8; i++)
		number |= (u64)*(*flat)++ << 8 * i;
	return number;
}

#endif /* DEVSTATE_PROOF_H */
