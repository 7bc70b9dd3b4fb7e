/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tagged maps to structs: bytes are judged, and every value goes to its member, in one pass.
 */
#ifndef DEVSTATE_TAGGED_READ_H
#define DEVSTATE_TAGGED_READ_H

#include "devstate_tagged.h"

#ifndef noinline
#define noinline __attribute__((__noinline__))
#endif

enum devstate_tagged_word {
	DEVSTATE_WORD_PLAIN,	/* nil, a truth value, a float, a string, an extension: never known */
	DEVSTATE_WORD_INT,
	DEVSTATE_WORD_BIN,
	DEVSTATE_WORD_ARRAY,
	DEVSTATE_WORD_MAP,
};

struct devstate_tagged_head {
	enum devstate_tagged_word word;
	bool negative;
	u64 number;		/* or the length */
	u64 at;
};

/*
 * A map or an array that is open: @type is NULL when it is not known, then @index says whether it is
 * a map, @it where its last key is and @length how long that is. Else @it is the offset of the
 * struct or of the next element from the struct of the caller, @last and @index are tag and field.
 */
struct devstate_tagged_frame {
	const struct devstate_tagged_type *type;
	u32 it;
	u32 left;
	u32 length;
	u16 last;
	u16 index;
};

/* What has no place in a struct: elements of an array of any length. */
#define DEVSTATE_NOWHERE (~0U)

struct devstate_tagged_reader {
	const u8 *data;
	u64 size;
	u64 at;
	u8 *it;
	struct devstate_fault *fault;
	const char *field;
	u32 depth;
	struct devstate_tagged_frame stack[DEVSTATE_DEPTH_MAX];
};

static inline int devstate_tagged_refuse(const struct devstate_tagged_reader *reader, int rule,
					 u64 at, u64 found)
{
	return devstate_refuse(reader->fault, rule, at, found, reader->field);
}

/* What the first byte says: bytes of the number behind it, the least number that needs them. */
struct devstate_tagged_lead {
	enum devstate_tagged_word word;
	u8 bytes;
	bool negative;
	bool has_payload;
	bool is_ext;
	u64 least;
};

static inline bool devstate_tagged_lead(u8 first, struct devstate_tagged_lead *ret)
{
	static const struct devstate_tagged_lead leads[32] = {
		[0x00] = { DEVSTATE_WORD_PLAIN, 0, false, false, false, 0 },
		[0x02] = { DEVSTATE_WORD_PLAIN, 0, false, false, false, 0 },
		[0x03] = { DEVSTATE_WORD_PLAIN, 0, false, false, false, 0 },
		[0x04] = { DEVSTATE_WORD_BIN, 1, false, true, false, 0 },
		[0x05] = { DEVSTATE_WORD_BIN, 2, false, true, false, 1 << 8 },
		[0x06] = { DEVSTATE_WORD_BIN, 4, false, true, false, 1 << 16 },
		[0x07] = { DEVSTATE_WORD_PLAIN, 1, false, true, true, 0 },
		[0x08] = { DEVSTATE_WORD_PLAIN, 2, false, true, true, 1 << 8 },
		[0x09] = { DEVSTATE_WORD_PLAIN, 4, false, true, true, 1 << 16 },
		/* A float of four bytes has a longer form of the same value: it is never the one. */
		[0x0a] = { DEVSTATE_WORD_PLAIN, 4, false, false, false, 1ULL << 32 },
		[0x0b] = { DEVSTATE_WORD_PLAIN, 8, false, false, false, 0 },
		[0x0c] = { DEVSTATE_WORD_INT, 1, false, false, false, 1 << 7 },
		[0x0d] = { DEVSTATE_WORD_INT, 2, false, false, false, 1 << 8 },
		[0x0e] = { DEVSTATE_WORD_INT, 4, false, false, false, 1 << 16 },
		[0x0f] = { DEVSTATE_WORD_INT, 8, false, false, false, 1ULL << 32 },
		[0x10] = { DEVSTATE_WORD_INT, 1, true, false, false, 1 << 5 },
		[0x11] = { DEVSTATE_WORD_INT, 2, true, false, false, 1 << 7 },
		[0x12] = { DEVSTATE_WORD_INT, 4, true, false, false, 1 << 15 },
		[0x13] = { DEVSTATE_WORD_INT, 8, true, false, false, 1ULL << 31 },
		[0x19] = { DEVSTATE_WORD_PLAIN, 1, false, true, false, 32 },
		[0x1a] = { DEVSTATE_WORD_PLAIN, 2, false, true, false, 1 << 8 },
		[0x1b] = { DEVSTATE_WORD_PLAIN, 4, false, true, false, 1 << 16 },
		[0x1c] = { DEVSTATE_WORD_ARRAY, 2, false, false, false, 16 },
		[0x1d] = { DEVSTATE_WORD_ARRAY, 4, false, false, false, 1 << 16 },
		[0x1e] = { DEVSTATE_WORD_MAP, 2, false, false, false, 16 },
		[0x1f] = { DEVSTATE_WORD_MAP, 4, false, false, false, 1 << 16 },
	};

	*ret = leads[first & 31];
	return first != 0xc1;
}

