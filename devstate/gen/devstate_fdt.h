/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Flattened devicetrees that carry state: read against what a format declares, before any use.
 *
 * The whole blob is judged first, then the declared nodes are read in one pass: time is linear in
 * the bytes. A kernel's libfdt looks at the header only (fdt_check_full() is not part of lib/),
 * goes over a node for each property that is asked for, and says neither what is wrong nor where;
 * so these few tokens are read here. The promises of devstate.h hold. Numbers of the blob itself
 * are big-endian; what is in a property is for the format to say.
 */
#ifndef DEVSTATE_FDT_H
#define DEVSTATE_FDT_H

#include "devstate.h"

#define DEVSTATE_FDT_HEADER 40
/* Bytes of a blob, open nodes, bytes of a name, entries of the reserve map: as Linux has them. */
#define DEVSTATE_FDT_SIZE_MAX (2U << 20)
#define DEVSTATE_FDT_DEPTH_MAX 64
#define DEVSTATE_FDT_NAME_MAX 255
#define DEVSTATE_FDT_RESERVED_MAX 4096

enum devstate_token {
	DEVSTATE_FDT_BEGIN = 1,
	DEVSTATE_FDT_LEAVE = 2,
	DEVSTATE_FDT_PROPERTY = 3,
	DEVSTATE_FDT_NOP = 4,
	DEVSTATE_FDT_END = 9,
};

/**
 * struct devstate_bytes - a property of any length
 * @data: in the blob, aligned to 4 bytes only; NULL when there is none
 * @size: bytes
 */
struct devstate_bytes {
	const void *data;
	u64 size;
};

/* Where a blob is being read, and the token in hand. Offsets are from the start of the blob. */
struct devstate_fdt {
	const u8 *blob;
	u32 end;		/* of the structure block */
	u32 strings;
	u32 strings_end;
	u32 pos;
	u32 depth;		/* nodes that are open */
	u32 at;			/* the token in hand */
	const char *name;	/* of a node or a property */
	u32 data;		/* the value of a property */
	u32 size;
};

static inline u32 devstate_fdt_word(const u8 *blob, u32 at)
{
	u32 high = (u32)blob[at] << 8 | blob[at + 1];

	return high << 16 | (u32)blob[at + 2] << 8 | blob[at + 3];
}

static inline int devstate_fdt_refuse(struct devstate_fault *fault, u64 at, u64 found,
				      const char *what)
{
	return devstate_refuse(fault, DEVSTATE_TREE, at, found, what);
}

/* The reserve map ends in the blob. */
static inline int devstate_fdt_reserved(const u8 *blob, u32 total, u32 at,
					struct devstate_fault *fault)
{
	for (u32 count = 0; at <= total - 16; count++, at += 16) {
		if (!devstate_fdt_word(blob, at + 8) && !devstate_fdt_word(blob, at + 12))
			return 0;
		if (count == DEVSTATE_FDT_RESERVED_MAX)
			return devstate_refuse(fault, DEVSTATE_LIMIT, at + 16, count,
					       "off_mem_rsvmap");
	}
	return devstate_fdt_refuse(fault, at, at, "off_mem_rsvmap");
}

/* Judges the header. The blob may be shorter than @size, not longer. */
static inline int devstate_fdt_init(struct devstate_fdt *fdt, const void *blob, u64 size,
				    struct devstate_fault *fault)
{
	u32 total, start, reserved;
	u64 end, strings_end;
	int error;

	memset(fdt, 0, sizeof(*fdt));
	fdt->blob = (const u8 *)blob;
	if (size < DEVSTATE_FDT_HEADER)
		return devstate_fdt_refuse(fault, 0, size, "header");
	if (devstate_fdt_word(fdt->blob, 0) != 0xd00dfeed)
		return devstate_fdt_refuse(fault, 0, devstate_fdt_word(fdt->blob, 0), "magic");
	if (devstate_fdt_word(fdt->blob, 20) < 17)
		return devstate_fdt_refuse(fault, 20, devstate_fdt_word(fdt->blob, 20), "version");
	if (devstate_fdt_word(fdt->blob, 24) > 17)
		return devstate_fdt_refuse(fault, 24, devstate_fdt_word(fdt->blob, 24),
					   "last_comp_version");
	total = devstate_fdt_word(fdt->blob, 4);
	if (total < DEVSTATE_FDT_HEADER)
		return devstate_fdt_refuse(fault, 4, total, "totalsize");
	if (total > DEVSTATE_FDT_SIZE_MAX)
		return devstate_refuse(fault, DEVSTATE_LIMIT, 4, total, "totalsize");
	if (total > size)
		return devstate_fdt_refuse(fault, size, total, "totalsize");
	reserved = devstate_fdt_word(fdt->blob, 16);
	if (reserved < DEVSTATE_FDT_HEADER || reserved > total)
		return devstate_fdt_refuse(fault, 16, reserved, "off_mem_rsvmap");
	start = devstate_fdt_word(fdt->blob, 8);
	end = (u64)start + devstate_fdt_word(fdt->blob, 36);
	if (start < DEVSTATE_FDT_HEADER || end > total)
		return devstate_fdt_refuse(fault, 8, start, "off_dt_struct");
	fdt->strings = devstate_fdt_word(fdt->blob, 12);
	strings_end = (u64)fdt->strings + devstate_fdt_word(fdt->blob, 32);
	if (fdt->strings < DEVSTATE_FDT_HEADER || strings_end > total)
		return devstate_fdt_refuse(fault, 12, fdt->strings, "off_dt_strings");
	error = devstate_fdt_reserved(fdt->blob, total, reserved, fault);
	if (error)
		return error;
	if (start % 4)
		return devstate_fdt_refuse(fault, 8, start, "off_dt_struct");
	if (reserved % 8)
		return devstate_fdt_refuse(fault, 16, reserved, "off_mem_rsvmap");
	fdt->pos = start;
	fdt->end = (u32)end;
	fdt->strings_end = (u32)strings_end;
	return 0;
}

