/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a proof of tagged maps is made of: for each struct, its reader and writer, and its values to and from the flat form (numbers
 * as 8 bytes, little-endian; bytes as they are; before what may be absent whether it is there; before an array how long it is; see
 * devstate/testing/proof_tagged.py). User space only.
 */
#ifndef DEVSTATE_TAGGED_PROOF_H
#define DEVSTATE_TAGGED_PROOF_H

#include "devstate_tagged_write.h"

#include <stdlib.h>

/* The flat form: @at goes on. Elements of arrays that are to be written are encoded at @room. */
struct devstate_flat {
	u8 *at;
	u8 *room;
	u64 size;
	int error;
};

/**
 * struct devstate_tagged_proof - one struct
 * @name: of the struct; NULL ends a table
 * @size: of the struct
 * @read: FORMAT_read_STRUCT()
 * @check: FORMAT_check_STRUCT()
 * @write: FORMAT_write_STRUCT()
 * @get: the members to the flat form
 * @put: the flat form to the members
 */
struct devstate_tagged_proof {
	const char *name;
	u64 size;
	int (*read)(const void *data, u64 size, struct devstate_fault *fault, void *ret);
	int (*check)(const void *data, u64 size, struct devstate_fault *fault);
	int (*write)(const void *it, void *to, u64 room, struct devstate_fault *fault, u64 *ret);
	void (*get)(const void *from, struct devstate_flat *flat);
	void (*put)(void *to, struct devstate_flat *flat);
};

static inline __maybe_unused void devstate_give_bytes(struct devstate_flat *flat, const void *from, size_t size)
{
	memcpy(flat->at, from, size);
	flat->at += size;
}

static inline __maybe_unused void devstate_take_bytes(struct devstate_flat *flat, void *to, size_t size)
{
	memcpy(to, flat->at, size);
	flat->at += size;
}

static inline __maybe_unused void devstate_give_number(struct devstate_flat *flat, u64 number)
{
	for (int i = 0; i < 8; i++)
		*flat->at++ = (u8)(number >> 8 * i);
}

static inline __maybe_unused u64 devstate_take_number(struct devstate_flat *flat)
{
	u64 number = 0;

	for (int i = 0; i < 8; i++)
		number |= (u64)*flat->at++ << 8 * i;
	return number;
}

static inline __maybe_unused void *devstate_exact(const void *from, size_t size)
{
	void *made = calloc(size ? size : 1, 1);

	if (!made)
		abort();
	if (size && from)
		memcpy(made, from, size);
	return made;
}

#endif /* DEVSTATE_TAGGED_PROOF_H */