/* Go behind a head of @bytes bytes, and what follows it. */
static inline int devstate_tagged_behind(struct devstate_tagged_reader *reader,
					 const struct devstate_tagged_head *head, u64 bytes,
					 u64 payload)
{
	u64 room = reader->size - head->at;

	if (bytes > room || payload > room - bytes)
		return devstate_tagged_refuse(reader, DEVSTATE_TRUNCATED, head->at, room);
	reader->at = head->at + bytes + payload;
	return 0;
}

static inline int devstate_tagged_wide(struct devstate_tagged_reader *reader, u8 first,
				       struct devstate_tagged_head *ret)
{
	const u8 *data = reader->data + ret->at + 1;
	struct devstate_tagged_lead lead;
	u64 number = 0, length, sign = 0;
	bool fixed_ext;

	if (!devstate_tagged_lead(first, &lead))
		return devstate_tagged_refuse(reader, DEVSTATE_TYPE, ret->at, first);
	if (lead.bytes > reader->size - ret->at - 1)
		return devstate_tagged_refuse(reader, DEVSTATE_TRUNCATED, ret->at, lead.bytes);
	for (u32 i = 0; i < lead.bytes; i++)
		number = number << 8 | data[i];
	if (lead.negative) {
		sign = number >> (8 * lead.bytes - 1) & 1;
		if (sign && lead.bytes < 8)
			number |= ~0ULL << 8 * lead.bytes;
	}
	length = number;
	fixed_ext = lead.is_ext && length && length <= 16 && !(length & (length - 1));
	if ((lead.negative ? !sign || ~number < lead.least : number < lead.least) || fixed_ext)
		return devstate_tagged_refuse(reader, DEVSTATE_FORM, ret->at, number);
	ret->word = lead.word;
	ret->negative = lead.negative;
	ret->number = number;
	return devstate_tagged_behind(reader, ret, 1 + lead.bytes,
				      lead.has_payload ? length + lead.is_ext : 0);
}

/* One head, and go behind it: in front of what a map or an array has, behind the bytes of a text. */
static inline int devstate_tagged_head(struct devstate_tagged_reader *reader,
				       struct devstate_tagged_head *ret)
{
	u64 payload = 0;
	u8 first;

	memset(ret, 0, sizeof(*ret));
	ret->at = reader->at;
	if (ret->at >= reader->size)
		return devstate_tagged_refuse(reader, DEVSTATE_TRUNCATED, ret->at, 0);
	first = reader->data[ret->at];
	if (first < 0x80 || first >= 0xe0) {
		ret->word = DEVSTATE_WORD_INT;
		ret->negative = first >= 0xe0;
		ret->number = ret->negative ? ~0xffULL | first : first;
	} else if (first < 0xa0) {
		ret->word = first < 0x90 ? DEVSTATE_WORD_MAP : DEVSTATE_WORD_ARRAY;
		ret->number = first & 15;
	} else if (first < 0xc0) {
		payload = first & 31;
	} else if (first >= 0xd4 && first <= 0xd8) {
		payload = 1 + (1ULL << (first - 0xd4));
	} else {
		return devstate_tagged_wide(reader, first, ret);
	}
	return devstate_tagged_behind(reader, ret, 1, payload);
}

