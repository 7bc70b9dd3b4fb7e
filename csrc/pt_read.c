// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Reads chunks of the page-table stream: where they are, which pages they have, and these pages themselves.
 */
#include "pt_unpack.h"

#define TRAILER_MAGIC 0x6c696174u	/* "tail" */
#define TRAILER_SIZE 96
#define TRAILER_CRC 92

#define PA_LIMIT (UINT64_C(1) << DS_PA_BITS)

int ds_pt_chunk(const void *data, size_t size, struct ds_pt_chunk *ret)
{
	const uint8_t *at = data;
	uint64_t body;

	if (size >= 4 && load_le(at, 4) != CHUNK_MAGIC)
		return DS_EFORMAT;
	if (size < CHUNK_HEADER)
		return DS_EEND;
	if (load_le(at + CHUNK_CRC, 4) != ds_crc32c(0, at, CHUNK_CRC))
		return DS_ECORRUPT;
	body = load_le(at + CHUNK_BODY, 4);
	*ret = (struct ds_pt_chunk){
		.first_pa = load_le(at + CHUNK_FIRST_PA, 8),
		.size = CHUNK_HEADER + body,
		.number = (uint32_t)load_le(at + CHUNK_NUMBER, 4),
		.pages = (uint32_t)load_le(at + CHUNK_PAGES, 2),
		.list = (uint32_t)load_le(at + CHUNK_LIST, 2),
		.body_crc = (uint32_t)load_le(at + CHUNK_BODY_CRC, 4),
		.crc = (uint32_t)load_le(at + CHUNK_CRC, 4),
	};
	if (!ret->pages || ret->pages > DS_PT_CHUNK_PAGES || body % 8 || ret->size > ds_pt_pack_bound(DS_PT_CHUNK_PAGES) ||
	    ret->list > body || ret->first_pa % PAGE || ret->first_pa >= PA_LIMIT)
		return DS_EFORMAT;
	return ret->size > size ? DS_EEND : DS_OK;
}

int ds_pt_scan(const void *data, size_t size, struct ds_pt_chunk *chunks, size_t capacity, size_t *ret)
{
	size_t offset = 0;
	int status;

	for (*ret = 0; *ret < capacity; ++*ret) {
		struct ds_pt_chunk *chunk = &chunks[*ret];

		status = ds_pt_chunk((const uint8_t *)data + offset, size - offset, chunk);
		if (status)
			return status;
		chunk->offset = offset;
		offset += chunk->size;
	}
	return DS_OK;
}

size_t ds_pt_find(const void *data, size_t size, size_t from)
{
	const uint8_t *at = data;
	struct ds_pt_chunk chunk;

	for (from = (from + 7) & ~(size_t)7; from < size; from += 8) {
		if (size - from >= TRAILER_SIZE && load_le(at + from, 4) == TRAILER_MAGIC &&
		    load_le(at + from + TRAILER_CRC, 4) == ds_crc32c(0, at + from, TRAILER_CRC))
			return from;
		if (!ds_pt_chunk(at + from, size - from, &chunk))
			return from;
	}
	return size;
}

/* ---- one chunk ---- */

