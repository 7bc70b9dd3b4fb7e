/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * 512 entries at a time, as sets: which are there, and which map what follows on the one before. A set is eight words, lowest bit first.
 */
#ifndef DEVSTATE_PT_SCAN_H
#define DEVSTATE_PT_SCAN_H

#include "pt.h"

#define SCAN_ENTRIES 512
#define SCAN_SIZE (8 * SCAN_ENTRIES)
#define SCAN_WORDS (SCAN_ENTRIES / 64)

/* As many are scanned in turns: the machine fetches eight streams ahead as easily as one, and tables are nowhere near each other. */
#define SCAN_STREAMS 8

/*
 * What to look at in the entries of one level. An entry is a plain leaf, of the size of its level, when it is present and has what is
 * expected where it matters. Two follow each other when their addresses, at their place in the entry, differ by step.
 */
struct scan_lens {
	uint64_t present;
	uint64_t address;
	uint64_t matters;
	uint64_t expected;
	uint64_t step;
	uint64_t high;		/* how to make a physical address: of struct ds_pt_format */
	uint32_t address_shift;
	uint32_t high_shift;
	uint32_t shift;		/* log2 of the bytes that an entry maps */
};

struct scan_sets {
	uint64_t present[SCAN_WORDS];
	uint64_t follows[SCAN_WORDS];	/* only between two that are present */
};

/* A lens to which no entry that is present is a plain leaf. */
void scan_lens_init(const struct ds_pt_format *format, uint32_t level, struct scan_lens *ret);

/* The lens for entries that are leaves of this level like this one. False for one that is none, or that takes more to read. */
bool scan_lens_for(const struct ds_pt_format *format, uint32_t level, uint64_t entry, struct scan_lens *ret);

/*
 * The sets of 1 or SCAN_STREAMS times SCAN_SIZE bytes of entries. The result has a bit for each: it is set when all entries that are
 * present are plain leaves; else its sets are of no use.
 */
uint32_t scan_entries(const uint8_t *const *streams, uint32_t count, const struct scan_lens *lens, bool avx2, struct scan_sets *ret);

#endif