static inline void devstate_tagged_store(u8 *it, u64 size, u64 number)
{
	u8 one = (u8)number;
	u16 two = (u16)number;
	u32 four = (u32)number;
	const void *from = size == 1 ? (const void *)&one : size == 2 ? (const void *)&two :
			   size == 4 ? (const void *)&four : (const void *)&number;

	memcpy(it, from, size);
}

static inline u64 devstate_tagged_load(const u8 *it, u64 size, bool is_signed)
{
	u64 eight = 0;
	u32 four;
	u16 two;

	switch (size) {
	case 1:
		return is_signed ? (u64)(s8)*it : *it;
	case 2:
		memcpy(&two, it, sizeof(two));
		return is_signed ? (u64)(s16)two : two;
	case 4:
		memcpy(&four, it, sizeof(four));
		return is_signed ? (u64)(s32)four : four;
	default:
		memcpy(&eight, it, sizeof(eight));
		return eight;
	}
}

static inline bool devstate_tagged_between(u64 low, u64 number, u64 high, bool is_signed)
{
	if (is_signed)
		return (s64)low <= (s64)number && (s64)number <= (s64)high;
	return low <= number && number <= high;
}

static inline bool devstate_tagged_allows(const struct devstate_tagged_rule *rule, u64 number,
					  bool is_signed)
{
	if (rule->rule == DEVSTATE_RANGE)
		return devstate_tagged_between(rule->low, number, rule->high, is_signed);
	if (rule->rule == DEVSTATE_FLAGS)
		return !(number & ~rule->mask);
	for (u32 i = 0; i < rule->count; i++) {
		if (rule->values[i] == number)
			return true;
	}
	return false;
}

static inline int devstate_tagged_number(struct devstate_tagged_reader *reader,
					 const struct devstate_tagged_head *head,
					 const struct devstate_tagged_type *type, u8 *it)
{
	u64 number = head->number;
	bool wraps = type->is_signed ? !head->negative && number >> 63 : head->negative;

	if (wraps || !devstate_tagged_between(type->low, number, type->high, type->is_signed))
		return devstate_tagged_refuse(reader, DEVSTATE_RANGE, head->at, number);
	for (u32 i = 0; i < type->nr_rules; i++) {
		if (!devstate_tagged_allows(&type->rules[i], number, type->is_signed))
			return devstate_tagged_refuse(reader, (int)type->rules[i].rule, head->at, number);
	}
	if (it)
		devstate_tagged_store(it, type->size, number);
	return 0;
}

/* Whether @size bytes, with NULs up to @whole, begin with one of the texts of a rule. */
static inline bool devstate_tagged_begins(const struct devstate_tagged_rule *rule, const u8 *data,
					  u64 size, u64 whole)
{
	for (u32 i = 0; i < rule->count; i++) {
		u64 wanted = rule->texts[i].size < whole ? rule->texts[i].size : whole;
		u64 there = wanted < size ? wanted : size;

		if (!memcmp(data, rule->texts[i].text, there) &&
		    (there == wanted || !rule->texts[i].text[there]))
			return true;
	}
	return !rule->count;
}

static inline int devstate_tagged_bytes(struct devstate_tagged_reader *reader,
					const struct devstate_tagged_head *head,
					const struct devstate_tagged_type *type, u8 *it)
{
	const u8 *data = reader->data + reader->at - head->number;
	bool text = type->kind == DEVSTATE_CHARS;
	u64 size = head->number;

	if (text ? size >= type->size : size != type->size)
		return devstate_tagged_refuse(reader, DEVSTATE_SIZE, head->at, size);
	if (text && size && memchr(data, 0, size))
		return devstate_tagged_refuse(reader, DEVSTATE_TEXT, head->at, size);
	for (u32 i = 0; i < type->nr_rules; i++) {
		if (!devstate_tagged_begins(&type->rules[i], data, size, type->size))
			return devstate_tagged_refuse(reader, (int)type->rules[i].rule, head->at, 0);
	}
	if (it && size)
		memcpy(it, data, size);
	if (it && size < type->size)
		memset(it + size, 0, type->size - size);
	return 0;
}

