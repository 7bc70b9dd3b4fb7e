// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * One page as a record of the page-table stream: cut into runs, and these packed.
 */
#include "pt_pack.h"

/* Steps are looked for from here on: no format has smaller pages. */
#define STEP_MIN 12

/* A record keeps the form of the one before when that costs no more bits than a form of its own. */
#define FORM_BITS (8 * PACKED_FORM)

/* A mask with holes is slow: it must save so many bits. */
#define HOLES_BITS 64

/* Numbers up to WORDS, the smallest of them, and the width of what the others have beyond it. */
struct smalls {
	int16_t list[WORDS];
	uint32_t least;
	uint32_t width;
};

/* A page as runs. */
struct runs {
	size_t count;
	uint32_t step;		/* as in the stream: 0, or log2 of it */
	const uint8_t *bases;	/* the words that begin runs: the page itself when all of them do */
	uint64_t gathered[PICK_ROOM];
	struct smalls gaps;
	struct smalls lengths;
	struct pt_survey survey;
};

static uint64_t step_of(uint32_t step)
{
	return step ? UINT64_C(1) << step : 0;
}

/* The step that a page begins with, if it is one that tables have; else the one before it had. */
static uint32_t guess_step(const uint8_t *page, uint32_t before)
{
	uint64_t step = load64_le(page + 8) - load64_le(page);

	return step >> STEP_MIN && !(step & (step - 1)) ? (uint32_t)__builtin_ctzll(step) : before;
}

static void describe(struct smalls *smalls, size_t count)
{
	int16_t least = WORDS, most = 0;

	for (size_t n = 0; n < count; n++) {
		least = smalls->list[n] < least ? smalls->list[n] : least;
		most = smalls->list[n] > most ? smalls->list[n] : most;
	}
	smalls->least = (uint32_t)least;
	smalls->width = most > least ? 32 - (uint32_t)__builtin_clz((uint32_t)(most - least)) : 0;
}

/* The lengths of runs and the gaps before them. */
static void measure(const struct pt_loops *loops, const struct pt_cut *cut, int16_t *starts, struct runs *runs)
{
	int16_t ends[PICK_ROOM];
	uint64_t last[PICK_ROOM];
	size_t count = runs->count;

	runs->gaps.least = runs->gaps.width = 0;
	if (!cut->holes) {
		starts[count] = WORDS;
		for (size_t n = 0; n < count; n++)
			runs->lengths.list[n] = (int16_t)(starts[n + 1] - starts[n]);
	} else {
		loops->pick(cut->ends, (const uint8_t *)runs->gathered, ends, last);
		runs->gaps.list[0] = starts[0];
		for (size_t n = 1; n < count; n++)
			runs->gaps.list[n] = (int16_t)(starts[n] - ends[n - 1] - 1);
		for (size_t n = 0; n < count; n++)
			runs->lengths.list[n] = (int16_t)(ends[n] - starts[n] + 1);
		describe(&runs->gaps, count);
	}
	describe(&runs->lengths, count);
}

/* Each word is a run. */
static void set_single(struct runs *runs)
{
	runs->gaps.least = runs->gaps.width = runs->lengths.width = 0;
	runs->lengths.least = 1;
}

/* The runs of a page that has some. */
static void list_runs(struct pt_packer *packer, const uint8_t *page, const struct pt_cut *cut, struct runs *runs)
{
	const struct pt_loops *loops = packer->loops;
	int16_t starts[PICK_ROOM];

	runs->count = cut->runs;
	runs->bases = cut->runs == WORDS ? page : (const uint8_t *)runs->gathered;
	if (cut->runs < WORDS)
		loops->pick(cut->starts, page, starts, runs->gathered);
	loops->survey(runs->bases, runs->count, &runs->survey);
	if (cut->runs < WORDS)
		measure(loops, cut, starts, runs);
	else
		set_single(runs);
}

