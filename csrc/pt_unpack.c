// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * One record of the page-table stream as a page. Nothing of it is trusted.
 */
#include "pt_unpack.h"

/* An array of fewer than LANES_FROM items, and what a load of its last one may touch. */
#define STRING_ROOM (LANES_FROM * 8 + 16)

/* The smallest of some numbers, and the width of what they have beyond it. */
struct smalls {
	uint32_t least;
	uint32_t width;
};

/* A word of the stream that describes gaps or lengths; false when it is none. */
static bool read_smalls(const uint8_t *at, struct smalls *ret)
{
	uint32_t value = (uint32_t)load_le(at, 2);

	*ret = (struct smalls){ .least = value & (uint32_t)low_bits(10), .width = value >> SMALL_BITS };
	return !(value >> 10 & 3) && ret->least <= WORDS && ret->width <= SMALL_WIDTH_MAX;
}

/* The items of an array, below what bits of 0 are; ret has room for whole rows. */
static void get_array(const struct pt_loops *loops, const uint8_t *at, size_t count, uint32_t width, uint64_t *ret)
{
	uint8_t string[STRING_ROOM];

	if (!width) {
		memset(ret, 0, 8 * count);
		return;
	}
	if (count >= LANES_FROM) {
		loops->get_lanes(at, count, 0, width, 0, (uint8_t *)ret, false);
		for (size_t n = 0; n < count; n++)
			ret[n] = load64_le(&ret[n]);
		return;
	}
	memcpy(string, at, array_size(count, width));
	for (size_t n = 0, bit = 0; n < count; n++, bit += width) {
		const uint8_t *from = string + bit / 8;
		uint64_t item = load64_le(from) >> bit % 8;

		if (bit % 8 + width > 64)
			item |= (uint64_t)from[8] << (64 - bit % 8);
		ret[n] = item & low_bits(width);
	}
}

/* Puts the low bits of items where a mask has ones. */
static void scatter(uint64_t *items, size_t count, const struct pt_form *form)
{
	uint64_t mask = form->mask, scattered[WORDS];
	uint32_t used = 0;

	for (size_t n = 0; n < count; n++)
		scattered[n] = form->rest;
	while (mask) {
		uint32_t low, width = mask_run(mask, &low);

		for (size_t n = 0; n < count; n++)
			scattered[n] |= (items[n] >> used & low_bits(width)) << low;
		mask &= ~(low_bits(width) << low);
		used += width;
	}
	memcpy(items, scattered, 8 * count);
}

/* The numbers of gaps or lengths; false when they are more words than a page has. */
static bool get_smalls(const struct pt_loops *loops, const uint8_t *at, size_t count, struct smalls smalls, uint64_t *total, uint64_t *ret)
{
	get_array(loops, at, count, smalls.width, ret);
	for (size_t n = 0; n < count; n++) {
		ret[n] += smalls.least;
		*total += ret[n];
	}
	return *total <= WORDS;
}

/* A packed record, apart from its form. */
struct packed {
	size_t runs;
	uint64_t step;
	struct smalls gaps;
	struct smalls lengths;
	const uint8_t *bases;	/* the array of them, and so on */
	const uint8_t *gap_items;
	const uint8_t *length_items;
};

/* The head of a packed record; at is put behind the record. */
static bool read_packed(struct pt_unpacker *unpacker, struct packed *ret)
{
	const uint8_t *head = unpacker->at;
	size_t left = (size_t)(unpacker->end - head), size = PACKED_HEAD;
	uint32_t width;

	if (left < PACKED_HEAD || *head & ~(RECORD_PACKED | RECORD_KEEP) || head[1] > 63)
		return false;
	ret->runs = (size_t)load_le(head + 2, 2);
	ret->step = head[1] ? UINT64_C(1) << head[1] : 0;
	if (!ret->runs || ret->runs > WORDS || !read_smalls(head + 4, &ret->gaps) || !read_smalls(head + 6, &ret->lengths) ||
	    !ret->lengths.least)
		return false;
	if (!(*head & RECORD_KEEP)) {
		size += PACKED_FORM;
		if (left < size)
			return false;
		unpacker->form = (struct pt_form){ .mask = load64_le(head + PACKED_HEAD), .rest = load64_le(head + PACKED_HEAD + 8) };
		unpacker->has_form = true;
	}
	if (!unpacker->has_form || unpacker->form.mask & unpacker->form.rest)
		return false;
	width = (uint32_t)__builtin_popcountll(unpacker->form.mask);
	ret->bases = head + size;
	size += array_size(ret->runs, width);
	ret->gap_items = head + size;
	size += array_size(ret->runs, ret->gaps.width);
	ret->length_items = head + size;
	size += array_size(ret->runs, ret->lengths.width);
	if (left < size)
		return false;
	unpacker->at = head + size;
	return true;
}

