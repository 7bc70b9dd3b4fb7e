/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What lies between the pages of a chunk while it is written.
 */
#ifndef DEVSTATE_PT_PACK_H
#define DEVSTATE_PT_PACK_H

#include "pt_stream.h"

/* All zero but loops at the start of each chunk. */
struct pt_packer {
	const struct pt_loops *loops;
	const uint8_t *before;	/* the page before */
	uint8_t *open;		/* the last record, when it can count one more page; NULL when it is out of reach */
	struct pt_form form;	/* of the last packed record */
	uint32_t step;		/* of the last page that begins with one; 0 or log2 */
	bool apart;		/* the page before was of single words, so this one may be too */
};

/* The record of a page. at has room for LITERAL_SIZE bytes; returns where the next one goes. ahead: the page after it, or NULL. */
uint8_t *pt_put_page(struct pt_packer *packer, const uint8_t *page, const uint8_t *ahead, uint8_t *at);

#endif