/* The name that starts at @at, before @end: it has an end, is no path and not too long. */
static inline int devstate_fdt_name(struct devstate_fdt *fdt, u32 at, u32 end, u32 said,
				    struct devstate_fault *fault)
{
	u32 room = at < end ? end - at : 0;
	u32 most = room < DEVSTATE_FDT_NAME_MAX + 1 ? room : DEVSTATE_FDT_NAME_MAX + 1;
	const char *stop = most ? (const char *)memchr(fdt->blob + at, 0, most) : NULL;

	if (!stop && room > DEVSTATE_FDT_NAME_MAX)
		return devstate_refuse(fault, DEVSTATE_LIMIT, said, most, "name");
	if (!stop)
		return devstate_fdt_refuse(fault, said, at, "name");
	fdt->name = (const char *)fdt->blob + at;
	if (fdt->depth && memchr(fdt->name, '/', (size_t)(stop - fdt->name)))
		return devstate_fdt_refuse(fault, fdt->at, at, "name");
	return 0;
}

static inline int devstate_fdt_begin(struct devstate_fdt *fdt, struct devstate_fault *fault)
{
	int error;

	if (fdt->depth == DEVSTATE_FDT_DEPTH_MAX)
		return devstate_refuse(fault, DEVSTATE_LIMIT, fdt->at, fdt->depth, "node");
	error = devstate_fdt_name(fdt, fdt->pos, fdt->end, fdt->pos, fault);
	if (error)
		return error;
	if (!fdt->depth != !*fdt->name)
		return devstate_fdt_refuse(fault, fdt->depth ? fdt->at : fdt->pos, 0, "name");
	fdt->pos += ((u32)strlen(fdt->name) + 4) & ~3U;
	fdt->depth++;
	return DEVSTATE_FDT_BEGIN;
}

static inline int devstate_fdt_property(struct devstate_fdt *fdt, struct devstate_fault *fault)
{
	u32 name;
	u64 left;
	int error;

	if (fdt->end - fdt->at < 12)
		return devstate_fdt_refuse(fault, fdt->at, 0, "property");
	fdt->size = devstate_fdt_word(fdt->blob, fdt->at + 4);
	name = devstate_fdt_word(fdt->blob, fdt->at + 8);
	fdt->data = fdt->at + 12;
	left = fdt->end - fdt->data;
	if (!fdt->depth)
		return devstate_fdt_refuse(fault, fdt->at, name, "property");
	if (name >= fdt->strings_end - fdt->strings)
		return devstate_fdt_refuse(fault, fdt->at + 8, name, "name");
	error = devstate_fdt_name(fdt, fdt->strings + name, fdt->strings_end, fdt->at + 8, fault);
	if (error)
		return error;
	if (!*fdt->name)
		return devstate_fdt_refuse(fault, fdt->at, name, "name");
	if ((((u64)fdt->size + 3) & ~3ULL) > left)
		return devstate_fdt_refuse(fault, fdt->at, fdt->size, "property");
	fdt->pos = fdt->data + ((fdt->size + 3) & ~3U);
	return DEVSTATE_FDT_PROPERTY;
}

