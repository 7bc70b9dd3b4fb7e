// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Writes chunks of the page-table stream: the order of the pages, their list, the records, the checksums.
 *
 * Records are put together in a buffer that stays in the caches; from there they are summed, and copied out around the caches when
 * there is much to come: so the output is written to memory without being read first.
 */
#include "pt_pack.h"

/* Pages beyond a chunk that are looked up, to be fetched while the last one is packed. */
#define AHEAD 1

/* Records are summed and copied out when there are so many bytes of them, in pieces: so memory has time to take them. */
#define STAGE 1536
#define PIECE 1536

/* Copied out in whole lines: a half of one, written around the caches, costs more than all of it. */
#define LINE 64

/* What a chunk can have in bytes beyond its pages: header, list with gaps of full length, a byte for each record, the end. */
#define CHUNK_EXTRA(pages) (CHUNK_HEADER + (pages) * (VARINT_MAX + 1 + 1) + 7)

struct stage {
	uint8_t *out;
	size_t start;	/* of bytes: those before it make it as much off alignment as out is */
	size_t used;
	uint32_t crc;
	bool stream;
	_Alignas(LINE) uint8_t bytes[LINE + STAGE + DS_PT_CHUNK_PAGES * (VARINT_MAX + 1) + LITERAL_SIZE + 8];
};

size_t ds_pt_pack_bound(size_t count)
{
	size_t chunks = count / DS_PT_CHUNK_PAGES, rest = count % DS_PT_CHUNK_PAGES;

	if (count > SIZE_MAX / (2 * PAGE))
		return SIZE_MAX;
	return count * PAGE + chunks * CHUNK_EXTRA((size_t)DS_PT_CHUNK_PAGES) + (rest ? CHUNK_EXTRA(rest) : 0);
}

#ifdef DS_X86

/* Around the caches. */
__attribute__((target("avx2"))) static void copy_streaming(uint8_t *out, const uint8_t *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 32)
		_mm256_stream_si256((__m256i *)(out + i), _mm256_load_si256((const __m256i *)(from + i)));
}

#endif

