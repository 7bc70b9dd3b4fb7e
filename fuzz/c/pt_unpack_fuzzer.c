// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The body of a chunk, whatever it is, under right sums: it is refused, or it is pages, which pack and come back; and nothing is written
 * but these pages. Nor does it matter whether they go around the caches.
 */
#include "harness.h"

#define PAGE 4096
#define HEADER 32
#define BASE 0x100000

/* A chunk of this body. */
static uint8_t *seal(struct input *input, size_t *size)
{
	uint64_t pages = 1 + take(input, 1), list = take(input, 1);
	size_t body = (input->left + 7) / 8 * 8;
	uint8_t *chunk = exact(NULL, HEADER + body);

	memcpy(chunk, "chnk", 4);
	put64(chunk + 8, BASE, false);
	put64(chunk + 16, body | pages << 32 | list << 48, false);
	if (input->left)
		memcpy(chunk + HEADER, input->at, input->left);
	put64(chunk + 24, ds_crc32c(0, chunk + HEADER, body), false);
	put64(chunk + 24, ds_crc32c(0, chunk + HEADER, body) | (uint64_t)ds_crc32c(0, chunk, 28) << 32, false);
	*size = HEADER + body;
	return chunk;
}

static struct ds_memory memory_of(struct ds_region *region, uint8_t *bytes, size_t pages)
{
	uint64_t units;

	*region = (struct ds_region){ .pa = BASE, .size = pages * PAGE, .base = bytes };
	HOLDS(ds_memory_init(region, 1, &units) == DS_OK);
	return (struct ds_memory){ region, 1 };
}

/* Pages that came out pack, and come back. */
static void again(const struct ds_memory *memory, const uint64_t *pages, size_t count, const uint8_t *bytes, size_t room)
{
	size_t bound = ds_pt_pack_bound(count), found;
	uint8_t *out = exact(NULL, bound), *back = exact(NULL, room * PAGE);
	struct ds_pt_pack in = { .memory = memory };
	struct ds_pt_packed packed;
	struct ds_pt_chunk chunk;
	struct ds_pt_unpacked unpacked;
	struct ds_region region;
	struct ds_memory target = memory_of(&region, back, room);
	struct ds_pt_unpack to = { .memory = &target };

	HOLDS(ds_pt_pack(&in, pages, count, 0, out, bound - 1, &packed) == DS_ESPACE);
	HOLDS(ds_pt_pack(&in, pages, count, 0, out, bound, &packed) == DS_OK);
	HOLDS(packed.pages == count && packed.bytes <= bound);
	HOLDS(ds_pt_scan(out, packed.bytes, &chunk, 1, &found) == DS_OK && found == 1 && chunk.size == packed.bytes);
	HOLDS(ds_pt_unpack(out, &chunk, 1, &to, &unpacked) == DS_OK && unpacked.pages == count);
	for (size_t n = 0; n < count; n++) {
		size_t at = (size_t)(pages[n] / PAGE * PAGE - BASE);

		HOLDS(!memcmp(back + at, bytes + at, PAGE));
	}
	free(out);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t room = 300;
	struct input input = { data, size };
	size_t chunk_size, found;
	uint8_t *chunk = seal(&input, &chunk_size), *bytes = exact(NULL, room * PAGE), *other = exact(NULL, room * PAGE);
	uint64_t pages[DS_PT_CHUNK_PAGES];
	struct ds_pt_chunk header;
	struct ds_pt_unpacked listed, done;
	struct ds_region region, other_region;
	struct ds_memory memory = memory_of(&region, bytes, room), other_memory = memory_of(&other_region, other, room);
	struct ds_pt_unpack to = { .memory = &memory }, around = { .memory = &other_memory, .stream = 1 };

	if (ds_pt_scan(chunk, chunk_size, &header, 1, &found) == DS_OK && ds_pt_list(chunk, &header, 1, pages, &listed) == DS_OK) {
		int status = ds_pt_unpack(chunk, &header, 1, &to, &done);

		HOLDS(status == DS_OK || status == DS_EFORMAT || status == DS_EMEMORY);
		HOLDS(done.offset <= chunk_size && done.pages <= header.pages);
		HOLDS(ds_pt_unpack(chunk, &header, 1, &around, &done) == status);
		HOLDS(!memcmp(bytes, other, room * PAGE));
		if (status == DS_OK)
			again(&memory, pages, header.pages, bytes, room);
		HOLDS(ds_pt_find(chunk, chunk_size, 0) == 0);
	}
	free(chunk);
	free(bytes);
	free(other);
	return 0;
}