/* The same for a page that is like the one before: of words none of which continues a run, and that need no other look. */
static bool list_apart(struct pt_packer *packer, const uint8_t *page, const uint8_t *ahead, struct runs *runs)
{
	struct pt_survey *survey = &runs->survey;

	if (!packer->apart || !packer->loops->apart(page, step_of(runs->step), ahead, survey) || survey->zero || survey->twins)
		return false;
	runs->count = WORDS;
	runs->bases = page;
	set_single(runs);
	return true;
}

/* The form of the bases, and whether it is that of the record before. */
static bool choose_form(const struct runs *runs, const struct pt_form *before, struct pt_form *ret)
{
	uint64_t all = runs->survey.all, differ = all ^ runs->survey.any, mask = 0;
	uint32_t bits = (uint32_t)__builtin_popcountll(differ);

	if (differ) {
		uint32_t low = (uint32_t)__builtin_ctzll(differ), width = 64 - (uint32_t)__builtin_clzll(differ) - low;

		mask = (width - bits) * runs->count >= HOLES_BITS ? differ : low_bits(width) << low;
	}
	bits = (uint32_t)__builtin_popcountll(mask);
	*ret = (struct pt_form){ .mask = mask, .rest = all & ~mask };
	if ((differ | (all ^ before->rest)) & ~before->mask)
		return false;
	if ((size_t)__builtin_popcountll(before->mask) * runs->count > bits * runs->count + FORM_BITS)
		return false;
	*ret = *before;
	return true;
}

/* The bits of words that a mask has, moved together. */
static void gather(const uint8_t *words, size_t count, uint64_t mask, uint64_t *ret)
{
	uint32_t used = 0;

	memset(ret, 0, count * sizeof(*ret));
	while (mask) {
		uint32_t low, width = mask_run(mask, &low);

		for (size_t n = 0; n < count; n++)
			ret[n] |= (load64_le(words + 8 * n) >> low & low_bits(width)) << used;
		mask &= ~(low_bits(width) << low);
		used += width;
	}
}

static uint8_t *put_array(const struct pt_loops *loops, const uint8_t *words, size_t count, uint32_t shift, uint32_t width, uint8_t *at)
{
	uint8_t *end = at + array_size(count, width);
	uint64_t filling = 0;
	uint32_t used = 0;

	if (count >= LANES_FROM && width) {
		loops->put_lanes(words, count, shift, width, at);
		return end;
	}
	for (size_t n = 0; width && n < count; n++) {
		uint64_t item = load64_le(words + 8 * n) >> shift & low_bits(width);

		filling |= item << used;
		used += width;
		if (used >= 64) {
			store64_le(at, filling);
			at += 8;
			used -= 64;
			filling = used ? item >> (width - used) : 0;
		}
	}
	store_le(at, filling, (size_t)(end - at));
	return end;
}

static uint8_t *put_smalls(const struct pt_loops *loops, const struct smalls *smalls, size_t count, uint8_t *at)
{
	uint64_t words[WORDS];

	if (!smalls->width)
		return at;
	for (size_t n = 0; n < count; n++)
		store64_le(&words[n], (uint64_t)smalls->list[n] - smalls->least);
	return put_array(loops, (const uint8_t *)words, count, 0, smalls->width, at);
}

static uint8_t *put_bases(const struct pt_loops *loops, const struct runs *runs, uint64_t mask, uint32_t width, uint8_t *at)
{
	uint64_t gathered[WORDS];
	uint32_t low = mask ? (uint32_t)__builtin_ctzll(mask) : 0;

	if (mask == low_bits(width) << low)
		return put_array(loops, runs->bases, runs->count, low, width, at);
	gather(runs->bases, runs->count, mask, gathered);
	for (size_t n = 0; n < runs->count; n++)
		store64_le(&gathered[n], gathered[n]);
	return put_array(loops, (const uint8_t *)gathered, runs->count, 0, width, at);
}

