/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tagged maps: msgpack maps from the numbers of fields to values, to and from the structs of a caller.
 *
 *	82 | 01 c4 04 65 74 68 30 | 02 cd 05 dc		{1: "eth0", 2: 1500}
 *
 * What a map is stands in tables, which are generated: a shape a struct, a row a field. They are
 * declared here; devstate_tagged_read.h and devstate_tagged_write.h go by them. The promises
 * of devstate.h hold here: one pass over the bytes, a stack of DEVSTATE_DEPTH_MAX frames, nothing
 * read behind @size. The verdicts are those of devstate/codec/tagged_read.py: the same steps in the
 * same order. Fields that a shape does not know are judged as bytes, found again in the span
 * "unknown" of the struct, and written where they belong by their tags.
 */
#ifndef DEVSTATE_TAGGED_H
#define DEVSTATE_TAGGED_H

#include "devstate.h"

/* Bytes of one record; maps and arrays inside each other; the greatest number of a field. */
#define DEVSTATE_TAGGED_MAX (1U << 20)
#define DEVSTATE_DEPTH_MAX 32
#define DEVSTATE_TAG_MAX 65535

/**
 * struct devstate_span - values that stand one behind the other in a buffer of somebody else
 * @data: their bytes: they live as long as what they were read from
 * @size: how many
 * @count: elements of an array, or fields that are not known (@data then has known ones as well)
 */
struct devstate_span {
	const u8 *data;
	u32 size;
	u32 count;
};

enum devstate_tagged_kind {
	DEVSTATE_NUMBER,
	DEVSTATE_BYTES,
	DEVSTATE_CHARS,
	DEVSTATE_ARRAY,		/* of a fixed number of elements, in the struct */
	DEVSTATE_ITEMS,		/* of any number, as a struct devstate_span */
	DEVSTATE_MAP,
};

struct devstate_tagged_shape;

/* One of the texts that bytes may begin with; @size counts its NUL. */
struct devstate_tagged_text {
	const char *text;
	u32 size;
};

/* Numbers are between @low and @high, without bits outside of @mask, or one of @values. */
struct devstate_tagged_rule {
	enum devstate_rule rule;
	u64 low;
	u64 high;
	u64 mask;
	const u64 *values;
	const struct devstate_tagged_text *texts;
	u32 count;
};

/**
 * struct devstate_tagged_type - what a value is, and what it may be
 * @name: of the field that it is in
 * @kind: enum devstate_tagged_kind
 * @is_signed: of a number
 * @size: bytes of the member
 * @count: elements of an array in the struct
 * @element: of an array
 * @shape: of a map
 * @low: least number
 * @high: greatest number
 * @rules: what else is asked of a number, or of bytes
 * @nr_rules: how many rules
 */
struct devstate_tagged_type {
	const char *name;
	enum devstate_tagged_kind kind;
	bool is_signed;
	u64 size;
	u64 count;
	const struct devstate_tagged_type *element;
	const struct devstate_tagged_shape *shape;
	u64 low;
	u64 high;
	const struct devstate_tagged_rule *rules;
	u32 nr_rules;
};

/* @at and @has are offsets in the struct; a field that is @optional has a bool there. */
struct devstate_tagged_field {
	u32 tag;
	bool optional;
	u64 at;
	u64 has;
	u64 initial;
	const struct devstate_tagged_type *type;
};

/* @fields are in the order of their tags; @unknown is the offset of a struct devstate_span. */
struct devstate_tagged_shape {
	const char *name;
	u64 size;
	u64 unknown;
	const struct devstate_tagged_field *fields;
	u32 nr_fields;
};

#endif /* DEVSTATE_TAGGED_H */
