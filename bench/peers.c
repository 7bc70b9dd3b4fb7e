// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Peers of the page-table benchmarks, as fast as a C programmer would make them; built by bench/tables.py with -O3 -march=native.
 */
#include <stddef.h>
#include <stdint.h>

#define ENTRIES 512
#define ADDRESS UINT64_C(0xffffffffff000)

static const uint64_t *table_at(const uint8_t *image, uint64_t base, uint64_t entry)
{
	return (const uint64_t *)(image + ((entry & ADDRESS) - base));
}

/*
 * The limit for whatever looks at each table once: all tables of level 0 below a tree of four levels are read, four at a time, with the
 * beginnings of the next four asked for before. Nothing is made of what is read.
 */
uint64_t tree_read(const uint8_t *image, uint64_t base, uint64_t top)
{
	const uint64_t *level_3 = table_at(image, base, top), *level_2, *level_1;
	uint64_t sum = 0;

	for (int i = 0; i < ENTRIES && level_3[i]; i++) {
		level_2 = table_at(image, base, level_3[i]);
		for (int j = 0; j < ENTRIES && level_2[j]; j++) {
			level_1 = table_at(image, base, level_2[j]);
			for (int k = 0; k < ENTRIES && level_1[k]; k += 4) {
				const uint64_t *a = table_at(image, base, level_1[k]), *b = table_at(image, base, level_1[k + 1]);
				const uint64_t *c = table_at(image, base, level_1[k + 2]), *d = table_at(image, base, level_1[k + 3]);

				if (k + 8 <= ENTRIES)
					for (int line = 0; line < 8; line++)
						for (int n = 4; n < 8; n++)
							__builtin_prefetch(table_at(image, base, level_1[k + n]) + 8 * line);
				for (int n = 0; n < ENTRIES; n++)
					sum += a[n] ^ b[n] ^ c[n] ^ d[n];
			}
		}
	}
	return sum;
}
