// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Pages made of the input pack and come back; every prefix of the chunks, and every change of a byte, is refused or finds other chunks whole.
 */
#include "harness.h"

#define PAGE 4096
#define WORDS 512
#define BASE 0x7000000
#define PAGES 3

/* Runs, holes, repeated and single words, as the input says. */
static void make_page(struct input *input, uint8_t *page)
{
	for (size_t n = 0; n < WORDS;) {
		uint64_t kind = take(input, 1), count = 1 + take(input, 1) * (kind & 1 ? 3 : 1), base = take(input, kind & 2 ? 8 : 4) << 12;
		uint64_t step = kind & 4 ? 0 : UINT64_C(1) << (kind & 8 ? take(input, 1) % 64 : 12);

		base = kind & 16 ? 0 : base | 3;
		for (; count && n < WORDS; count--, n++, base += kind & 16 ? 0 : step)
			put64(page + 8 * n, base, false);
	}
}

static bool comes_back(const uint8_t *stream, size_t size, const struct ds_memory *memory, struct ds_pt_unpacked *ret)
{
	struct ds_pt_chunk chunk;
	struct ds_pt_unpack to = { .memory = memory };
	size_t found;

	if (ds_pt_scan(stream, size, &chunk, 1, &found) != DS_OK)
		return false;
	return ds_pt_unpack(stream, &chunk, 1, &to, ret) == DS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint8_t *from = exact(NULL, PAGES * PAGE), *to = exact(NULL, PAGES * PAGE), *out, *cut;
	uint64_t pages[PAGES], scratch[PAGES], levels[8], units, at = take(&input, 2), change = 1 + take(&input, 1) % 255;
	struct ds_region source = { .pa = BASE, .size = PAGES * PAGE, .base = from }, target = { .pa = BASE, .size = PAGES * PAGE, .base = to };
	struct ds_memory memory = { &source, 1 }, back = { &target, 1 };
	struct ds_pt_pack in = { .memory = &memory, .stream = take(&input, 1) & 1 };
	struct ds_pt_packed packed;
	struct ds_pt_unpacked done;
	size_t bound = ds_pt_pack_bound(PAGES);

	for (size_t n = 0; n < PAGES; n++) {
		make_page(&input, from + n * PAGE);
		pages[n] = BASE + (PAGES - 1 - n) * PAGE + n;
	}
	HOLDS(ds_memory_init(&source, 1, &units) == DS_OK && ds_memory_init(&target, 1, &units) == DS_OK);
	HOLDS(ds_pt_sort(pages, scratch, PAGES, levels) == DS_OK && levels[0] == 1 && levels[2] == 1);
	out = exact(NULL, bound);
	HOLDS(ds_pt_pack(&in, pages, PAGES, 0, out, bound, &packed) == DS_OK && packed.bytes <= bound);
	HOLDS(comes_back(out, packed.bytes, &back, &done) && done.pages == PAGES);
	HOLDS(!memcmp(from, to, PAGES * PAGE));

	at %= packed.bytes;
	cut = exact(out, at);
	HOLDS(!comes_back(cut, at, &back, &done));
	out[at] ^= (uint8_t)change;
	HOLDS(!comes_back(out, packed.bytes, &back, &done));
	free(cut);
	free(out);
	free(from);
	free(to);
	return 0;
}