/* Sums and copies out what is there, up to where out is aligned again unless it is the last. */
static void flush(struct stage *stage, bool last)
{
	size_t end = last ? stage->used : stage->used & ~(size_t)(LINE - 1);

	for (size_t at = stage->start, next; at < end; at = next) {
		next = end - at > PIECE ? (at + PIECE) & ~(size_t)(LINE - 1) : end;
		stage->crc = ds_crc32c(stage->crc, stage->bytes + at, next - at);
#ifdef DS_X86
		if (stage->stream && !(at % LINE || next % LINE))
			copy_streaming(stage->out, stage->bytes + at, next - at);
		else
#endif
			memcpy(stage->out, stage->bytes + at, next - at);
		stage->out += next - at;
	}
	memmove(stage->bytes, stage->bytes + end, stage->used - end);
	stage->used -= end;
	stage->start = 0;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >> 7; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *put_list(const uint64_t *pages, size_t count, uint8_t *at)
{
	for (size_t n = 0, end; n < count; n = end) {
		uint32_t level = PAGE_LEVEL(pages[n]);

		for (end = n + 1; end < count && pages[end] == pages[end - 1] + PAGE; end++)
			;
		if (n)
			at = put_varint(at, (PAGE_PA(pages[n]) - PAGE_PA(pages[n - 1])) / PAGE - 1);
		at = put_varint(at, (end - n - 1) << RUN_LEVEL_BITS | level);
	}
	return at;
}

/* Where pages are, up to one that is not in memory: the count of those before it. */
static size_t find_pages(const struct ds_pt_pack *in, size_t *region, const uint64_t *pages, size_t count,
		uint8_t *part, const uint8_t **ret)
{
	uint64_t unit;

	for (size_t n = 0; n < count; n++) {
		uint64_t pa = PAGE_PA(pages[n]);

		if (in->part_size && pa == PAGE_PA(in->part_pa)) {
			const uint8_t *bytes = memory_at(in->memory, in->part_pa, in->part_size, region, &unit);

			if (!bytes)
				return n;
			memset(part, 0, PAGE);
			memcpy(part + in->part_pa % PAGE, bytes, in->part_size);
			ret[n] = part;
			continue;
		}
		ret[n] = memory_at(in->memory, pa, PAGE, region, &unit);
		if (!ret[n])
			return n;
	}
	return count;
}

/* One chunk; ret is where it ends. */
static uint8_t *put_chunk(const struct pt_loops *loops, const uint64_t *pages, size_t count, const uint8_t *const *at, size_t known,
			  uint32_t number, bool stream, uint8_t *out)
{
	struct pt_packer packer = { .loops = loops };
	struct stage stage;
	size_t list;

	stage.out = out + CHUNK_HEADER;
	stage.crc = 0;
	stage.stream = stream;
	stage.start = (uintptr_t)stage.out % LINE;
	stage.used = (size_t)(put_list(pages, count, stage.bytes + stage.start) - stage.bytes);
	list = stage.used - stage.start;
	for (size_t n = 0; n < count; n++) {
		uint8_t *to = stage.bytes + stage.used;

		stage.used += (size_t)(pt_put_page(&packer, at[n], n + 1 < known ? at[n + 1] : NULL, to) - to);
		if (stage.used >= STAGE) {
			flush(&stage, false);
			packer.open = NULL;
		}
	}
	while ((size_t)(stage.out - out - CHUNK_HEADER + (ptrdiff_t)(stage.used - stage.start)) % 8)
		stage.bytes[stage.used++] = 0;
	flush(&stage, true);
	store_le(out, CHUNK_MAGIC, 4);
	store_le(out + CHUNK_NUMBER, number, 4);
	store_le(out + CHUNK_FIRST_PA, PAGE_PA(pages[0]), 8);
	store_le(out + CHUNK_BODY, (size_t)(stage.out - out) - CHUNK_HEADER, 4);
	store_le(out + CHUNK_PAGES, count, 2);
	store_le(out + CHUNK_LIST, list, 2);
	store_le(out + CHUNK_BODY_CRC, stage.crc, 4);
	store_le(out + CHUNK_CRC, ds_crc32c(0, out, CHUNK_CRC), 4);
	return stage.out;
}

static int check_list(const uint64_t *pages, size_t count)
{
	for (size_t n = 0; n < count; n++) {
		if (PAGE_LEVEL(pages[n]) > LEVEL_MAX || pages[n] >> DS_PA_BITS)
			return DS_EINVAL;
		if (n && PAGE_PA(pages[n]) <= PAGE_PA(pages[n - 1]))
			return DS_EORDER;
	}
	return DS_OK;
}

int ds_pt_pack(const struct ds_pt_pack *in, const uint64_t *pages, size_t count, uint32_t number, void *out, size_t capacity,
	       struct ds_pt_packed *ret)
{
	const struct pt_loops *loops = pt_loops();
	const uint8_t *at[DS_PT_CHUNK_PAGES + AHEAD];
	uint8_t part[PAGE], *to = out;
	bool stream = in->stream && ds_features() & DS_FEATURE_AVX2;
	size_t region = 0, done = 0;
	int status = check_list(pages, count);

	*ret = (struct ds_pt_packed){ 0 };
	if (status || in->part_size > PAGE - in->part_pa % PAGE)
		return status ? status : DS_EINVAL;
	if (capacity < ds_pt_pack_bound(count))
		return DS_ESPACE;
	while (done < count) {
		size_t left = count - done, wanted = left < DS_PT_CHUNK_PAGES ? left : DS_PT_CHUNK_PAGES;
		size_t known = find_pages(in, &region, pages + done, left < wanted + AHEAD ? left : wanted + AHEAD, part, at);

		if (known < wanted) {
			ret->pages = done + known;
			return DS_EMEMORY;
		}
		to = put_chunk(loops, pages + done, wanted, at, known, number++, stream, to);
		done += wanted;
	}
	if (stream)
		__sync_synchronize();
	ret->pages = done;
	ret->bytes = (size_t)(to - (uint8_t *)out);
	return DS_OK;
}

/* ---- order ---- */

#define DIGIT 11
#define DIGITS (1 << DIGIT)

static void sort_by(const uint64_t *from, uint64_t *to, size_t count, uint32_t shift)
{
	size_t places[DIGITS] = { 0 }, place = 0;

	for (size_t n = 0; n < count; n++)
		places[from[n] >> shift & (DIGITS - 1)]++;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		size_t items = places[digit];

		places[digit] = place;
		place += items;
	}
	for (size_t n = 0; n < count; n++)
		to[places[from[n] >> shift & (DIGITS - 1)]++] = from[n];
}

int ds_pt_sort(uint64_t *pages, uint64_t *scratch, size_t count, uint64_t *ret)
{
	uint64_t *from = pages, *to = scratch, differ = 0;

	memset(ret, 0, (LEVEL_MAX + 1) * sizeof(*ret));
	for (size_t n = 0; n < count; n++) {
		differ |= pages[n] ^ pages[0];
		ret[PAGE_LEVEL(pages[n]) & LEVEL_MAX]++;
	}
	for (uint32_t shift = PAGE_SHIFT; shift < 64; shift += DIGIT) {
		uint64_t *sorted = to;

		if (!(differ >> shift & (DIGITS - 1)))
			continue;
		sort_by(from, to, count, shift);
		to = from;
		from = sorted;
	}
	if (from != pages)
		memcpy(pages, from, count * sizeof(*pages));
	return check_list(pages, count);
}

uint32_t ds_pt_chain(uint32_t chain, const void *chunks, size_t size)
{
	const uint8_t *at = chunks;

	for (uint64_t left = size, whole; left >= CHUNK_HEADER; at += whole, left -= whole) {
		whole = CHUNK_HEADER + load_le(at + CHUNK_BODY, 4);
		if (whole > left)
			break;
		chain = ds_crc32c(chain, at + CHUNK_CRC, 4);
	}
	return chain;
}