static bool get_packed(struct pt_unpacker *unpacker, uint8_t *page)
{
	const struct pt_loops *loops = unpacker->loops;
	const struct pt_form *form = &unpacker->form;
	uint32_t width, low;
	struct packed packed;
	struct pt_runs runs;
	uint64_t words[EXPAND_ROOM], total = 0;

	if (!read_packed(unpacker, &packed))
		return false;
	width = (uint32_t)__builtin_popcountll(form->mask);
	low = width ? (uint32_t)__builtin_ctzll(form->mask) : 0;
	if (packed.runs == WORDS && width && form->mask == low_bits(width) << low && packed.lengths.least == 1 && !packed.lengths.width &&
	    !packed.gaps.least && !packed.gaps.width) {
		loops->get_lanes(packed.bases, WORDS, low, width, form->rest, page, unpacker->stream);
		return true;
	}
	runs.count = packed.runs;
	runs.step = packed.step;
	if (!get_smalls(loops, packed.gap_items, runs.count, packed.gaps, &total, runs.gaps) ||
	    !get_smalls(loops, packed.length_items, runs.count, packed.lengths, &total, runs.lengths))
		return false;
	if (runs.count >= LANES_FROM && width && form->mask == low_bits(width) << low) {
		loops->get_lanes(packed.bases, runs.count, low, width, form->rest, (uint8_t *)runs.bases, false);
		for (size_t n = 0; n < runs.count; n++)
			runs.bases[n] = load64_le(&runs.bases[n]);
	} else {
		get_array(loops, packed.bases, runs.count, width, runs.bases);
		scatter(runs.bases, runs.count, form);
	}
	loops->expand(&runs, words);
	loops->copy(page, (const uint8_t *)words, unpacker->stream);
	return true;
}

/* A record other than one that counts its pages. */
static bool get_record(struct pt_unpacker *unpacker, uint8_t *page)
{
	const uint8_t *at = unpacker->at;
	size_t left = (size_t)(unpacker->end - at);

	switch (*at & (RECORD_KEEP - 1)) {
	case RECORD_RUN:
		if (left < RUN_SIZE || *at != RECORD_RUN || at[1] > 63)
			return false;
		unpacker->loops->fill(page, load64_le(at + 2), at[1] ? UINT64_C(1) << at[1] : 0, unpacker->stream);
		unpacker->at = at + RUN_SIZE;
		return true;
	case RECORD_PACKED:
		return get_packed(unpacker, page);
	case RECORD_LITERAL:
		if (left < LITERAL_SIZE || *at != RECORD_LITERAL)
			return false;
		unpacker->loops->copy(page, at + 1, unpacker->stream);
		unpacker->at = at + LITERAL_SIZE;
		return true;
	default:
		return false;
	}
}

bool pt_get_page(struct pt_unpacker *unpacker, uint8_t *page)
{
	const uint8_t *before = unpacker->before;

	unpacker->before = page;
	if (!unpacker->pages) {
		uint32_t kind;

		if (unpacker->at == unpacker->end)
			return false;
		kind = *unpacker->at & (RECORD_KEEP - 1);
		if (kind != RECORD_ZERO && kind != RECORD_REPEAT)
			return get_record(unpacker, page);
		unpacker->kind = (enum pt_record)kind;
		unpacker->pages = (*unpacker->at++ >> RECORD_KIND_BITS) + 1u;
	}
	unpacker->pages--;
	if (unpacker->kind == RECORD_ZERO)
		unpacker->loops->fill(page, 0, 0, unpacker->stream);
	else if (before)
		unpacker->loops->copy(page, before, unpacker->stream);
	else
		return false;
	return true;
}