/* Open a map or an array, unless that is one too deep. */
static inline int devstate_tagged_open(struct devstate_tagged_reader *reader,
				       const struct devstate_tagged_head *head,
				       const struct devstate_tagged_type *type, u32 it)
{
	struct devstate_tagged_frame *frame;

	if (reader->depth == DEVSTATE_DEPTH_MAX)
		return devstate_tagged_refuse(reader, DEVSTATE_LIMIT, head->at, reader->depth + 1);
	frame = &reader->stack[reader->depth++];
	frame->type = type;
	frame->it = it;
	frame->left = (u32)head->number;
	frame->length = 0;
	frame->last = 0;
	frame->index = !type && head->word == DEVSTATE_WORD_MAP;
	return 0;
}

/* Where a value goes; NULL for nowhere. */
static inline u8 *devstate_tagged_place(const struct devstate_tagged_reader *reader, u32 it)
{
	return reader->it && it != DEVSTATE_NOWHERE ? reader->it + it : NULL;
}

/* Values that are kept as bytes begin here. */
static inline void devstate_tagged_begin(const struct devstate_tagged_reader *reader, u8 *it, u64 count)
{
	struct devstate_span *span = (struct devstate_span *)(void *)it;

	span->data = reader->data + reader->at;
	span->size = 0;
	span->count = (u32)count;
}

/* The fields that may be absent have what absence means until they come. */
static inline void devstate_tagged_initial(const struct devstate_tagged_shape *shape, u8 *it)
{
	memset(it, 0, shape->size);
	for (u32 i = 0; i < shape->nr_fields; i++) {
		const struct devstate_tagged_field *field = &shape->fields[i];

		if (field->optional && field->type->kind == DEVSTATE_NUMBER)
			devstate_tagged_store(it + field->at, field->type->size, field->initial);
	}
}

/* One value of a known type. What is in a map or an array comes later, frame by frame. */
static inline int devstate_tagged_value(struct devstate_tagged_reader *reader,
					const struct devstate_tagged_type *type, u32 it)
{
	static const enum devstate_tagged_word words[] = {
		[DEVSTATE_NUMBER] = DEVSTATE_WORD_INT,
		[DEVSTATE_BYTES] = DEVSTATE_WORD_BIN,
		[DEVSTATE_CHARS] = DEVSTATE_WORD_BIN,
		[DEVSTATE_ARRAY] = DEVSTATE_WORD_ARRAY,
		[DEVSTATE_ITEMS] = DEVSTATE_WORD_ARRAY,
		[DEVSTATE_MAP] = DEVSTATE_WORD_MAP,
	};
	u8 *place = devstate_tagged_place(reader, it);
	struct devstate_tagged_head head;
	int error = devstate_tagged_head(reader, &head);

	if (error)
		return error;
	if (head.word != words[type->kind])
		return devstate_tagged_refuse(reader, DEVSTATE_TYPE, head.at, head.word);
	if (type->kind == DEVSTATE_NUMBER)
		return devstate_tagged_number(reader, &head, type, place);
	if (type->kind == DEVSTATE_BYTES || type->kind == DEVSTATE_CHARS)
		return devstate_tagged_bytes(reader, &head, type, place);
	error = devstate_tagged_open(reader, &head, type, it);
	if (error)
		return error;
	if (type->kind == DEVSTATE_ARRAY && head.number != type->count)
		return devstate_tagged_refuse(reader, DEVSTATE_COUNT, head.at, head.number);
	if (place && type->kind == DEVSTATE_ITEMS)
		devstate_tagged_begin(reader, place, head.number);
	if (place && type->kind == DEVSTATE_MAP) {
		devstate_tagged_initial(type->shape, place);
		devstate_tagged_begin(reader, place + type->shape->unknown, 0);
	}
	return 0;
}