/* The next token that is no NOP, or an error. */
static inline int devstate_fdt_next(struct devstate_fdt *fdt, struct devstate_fault *fault)
{
	u32 token;

	do {
		fdt->at = fdt->pos;
		if (fdt->pos > fdt->end)
			fdt->pos = fdt->end;
		if (fdt->end - fdt->pos < 4)
			return devstate_fdt_refuse(fault, fdt->pos, 0, "FDT_END");
		token = devstate_fdt_word(fdt->blob, fdt->pos);
		fdt->pos += 4;
	} while (token == DEVSTATE_FDT_NOP);
	if (token == DEVSTATE_FDT_BEGIN)
		return devstate_fdt_begin(fdt, fault);
	if (token == DEVSTATE_FDT_PROPERTY)
		return devstate_fdt_property(fdt, fault);
	if (token == DEVSTATE_FDT_LEAVE && fdt->depth) {
		fdt->depth--;
		return DEVSTATE_FDT_LEAVE;
	}
	if (token == DEVSTATE_FDT_END && !fdt->depth)
		return DEVSTATE_FDT_END;
	return devstate_fdt_refuse(fault, fdt->at, token, "token");
}

/* Judges the whole blob, and leaves @fdt at its start: now devstate_fdt_next() only succeeds. */
static inline int devstate_fdt_check(struct devstate_fdt *fdt, const void *blob, u64 size,
				     struct devstate_fault *fault)
{
	int token = devstate_fdt_init(fdt, blob, size, fault);
	u32 start = fdt->pos;
	bool inside = true;

	if (token)
		return token;
	token = devstate_fdt_next(fdt, fault);
	if (token > 0 && (token != DEVSTATE_FDT_BEGIN || fdt->at != start))
		return devstate_fdt_refuse(fault, fdt->at, (u64)token, "root");
	while (token > 0 && fdt->depth) {
		token = devstate_fdt_next(fdt, fault);
		if (token == DEVSTATE_FDT_PROPERTY && !inside)
			return devstate_fdt_refuse(fault, fdt->at, 0, "property after a node");
		inside = token == DEVSTATE_FDT_BEGIN || token == DEVSTATE_FDT_PROPERTY;
	}
	if (token < 0)
		return token;
	if (fdt->end - fdt->pos < 4 || devstate_fdt_word(fdt->blob, fdt->pos) != DEVSTATE_FDT_END)
		return devstate_fdt_refuse(fault, fdt->pos, 0, "FDT_END");
	if (fdt->end - fdt->pos > 4)
		return devstate_fdt_refuse(fault, fdt->pos + 4, 0, "FDT_END");
	fdt->pos = start;
	return 0;
}

/* A property that was met; @data is NULL when it was not. */
struct devstate_slot {
	const void *data;
	u32 size;
	u32 at;
};

/* Properties of one node that a format may declare, and nodes on a path. */
#define DEVSTATE_SLOTS_MAX 32
#define DEVSTATE_LEVELS_OF_NODES_MAX 8

/**
 * struct devstate_met - a node that was met
 * @name: of it
 * @at: where it starts
 * @slots: its declared properties
 */
struct devstate_met {
	const char *name;
	u32 at;
	struct devstate_slot slots[DEVSTATE_SLOTS_MAX];
};

/**
 * struct devstate_node - what a format declares of a node
 * @name: of it; NULL: any
 * @path: for faults
 * @optional: whether it may be absent
 * @properties: their names, as many as @property_count
 * @property_count: at most DEVSTATE_SLOTS_MAX
 * @nodes: those in it, one without a name last
 * @node_count: at most 32
 * @take: judges what was met, and keeps it in @to
 */
struct devstate_node {
	const char *name;
	const char *path;
	bool optional;
	const char *const *properties;
	u32 property_count;
	const struct devstate_node *const *nodes;
	u32 node_count;
	int (*take)(void *to, const struct devstate_met *met, struct devstate_fault *fault);
};

/* A reading: the declared nodes that are open, innermost last, and which nodes in them were met. */
struct devstate_reading {
	struct devstate_fdt fdt;
	struct devstate_met met;
	const struct devstate_node *open[DEVSTATE_LEVELS_OF_NODES_MAX];
	u32 starts[DEVSTATE_LEVELS_OF_NODES_MAX];
	u32 seen[DEVSTATE_LEVELS_OF_NODES_MAX];
	u32 count;
	bool taken;		/* the innermost open node was given to its @take */
	void *to;
};

/* The declared node that the token in hand begins, in ret; NULL when there is none. */
static inline int devstate_reading_find(struct devstate_reading *reading,
					const struct devstate_node *root,
					const struct devstate_node **ret,
					struct devstate_fault *fault)
{
	const struct devstate_node *parent;

	*ret = root;
	if (!reading->count)
		return 0;
	*ret = NULL;
	parent = reading->open[reading->count - 1];
	for (u32 n = 0; n < parent->node_count; n++) {
		const struct devstate_node *each = parent->nodes[n];

		if (each->name && strcmp(each->name, reading->fdt.name))
			continue;
		if (each->name && reading->seen[reading->count - 1] & 1U << n)
			return devstate_refuse(fault, DEVSTATE_TWICE, reading->fdt.at, 0,
					       each->path);
		reading->seen[reading->count - 1] |= 1U << n;
		*ret = each;
		return 0;
	}
	return 0;
}

