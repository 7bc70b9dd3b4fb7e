/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs of pages that follow each other, and whether all of them are inside. Nothing waits for memory here: what a look-up needs is asked
 * for a turn before, and between two turns there is a scan, which takes longer than memory does.
 *
 * A run is a word: page frame number in the low 44 bits, how many pages more in the others. Longer ones are looked up at once.
 */
#ifndef DEVSTATE_PT_RUNS_H
#define DEVSTATE_PT_RUNS_H

#include "coverage.h"
#include "pt_scan.h"

#define RUN_PAGE_BITS 44
#define RUN_PAGES (UINT64_C(1) << (64 - RUN_PAGE_BITS))

/* Of one turn. */
#define RUNS (SCAN_STREAMS * SCAN_ENTRIES)

struct runs {
	const struct ds_coverage *inside;
	bool avx2;
	bool missing;		/* some page is not inside */
	uint32_t count;
	uint32_t odd_count;
	size_t near;
	uint64_t run[RUNS + 1];	/* of the last turn, each in one tile, which has been asked for */
	uint64_t odd[2 * RUNS];	/* of the last turn, in several tiles; of the turn before, in no range of their tile */
};

/* Looks up the runs of the last turns, and makes room for SCAN_STREAMS scans. */
void runs_turn(struct runs *runs);

/* Adds what sets map, whose entries are these. Returns how many entries are present. */
uint64_t runs_add(struct runs *runs, const struct scan_sets *sets, const uint8_t *entries, const struct scan_lens *lens);

#endif
