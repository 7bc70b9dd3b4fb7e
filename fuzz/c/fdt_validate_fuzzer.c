// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A devicetree is judged without leaving it or the scratch memory, whatever is in either; the verdict is the same again, the place of a
 * fault is inside of the blob, and what is sound is so whatever follows, and in no shorter form.
 *
 * The first byte says what the input is: a blob, a structure block in a sound frame, or tokens to be written out.
 */
#include "harness.h"

#define HEADER_SIZE 40
#define TEXTS "compatible\0reg\0x/y\0\0a\0b"

static void put32(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint8_t *framed(const uint8_t *structure, size_t size, size_t *ret)
{
	const uint64_t start = HEADER_SIZE + 16, end = start + size, total = end + sizeof(TEXTS);
	const uint64_t words[] = { 0xd00dfeed, total, start, end, HEADER_SIZE, 17, 16, 0, sizeof(TEXTS), size };
	uint8_t *blob = exact(NULL, total);

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		put32(blob + 4 * i, words[i]);
	if (size)
		memcpy(blob + start, structure, size);
	memcpy(blob + end, TEXTS, sizeof(TEXTS));
	*ret = total;
	return blob;
}

/* A token for each byte of the input, mostly where it fits. */
static size_t write_tokens(struct input *input, uint8_t *to, size_t room)
{
	static const uint8_t places[] = { 0, 11, 6, 20, 22, 0, 11, 6, 15, 19, 200 };
	size_t at = 8, depth = 1;

	put32(to, 1);
	for (; input->left && at + 32 < room; at += 4) {
		uint64_t what = take(input, 1);

		put32(to + at, what < 4 ? what : what % 3 + 1);
		if (what % 3 == 0) {
			put32(to + (at += 4), what / 3 % 16 << 24);
			if (what >= 128)
				to[at + 1] = 'a';
			depth++;
		} else if (what % 3 == 1) {
			depth -= depth > 0;
		} else {
			put32(to + (at += 4), what & 4);
			put32(to + (at += 4), places[what / 8 % sizeof(places)]);
			at += what & 4;
		}
	}
	for (; depth && at + 8 < room; depth--, at += 4)
		put32(to + at, 2);
	put32(to + at, 9);
	return at + 4;
}

static void judge(const uint8_t *blob, size_t size)
{
	size_t enough = ds_fdt_scratch(size);
	uint8_t *scratch = exact(NULL, enough), *longer;
	struct ds_fdt_verdict verdict, again;

	HOLDS(ds_fdt_validate(blob, size, scratch, enough, &verdict) == DS_OK);
	memset(scratch, 0xa5, enough);
	HOLDS(ds_fdt_validate(blob, size, scratch, enough, &again) == DS_OK);
	HOLDS(!memcmp(&verdict, &again, sizeof(again)));
	HOLDS(verdict.code <= DS_FDT_OVERLAPPING_BLOCKS && verdict.offset <= size);
	if (!verdict.code) {
		HOLDS(verdict.nodes && !verdict.offset);
		HOLDS(ds_fdt_validate(blob, size, scratch, 0, &again) == DS_ESPACE);
		longer = exact(NULL, size + 3);
		memcpy(longer, blob, size);
		HOLDS(ds_fdt_validate(longer, size + 3, scratch, enough, &again) == DS_OK && !memcmp(&verdict, &again, sizeof(again)));
		free(longer);
	}
	free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t how = take(&input, 1) % 4;
	uint8_t tokens[8192] = { 0 }, *blob;
	size_t made;

	if (how == 0) {
		judge(input.at, input.left);
	} else {
		if (how == 1)
			blob = framed(input.at, input.left, &made);
		else
			blob = framed(tokens, write_tokens(&input, tokens, sizeof(tokens)), &made);
		judge(blob, made);
		free(blob);
	}
	return 0;
}