static inline int devstate_reading_take(struct devstate_reading *reading,
					struct devstate_fault *fault)
{
	if (reading->taken)
		return 0;
	reading->taken = true;
	return reading->open[reading->count - 1]->take(reading->to, &reading->met, fault);
}

static inline void devstate_reading_enter(struct devstate_reading *reading,
					  const struct devstate_node *node)
{
	memset(&reading->met, 0, sizeof(reading->met));
	reading->met.name = reading->fdt.name;
	reading->met.at = reading->fdt.at;
	reading->open[reading->count] = node;
	reading->starts[reading->count] = reading->fdt.at;
	reading->seen[reading->count] = 0;
	reading->count++;
	reading->taken = false;
}

static inline int devstate_reading_property(struct devstate_reading *reading,
					    struct devstate_fault *fault)
{
	const struct devstate_node *node = reading->open[reading->count - 1];

	for (u32 n = 0; n < node->property_count; n++) {
		struct devstate_slot *slot = &reading->met.slots[n];

		if (strcmp(node->properties[n], reading->fdt.name))
			continue;
		if (slot->data)
			return devstate_refuse(fault, DEVSTATE_TWICE, reading->fdt.data, n,
					       node->path);
		slot->data = reading->fdt.blob + reading->fdt.data;
		slot->size = reading->fdt.size;
		slot->at = reading->fdt.data;
		return 0;
	}
	return 0;
}

/* At the end of a declared node: all of its nodes that must be there were. */
static inline int devstate_reading_leave(struct devstate_reading *reading,
					 struct devstate_fault *fault)
{
	const struct devstate_node *node;
	int error = devstate_reading_take(reading, fault);

	reading->count--;
	node = reading->open[reading->count];
	for (u32 n = 0; !error && n < node->node_count; n++) {
		const struct devstate_node *each = node->nodes[n];

		if (each->name && !each->optional && !(reading->seen[reading->count] & 1U << n))
			error = devstate_refuse(fault, DEVSTATE_MISSING,
						reading->starts[reading->count], 0, each->path);
	}
	return error;
}

/* Reads the devicetree in @size bytes at @blob, which begins with @root, node after node. */
static inline int devstate_fdt_read(const void *blob, u64 size, const struct devstate_node *root,
				    void *to, struct devstate_fault *fault)
{
	struct devstate_reading reading = { .to = to };
	const struct devstate_node *node;
	int error = devstate_fdt_check(&reading.fdt, blob, size, fault);
	u32 others = 0;		/* open nodes that are not declared */

	while (!error) {
		int token = devstate_fdt_next(&reading.fdt, fault);

		if (token == DEVSTATE_FDT_END || token < 0)
			return token < 0 ? token : 0;
		if (token == DEVSTATE_FDT_PROPERTY && !others)
			error = devstate_reading_property(&reading, fault);
		if (token == DEVSTATE_FDT_LEAVE && !others)
			error = devstate_reading_leave(&reading, fault);
		if (token == DEVSTATE_FDT_LEAVE && others)
			others--;
		if (token != DEVSTATE_FDT_BEGIN)
			continue;
		if (reading.count && !others)
			error = devstate_reading_take(&reading, fault);
		node = NULL;
		if (!error && !others)
			error = devstate_reading_find(&reading, root, &node, fault);
		if (node)
			devstate_reading_enter(&reading, node);
		else
			others++;
	}
	return error;
}

/* Copies a property of exactly @size bytes. */
static inline int devstate_slot_copy(const struct devstate_slot *slot, void *to, u64 size,
				     struct devstate_fault *fault, const char *path)
{
	if (slot->size != size)
		return devstate_refuse(fault, DEVSTATE_SIZE, slot->at, slot->size, path);
	memcpy(to, slot->data, size);
	return 0;
}

/* The first string of a compatible is @wanted, of @size bytes with its NUL. */
static inline int devstate_slot_compatible(const struct devstate_met *met, u32 number,
					   const char *wanted, u32 size,
					   struct devstate_fault *fault, const char *path)
{
	const struct devstate_slot *slot = &met->slots[number];

	if (!slot->data)
		return devstate_refuse(fault, DEVSTATE_MISSING, met->at, 0, path);
	if (slot->size < size || memcmp(slot->data, wanted, size) ||
	    ((const u8 *)slot->data)[slot->size - 1])
		return devstate_refuse(fault, DEVSTATE_VERSION, slot->at, 0, path);
	return 0;
}

#endif /* DEVSTATE_FDT_H */