/* A value of which nothing is known. */
static inline int devstate_tagged_any(struct devstate_tagged_reader *reader)
{
	struct devstate_tagged_head head;
	int error = devstate_tagged_head(reader, &head);

	if (error || (head.word != DEVSTATE_WORD_ARRAY && head.word != DEVSTATE_WORD_MAP))
		return error;
	return devstate_tagged_open(reader, &head, NULL, DEVSTATE_NOWHERE);
}

/* From the field in hand to the first whose tag is not below @tag: those between may be absent. */
static inline int devstate_tagged_absent(struct devstate_tagged_reader *reader,
					 struct devstate_tagged_frame *frame, u64 tag, u64 at)
{
	const struct devstate_tagged_shape *shape = frame->type->shape;

	while (frame->index < shape->nr_fields && shape->fields[frame->index].tag < tag) {
		reader->field = shape->fields[frame->index].type->name;
		if (!shape->fields[frame->index].optional)
			return devstate_tagged_refuse(reader, DEVSTATE_MISSING, at, 0);
		frame->index++;
	}
	reader->field = shape->name;
	return 0;
}

/* The key of a field. */
static inline int devstate_tagged_tag(struct devstate_tagged_reader *reader,
				      struct devstate_tagged_head *ret)
{
	int error = devstate_tagged_head(reader, ret);

	if (error)
		return error;
	if (ret->word != DEVSTATE_WORD_INT || ret->negative || !ret->number ||
	    ret->number > DEVSTATE_TAG_MAX)
		return devstate_tagged_refuse(reader, DEVSTATE_KEY, ret->at, ret->number);
	return 0;
}

/* A tag and its value in a map that has a shape. */
static inline int devstate_tagged_known(struct devstate_tagged_reader *reader,
					struct devstate_tagged_frame *frame)
{
	const struct devstate_tagged_shape *shape = frame->type->shape;
	u8 *place = devstate_tagged_place(reader, frame->it);
	const struct devstate_tagged_field *field;
	struct devstate_tagged_head head;
	int error, order;

	reader->field = shape->name;
	error = devstate_tagged_tag(reader, &head);
	if (error)
		return error;
	order = head.number == frame->last ? DEVSTATE_TWICE : DEVSTATE_FORM;
	if (head.number <= frame->last)
		return devstate_tagged_refuse(reader, order, head.at, head.number);
	frame->last = (u16)head.number;
	error = devstate_tagged_absent(reader, frame, head.number, head.at);
	if (error)
		return error;
	if (frame->index == shape->nr_fields || shape->fields[frame->index].tag != head.number) {
		if (place)
			((struct devstate_span *)(void *)(place + shape->unknown))->count++;
		return devstate_tagged_any(reader);
	}
	field = &shape->fields[frame->index++];
	reader->field = field->type->name;
	if (place && field->optional)
		*(bool *)(place + field->has) = true;
	return devstate_tagged_value(reader, field->type,
				     place ? frame->it + (u32)field->at : DEVSTATE_NOWHERE);
}

/* A key of a map of which nothing is known, then its value: keys are in the order of their bytes. */
static inline int devstate_tagged_pair(struct devstate_tagged_reader *reader,
				       struct devstate_tagged_frame *frame)
{
	struct devstate_tagged_head head;
	int error = devstate_tagged_head(reader, &head);
	u32 size, least;
	int order;

	if (error)
		return error;
	if (head.word == DEVSTATE_WORD_ARRAY || head.word == DEVSTATE_WORD_MAP)
		return devstate_tagged_refuse(reader, DEVSTATE_KEY, head.at, head.number);
	size = (u32)(reader->at - head.at);
	least = size < frame->length ? size : frame->length;
	/* No value is the beginning of another one: what is equal so far is equal. */
	order = least ? memcmp(reader->data + head.at, reader->data + frame->it, least) : 1;
	if (order <= 0)
		return devstate_tagged_refuse(reader, order ? DEVSTATE_FORM : DEVSTATE_TWICE, head.at, 0);
	frame->it = (u32)head.at;
	frame->length = size;
	return devstate_tagged_any(reader);
}

