/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What lies between the records of a chunk while it is read.
 */
#ifndef DEVSTATE_PT_UNPACK_H
#define DEVSTATE_PT_UNPACK_H

#include "pt_stream.h"

/* The rest is zero at the start of each chunk. */
struct pt_unpacker {
	const struct pt_loops *loops;
	const uint8_t *at;	/* where the next record is */
	const uint8_t *end;	/* of the body */
	bool stream;		/* pages go around the caches */
	bool has_form;
	struct pt_form form;	/* of the last packed record */
	const uint8_t *before;	/* the page before, as it was written; NULL for the first */
	enum pt_record kind;	/* of a record that counts its pages, */
	uint32_t pages;		/* and how many more it has */
};

/* Writes the next page; false, and page may be anything, when the stream is not what it must be. at is then the record at fault. */
bool pt_get_page(struct pt_unpacker *unpacker, uint8_t *page);

#endif
