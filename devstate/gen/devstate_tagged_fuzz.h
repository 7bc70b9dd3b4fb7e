/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The property that every fuzz target of a tagged map holds.
 *
 * Reading and judging say the same; what a reader accepts, the writer writes as just these bytes, from what was read as well as from
 * the values alone. The first byte of an input chooses the struct, the rest is the record.
 */
#ifndef DEVSTATE_TAGGED_FUZZ_H
#define DEVSTATE_TAGGED_FUZZ_H

#include "devstate_tagged_proof.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEVSTATE_HOLDS(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static inline void devstate_tagged_fuzz_values(const struct devstate_tagged_proof *proof, const u8 *it, u64 size)
{
	size_t room = 32 * (proof->size + size);
	struct devstate_flat flat = { .room = devstate_exact(NULL, size) };
	u8 *made = devstate_exact(NULL, room), *end, *other = devstate_exact(NULL, proof->size);
	u8 *to = devstate_exact(NULL, size);
	u64 written;

	flat.at = made;
	proof->get(it, &flat);
	end = flat.at;
	flat.at = made;
	proof->put(other, &flat);
	DEVSTATE_HOLDS(flat.at == end && !flat.error);
	DEVSTATE_HOLDS(!proof->write(other, to, size, NULL, &written) && written <= size);
	DEVSTATE_HOLDS(!proof->check(to, written, NULL));
	free(flat.room);
	free(made);
	free(other);
	free(to);
}

static inline int devstate_tagged_fuzz(const struct devstate_tagged_proof *proofs, const u8 *data, size_t size)
{
	struct devstate_fault fault = { 0 }, other = { 0 };
	const struct devstate_tagged_proof *proof;
	size_t count = 0, record = size - 1;
	u8 *held, *it, *to;
	u64 written = 0;
	int error;

	while (proofs[count].name)
		count++;
	if (!size || !count)
		return 0;
	proof = &proofs[data[0] % count];
	held = devstate_exact(data + 1, record);
	it = devstate_exact(NULL, proof->size);
	to = devstate_exact(NULL, record);
	error = proof->check(held, record, &fault);
	DEVSTATE_HOLDS(proof->read(held, record, &other, it) == error && fault.rule == other.rule && fault.at == other.at);
	if (!error) {
		DEVSTATE_HOLDS(!proof->write(it, to, record, &fault, &written));
		DEVSTATE_HOLDS(written == record && !memcmp(held, to, record));
		devstate_tagged_fuzz_values(proof, it, record);
	}
	free(held);
	free(it);
	free(to);
	return 0;
}

#endif /* DEVSTATE_TAGGED_FUZZ_H */