static inline int devstate_tagged_element(struct devstate_tagged_reader *reader,
					  struct devstate_tagged_frame *frame)
{
	const struct devstate_tagged_type *element = frame->type->element;
	u32 it = frame->type->kind == DEVSTATE_ITEMS ? DEVSTATE_NOWHERE : frame->it;

	reader->field = frame->type->name;
	if (it != DEVSTATE_NOWHERE)
		frame->it += (u32)element->size;
	return devstate_tagged_value(reader, element, it);
}

/* The end of a map or an array. */
static inline int devstate_tagged_close(struct devstate_tagged_reader *reader,
					struct devstate_tagged_frame *frame)
{
	const struct devstate_tagged_type *type = frame->type;
	u8 *place = type ? devstate_tagged_place(reader, frame->it) : NULL;
	struct devstate_span *span;

	reader->depth--;
	if (type && type->kind == DEVSTATE_MAP) {
		int error = devstate_tagged_absent(reader, frame, DEVSTATE_TAG_MAX + 1, reader->at);

		if (error)
			return error;
		place = place ? place + type->shape->unknown : NULL;
	}
	if (!place || type->kind == DEVSTATE_ARRAY)
		return 0;
	span = (struct devstate_span *)(void *)place;
	if (type->kind == DEVSTATE_MAP && !span->count)
		span->data = NULL;
	else
		span->size = (u32)(reader->data + reader->at - span->data);
	return 0;
}

/* One value, with all that is in it. */
static noinline __maybe_unused int devstate_tagged_run(struct devstate_tagged_reader *reader,
						       const struct devstate_tagged_type *type)
{
	int error = devstate_tagged_value(reader, type, 0);

	while (!error && reader->depth) {
		struct devstate_tagged_frame *frame = &reader->stack[reader->depth - 1];

		if (!frame->left) {
			error = devstate_tagged_close(reader, frame);
			continue;
		}
		frame->left--;
		if (!frame->type)
			error = frame->index ? devstate_tagged_pair(reader, frame) : devstate_tagged_any(reader);
		else if (frame->type->kind == DEVSTATE_MAP)
			error = devstate_tagged_known(reader, frame);
		else
			error = devstate_tagged_element(reader, frame);
	}
	return error;
}

static inline void devstate_tagged_reader_init(struct devstate_tagged_reader *reader, const void *data,
					       u64 size, void *it, const char *field,
					       struct devstate_fault *fault)
{
	reader->data = data;
	reader->size = size;
	reader->at = 0;
	reader->it = it;
	reader->fault = fault;
	reader->field = field;
	reader->depth = 0;
}

/* The record that fills @data, into a struct of the shape; NULL only judges. */
static noinline __maybe_unused int devstate_tagged_read(const struct devstate_tagged_type *type,
							const void *data, u64 size, void *it,
							struct devstate_fault *fault)
{
	struct devstate_tagged_reader reader;
	int error;

	devstate_tagged_reader_init(&reader, data, size, it, type->name, fault);
	if (size > DEVSTATE_TAGGED_MAX)
		return devstate_tagged_refuse(&reader, DEVSTATE_LIMIT, 0, size);
	error = devstate_tagged_run(&reader, type);
	if (error || reader.at == size)
		return error;
	return devstate_tagged_refuse(&reader, DEVSTATE_REMAINDER, reader.at, size - reader.at);
}

/* The next element of an array, taken off @rest: 1 with one, 0 at the end, or an error. */
static noinline __maybe_unused int devstate_tagged_next(const struct devstate_tagged_type *type,
							struct devstate_span *rest, void *it,
							struct devstate_fault *fault)
{
	struct devstate_tagged_reader reader;
	int error;

	if (!rest->count)
		return 0;
	devstate_tagged_reader_init(&reader, rest->data, rest->size, it, type->name, fault);
	error = devstate_tagged_run(&reader, type->element);
	if (error)
		return error;
	rest->data += reader.at;
	rest->size -= (u32)reader.at;
	rest->count--;
	return 1;
}

#endif /* DEVSTATE_TAGGED_READ_H */
