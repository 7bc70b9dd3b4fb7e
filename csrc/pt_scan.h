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
};

struct scan_sets {
	uint64_t present[SCAN_WORDS];
	uint64_t follows[SCAN_WORDS];	/* only between two that are present */
};

/* The lens for entries that are leaves of this level like this one. False for one that is none, or that takes more to read. */
bool scan_lens_for(const struct ds_pt_format *format, uint32_t level, uint64_t entry, struct scan_lens *ret);

/*
 * The sets of SCAN_SIZE bytes of entries; false when one that is present is no plain leaf: then they are of no use. ahead: as many bytes
 * that will be wanted soon, which are not read.
 */
bool scan_entries(const uint8_t *entries, const struct scan_lens *lens, const uint8_t *ahead, struct scan_sets *ret);

#ifdef DS_X86
bool scan_entries_avx2(const uint8_t *entries, const struct scan_lens *lens, const uint8_t *ahead, struct scan_sets *ret);
#endif

#endif
