/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The property that every fuzz target of a devicetree's reader holds.
 *
 * A reading ends, and says the same whether the links of its nodes are followed or not; these walks end too. An odd first byte makes
 * a blob of the bytes, which are its structure then: a header goes before it, the names that the format knows behind it. The second
 * byte says how many 255ths of the rest are the blob; the pages that links may lead to follow, from PAGE_SIZE on.
 */
#ifndef DEVSTATE_TREE_FUZZ_H
#define DEVSTATE_TREE_FUZZ_H

#include "devstate_fdt.h"
#include "devstate_fuzz.h"

static inline void devstate_tree_fuzz_word(u8 *to, u32 word)
{
	for (int i = 0; i < 4; i++)
		to[i] = (u8)(word >> (24 - 8 * i));
}

/* A blob whose structure is @size bytes at @data, in @ret; how many bytes it has. */
static inline size_t devstate_tree_fuzz_made(const u8 *data, size_t size, const char *names, size_t length, u8 **ret)
{
	u32 structure = (u32)size & ~3U, total = 56 + structure + (u32)length;
	u32 words[] = { 0xd00dfeed, total, 56, 56 + structure, 40, 17, 16, 0, (u32)length, structure };
	u8 *blob = devstate_fuzz_exact(NULL, total);

	for (u32 i = 0; i < sizeof(words) / sizeof(*words); i++)
		devstate_tree_fuzz_word(blob + 4 * i, words[i]);
	memcpy(blob + 56, data, structure);
	memcpy(blob + 56 + structure, names, length);
	*ret = blob;
	return total;
}

static inline int devstate_tree_fuzz(int (*read)(const void *blob, u64 size, struct devstate_memory *memory, bool walk,
						 struct devstate_fault *fault), const char *names, size_t length,
				     const u8 *data, size_t size)
{
	struct devstate_fuzz_pages pages = { 0 };
	struct devstate_memory memory = { .at = devstate_fuzz_at, .context = &pages };
	struct devstate_fault fault[2] = { { 0 }, { 0 } };
	size_t blob_size, given;
	u8 *blob, *held;
	int error;

	if (size < 2)
		return 0;
	blob_size = given = (size - 2) * data[1] / 255;
	if (data[0] % 2)
		blob_size = devstate_tree_fuzz_made(data + 2, given, names, length, &blob);
	else
		blob = devstate_fuzz_exact(data + 2, given);
	pages.size = size - 2 - given;
	pages.bytes = held = devstate_fuzz_exact(data + 2 + given, pages.size);
	error = read(blob, blob_size, &memory, false, &fault[0]);
	DEVSTATE_HOLDS(error == read(blob, blob_size, &memory, true, &fault[1]));
	DEVSTATE_HOLDS(!error == !fault[0].rule && fault[0].rule == fault[1].rule && fault[0].at == fault[1].at);
	free(held);
	free(blob);
	return 0;
}

#endif /* DEVSTATE_TREE_FUZZ_H */