static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	for (uint32_t n = 0; n < VARINT_MAX && *at < end; n++) {
		uint8_t byte = *(*at)++;

		*ret |= (uint64_t)(byte & 0x7f) << 7 * n;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* The pages of a chunk; ret is the part of the list that is wrong, or its end. */
static int get_list(const struct ds_pt_chunk *chunk, const uint8_t *list, uint64_t *pages, const uint8_t **ret)
{
	const uint8_t *at = list, *end = list + chunk->list;
	uint64_t pa = chunk->first_pa, gap = 0, run;
	size_t count = 0;

	while (count < chunk->pages) {
		*ret = at;
		if ((count && !get_varint(&at, end, &gap)) || !get_varint(&at, end, &run))
			return DS_EFORMAT;
		pa += gap * PAGE;
		if (gap >= PA_LIMIT / PAGE || pa >= PA_LIMIT || run >> RUN_LEVEL_BITS >= chunk->pages - count)
			return DS_EFORMAT;
		for (uint64_t n = 0; n <= run >> RUN_LEVEL_BITS; n++, pa += PAGE)
			pages[count++] = pa | (run & LEVEL_MAX);
	}
	*ret = at;
	return at == end && pa <= PA_LIMIT ? DS_OK : DS_EFORMAT;
}

static int check_body(const struct ds_pt_chunk *chunk, const uint8_t *body)
{
	return chunk->body_crc == ds_crc32c(0, body, chunk->size - CHUNK_HEADER) ? DS_OK : DS_ECORRUPT;
}

int ds_pt_list(const void *data, const struct ds_pt_chunk *chunks, size_t count, uint64_t *pages, struct ds_pt_unpacked *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (; ret->chunks < count; ret->chunks++) {
		const struct ds_pt_chunk *chunk = &chunks[ret->chunks];
		const uint8_t *body = (const uint8_t *)data + chunk->offset + CHUNK_HEADER, *at;
		int status = check_body(chunk, body);

		if (!status) {
			status = get_list(chunk, body, pages + ret->pages, &at);
			ret->offset = (size_t)(at - (const uint8_t *)data);
		}
		if (status)
			return status;
		for (uint32_t n = 0; n < chunk->pages; n++)
			ret->levels[PAGE_LEVEL(pages[ret->pages++])]++;
	}
	return DS_OK;
}

/* ---- the pages ---- */

/* Where a page is put, or NULL. part: room for one that is only written in part. */
static uint8_t *place(const struct ds_pt_unpack *to, uint64_t pa, bool part, uint8_t *room, size_t *region)
{
	uint64_t unit;

	if (part)
		return room;
	return (uint8_t *)(uintptr_t)memory_at(to->memory, pa, PAGE, region, &unit);
}

static int put_part(const struct ds_pt_unpack *to, uint64_t pa, const uint8_t *page, size_t *region)
{
	uint64_t inside = to->part_pa % PAGE, unit;
	uint8_t *at = (uint8_t *)(uintptr_t)memory_at(to->memory, pa + inside, to->part_size, region, &unit);

	if (!at)
		return DS_EMEMORY;
	for (size_t n = 0; n < PAGE; n++)
		if (page[n] && n - inside >= to->part_size)
			return DS_EFORMAT;
	memcpy(at, page + inside, to->part_size);
	return DS_OK;
}

/* The pages of a chunk. ret->pages is the number of the next one, ret->offset where its record is. */
static int get_pages(const struct ds_pt_unpack *to, const uint64_t *pages, size_t count, struct pt_unpacker *unpacker, size_t *region,
		     struct ds_pt_unpacked *ret)
{
	uint8_t room[PAGE];

	for (size_t n = 0; n < count; n++) {
		uint64_t pa = PAGE_PA(pages[n]), target = to->moved ? to->moved[ret->pages] : pa;
		bool part = to->part_size && pa == PAGE_PA(to->part_pa);
		uint8_t *page = place(to, target, part, room, region);
		int status = page ? DS_OK : DS_EMEMORY;

		if (!status && !pt_get_page(unpacker, page))
			status = DS_EFORMAT;
		if (!status && part)
			status = put_part(to, target, room, region);
		if (status) {
			ret->pa = target;
			return status;
		}
		ret->levels[PAGE_LEVEL(pages[n])]++;
		ret->pages++;
	}
	if (unpacker->pages || unpacker->end - unpacker->at > 7)
		return DS_EFORMAT;
	for (const uint8_t *at = unpacker->at; at < unpacker->end; at++)
		if (*at)
			return DS_EFORMAT;
	return DS_OK;
}

static int get_chunk(const struct ds_pt_unpack *to, const struct ds_pt_chunk *chunk, const uint8_t *data, size_t *region,
		     struct ds_pt_unpacked *ret)
{
	const uint8_t *body = data + chunk->offset + CHUNK_HEADER;
	struct pt_unpacker unpacker = { .loops = pt_loops(), .end = body + (chunk->size - CHUNK_HEADER), .stream = to->stream };
	uint64_t pages[DS_PT_CHUNK_PAGES];
	int status = check_body(chunk, body);

	unpacker.at = body;
	if (!status)
		status = get_list(chunk, body, pages, &unpacker.at);
	if (!status && chunk->first_pa < ret->end_pa)
		status = DS_EORDER;
	if (!status)
		status = get_pages(to, pages, chunk->pages, &unpacker, region, ret);
	ret->offset = (size_t)(unpacker.at - data);
	ret->end_pa = status ? ret->end_pa : PAGE_PA(pages[chunk->pages - 1]) + PAGE;
	return status;
}

int ds_pt_unpack(const void *data, const struct ds_pt_chunk *chunks, size_t count, const struct ds_pt_unpack *to,
		 struct ds_pt_unpacked *ret)
{
	size_t region = 0;
	int status = to->part_size > PAGE - to->part_pa % PAGE ? DS_EINVAL : DS_OK;

	memset(ret, 0, sizeof(*ret));
	for (; !status && ret->chunks < count; ret->chunks += !status)
		status = get_chunk(to, &chunks[ret->chunks], data, &region, ret);
	if (to->stream)
		__sync_synchronize();
	return status;
}