static uint8_t *put_packed(struct pt_packer *packer, const struct runs *runs, const uint8_t *page, uint8_t *at)
{
	struct pt_form form;
	bool keep = choose_form(runs, &packer->form, &form);
	uint32_t width = (uint32_t)__builtin_popcountll(form.mask);
	size_t size = (size_t)PACKED_HEAD + (keep ? 0 : PACKED_FORM) + array_size(runs->count, width) +
		      array_size(runs->count, runs->gaps.width) + array_size(runs->count, runs->lengths.width);

	if (size >= LITERAL_SIZE) {
		*at = RECORD_LITERAL;
		memcpy(at + 1, page, PAGE);
		return at + LITERAL_SIZE;
	}
	at[0] = (uint8_t)(RECORD_PACKED | (keep ? RECORD_KEEP : 0));
	at[1] = (uint8_t)runs->step;
	store_le(at + 2, runs->count, 2);
	store_le(at + 4, runs->gaps.least | runs->gaps.width << SMALL_BITS, 2);
	store_le(at + 6, runs->lengths.least | runs->lengths.width << SMALL_BITS, 2);
	at += PACKED_HEAD;
	if (!keep) {
		store64_le(at, form.mask);
		store64_le(at + 8, form.rest);
		at += PACKED_FORM;
	}
	packer->form = form;
	at = put_bases(packer->loops, runs, form.mask, width, at);
	at = put_smalls(packer->loops, &runs->gaps, runs->count, at);
	return put_smalls(packer->loops, &runs->lengths, runs->count, at);
}

/* One more page of a kind that counts its pages. */
static uint8_t *put_counted(struct pt_packer *packer, enum pt_record kind, uint8_t *at)
{
	uint8_t *open = packer->open;

	if (open && (*open & (RECORD_KEEP - 1)) == kind && *open >> RECORD_KIND_BITS < RECORD_ARGUMENT_MAX) {
		*open = (uint8_t)(*open + (1 << RECORD_KIND_BITS));
		return at;
	}
	*at = (uint8_t)kind;
	packer->open = at;
	return at + 1;
}

uint8_t *pt_put_page(struct pt_packer *packer, const uint8_t *page, const uint8_t *ahead, uint8_t *at)
{
	const uint8_t *before = packer->before;
	struct pt_cut cut, other;
	struct runs runs;
	bool apart;

	runs.step = packer->step = guess_step(page, packer->step);
	packer->before = page;
	apart = list_apart(packer, page, ahead, &runs);
	if (!apart) {
		packer->loops->cut(page, step_of(runs.step), false, ahead, &cut);
		packer->apart = cut.runs == WORDS;
		if (!cut.runs)
			return put_counted(packer, RECORD_ZERO, at);
	}
	if (before && load64(page) == load64(before) && !memcmp(page, before, PAGE))
		return put_counted(packer, RECORD_REPEAT, at);
	packer->open = NULL;
	if (apart)
		return put_packed(packer, &runs, page, at);
	if (cut.runs > 1 || cut.holes) {
		list_runs(packer, page, &cut, &runs);
		if (runs.survey.zero) {
			packer->loops->cut(page, step_of(runs.step), true, NULL, &cut);
			list_runs(packer, page, &cut, &runs);
		}
		if (!runs.survey.twins)
			return put_packed(packer, &runs, page, at);
		/* Equal neighbours: perhaps repeated entries, as large pages of some formats are. */
		packer->loops->cut(page, 0, true, NULL, &other);
		if (other.runs >= cut.runs)
			return put_packed(packer, &runs, page, at);
		runs.step = 0;
		list_runs(packer, page, &other, &runs);
		if (other.runs > 1 || other.holes)
			return put_packed(packer, &runs, page, at);
	}
	at[0] = RECORD_RUN;
	at[1] = (uint8_t)runs.step;
	memcpy(at + 2, page, 8);
	return at + RUN_SIZE;
}
