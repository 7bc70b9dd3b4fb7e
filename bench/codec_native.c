// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Times the generated check_array of some structs against memcpy of the same bytes, in turns: prints, for each, the median
 * nanoseconds of one pass over SIZE bytes, first of memcpy, then of the check.
 */
#define _POSIX_C_SOURCE 199309L
#include "devstate_proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE (32u << 20)
#define ROUNDS 15

extern const struct devstate_proof luo_v5_proofs[], memfd_v2_proofs[];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static int ascending(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

static const struct devstate_proof *find(const struct devstate_proof *proofs, const char *name)
{
	while (strcmp(proofs->name, name))
		proofs++;
	return proofs;
}

static void measure(const struct devstate_proof *proof, const u8 *record)
{
	double copied[ROUNDS], checked[ROUNDS];
	u64 count = SIZE / proof->size;
	u8 *data = malloc(SIZE), *copy = malloc(SIZE);

	if (!data || !copy)
		abort();
	memset(copy, 1, SIZE);
	for (u64 i = 0; i < count; i++)
		memcpy(data + i * proof->size, record, proof->size);
	for (int round = 0; round < ROUNDS; round++) {
		double start = now(), middle;

		memcpy(copy, data, count * proof->size);
		__asm__ volatile("" : : "r"(copy) : "memory");
		middle = now();
		if (proof->many(data, count, NULL))
			abort();
		copied[round] = middle - start;
		checked[round] = now() - middle;
	}
	qsort(copied, ROUNDS, sizeof(*copied), ascending);
	qsort(checked, ROUNDS, sizeof(*checked), ascending);
	printf("%s %.0f %.0f\n", proof->name, copied[ROUNDS / 2], checked[ROUNDS / 2]);
	free(data);
	free(copy);
}

int main(void)
{
	u8 file[64] = "memfd-v2", folio[16] = { 1, 2, 3, 4, 5, 6, 0x10, 0, 9 }, session[80] = "vm-1";

	measure(find(luo_v5_proofs, "luo_file_ser"), file);
	measure(find(luo_v5_proofs, "luo_session_ser"), session);
	measure(find(memfd_v2_proofs, "memfd_luo_folio_ser"), folio);
	return 0;
}
