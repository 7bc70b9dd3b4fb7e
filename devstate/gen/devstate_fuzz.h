/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The property that every fuzz target of a generated reader holds.
 *
 * What a reader accepts, the writer writes; reading that gives the same values; an array judges a record as
 * the single reader does; and walks along links end, whatever stands in the pages. The input is a byte that
 * chooses the struct, a byte that says how many 255ths of the rest are the record, and pages from PAGE_SIZE on.
 */
#ifndef DEVSTATE_FUZZ_H
#define DEVSTATE_FUZZ_H

#include "devstate_proof.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEVSTATE_HOLDS(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

struct devstate_fuzz_pages {
	const u8 *bytes;
	u64 size;
};

static inline const void *devstate_fuzz_at(void *context, u64 pa, u64 size)
{
	const struct devstate_fuzz_pages *pages = context;

	if (pa < PAGE_SIZE || pa % 8 || pa - PAGE_SIZE > pages->size || size > pages->size - (pa - PAGE_SIZE))
		return NULL;
	return pages->bytes + (pa - PAGE_SIZE);
}

static inline void *devstate_fuzz_exact(const void *from, size_t size)
{
	void *made = calloc(size ? size : 1, 1);

	if (!made)
		abort();
	if (from && size)
		memcpy(made, from, size);
	return made;
}

static inline void devstate_fuzz_values(const struct devstate_proof *proof, const void *it, const void *to, size_t size)
{
	u64 count = proof->count(it, size);
	u8 *flat[2], *end[2];
	const u8 *again;
	u8 *made;

	for (int i = 0; i < 2; i++) {
		flat[i] = end[i] = devstate_fuzz_exact(NULL, 64 * size);
		proof->get(i ? to : it, count, &end[i]);
	}
	DEVSTATE_HOLDS(end[0] - flat[0] == end[1] - flat[1] && !memcmp(flat[0], flat[1], (size_t)(end[0] - flat[0])));
	made = devstate_fuzz_exact(NULL, size);
	again = flat[0];
	proof->put(made, count, &again);
	DEVSTATE_HOLDS(again == end[0] && !proof->check(made, proof->size + count * proof->stride, NULL));
	free(flat[0]);
	free(flat[1]);
	free(made);
}

static inline int devstate_fuzz(const struct devstate_proof *proofs, const u8 *data, size_t size)
{
	struct devstate_fuzz_pages pages = { 0 };
	struct devstate_memory memory = { .at = devstate_fuzz_at, .context = &pages };
	const struct devstate_proof *proof = proofs;
	struct devstate_fault fault = { 0 };
	size_t count = 0, record, whole;
	void *it, *to;
	u8 *held;

	while (proofs[count].name)
		count++;
	if (size < 2 || !count)
		return 0;
	proof = &proofs[data[0] % count];
	record = (size - 2) * data[1] / 255;
	it = devstate_fuzz_exact(data + 2, record);
	if (!proof->check(it, record, &fault)) {
		whole = proof->size + proof->count(it, record) * proof->stride;
		to = devstate_fuzz_exact(NULL, record > whole ? record : whole);
		DEVSTATE_HOLDS(!proof->many(it, proof->stride ? 0 : 1, NULL));
		DEVSTATE_HOLDS(!proof->write(it, record, to, record, &fault));
		DEVSTATE_HOLDS(!proof->check(to, record, &fault));
		devstate_fuzz_values(proof, it, to, record);
		pages.size = size - 2 - record;
		pages.bytes = held = devstate_fuzz_exact(data + 2 + record, pages.size);
		for (u64 which = 0; proof->go(it, &memory, which, &fault) != 1; which++)
			continue;
		free(held);
		free(to);
	} else if (!proof->stride && record >= proof->size && proof->size) {
		DEVSTATE_HOLDS(proof->many(it, 1, NULL));
	}
	free(it);
	return 0;
}

#endif /* DEVSTATE_FUZZ_H */
