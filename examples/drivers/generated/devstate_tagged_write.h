/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Structs to tagged maps: known fields and those that were not known when they were read, by their tags.
 * What was written is read again before it counts.
 */
#ifndef DEVSTATE_TAGGED_WRITE_H
#define DEVSTATE_TAGGED_WRITE_H

#include "devstate_tagged_read.h"

struct devstate_tagged_writer {
	u8 *to;
	u64 room;
	u64 at;
};

static inline int devstate_tagged_put(struct devstate_tagged_writer *writer, const void *from, u64 size)
{
	if (size > writer->room - writer->at)
		return -ENOSPC;
	if (size)
		memcpy(writer->to + writer->at, from, size);
	writer->at += size;
	return 0;
}

/* @first, then the last @size bytes of a number, highest first. */
static inline int devstate_tagged_put_wide(struct devstate_tagged_writer *writer, u32 first, u64 number,
					   u32 size)
{
	u8 made[9] = { (u8)first };

	for (u32 i = 0; i < size; i++)
		made[1 + i] = (u8)(number >> 8 * (size - 1 - i));
	return devstate_tagged_put(writer, made, 1 + size);
}

/* The head of a map, an array or bytes: in one byte up to @most, else @wide and two, or four. */
static inline int devstate_tagged_put_head(struct devstate_tagged_writer *writer, u32 fixed, u64 most,
					   u32 wide, u64 count)
{
	if (count < most)
		return devstate_tagged_put_wide(writer, fixed | (u32)count, 0, 0);
	if (count < 0x10000)
		return devstate_tagged_put_wide(writer, wide, count, 2);
	return devstate_tagged_put_wide(writer, wide + 1, count, 4);
}

static inline int devstate_tagged_put_bytes(struct devstate_tagged_writer *writer, const u8 *it, u64 size)
{
	int error = size < 0x100 ? devstate_tagged_put_wide(writer, 0xc4, size, 1) :
				   devstate_tagged_put_head(writer, 0, 0, 0xc5, size);

	return error ? error : devstate_tagged_put(writer, it, size);
}

static inline int devstate_tagged_put_number(struct devstate_tagged_writer *writer, u64 number,
					     bool is_signed)
{
	bool negative = is_signed && (s64)number < 0;
	u64 bits = negative ? ~number : number;
	u32 step = 0;

	if (bits < (negative ? 32 : 128))
		return devstate_tagged_put_wide(writer, (u8)number, 0, 0);
	while (step < 3 && bits >> ((8U << step) - negative))
		step++;
	return devstate_tagged_put_wide(writer, (negative ? 0xd0 : 0xcc) + step, number, 1U << step);
}

/*
 * A struct or an array that is being written: @left counts fields or elements, @at is how far the
 * fields that are not known have come.
 */
struct devstate_tagged_part {
	const struct devstate_tagged_type *type;
	const u8 *it;
	u32 left;
	u32 at;
};

struct devstate_tagged_stack {
	struct devstate_tagged_writer *writer;
	struct devstate_fault *fault;
	u32 depth;
	struct devstate_tagged_part parts[DEVSTATE_DEPTH_MAX];
};

static inline const struct devstate_span *devstate_tagged_span(const u8 *it)
{
	return (const struct devstate_span *)(const void *)it;
}

static inline u64 devstate_tagged_count(const struct devstate_tagged_shape *shape, const u8 *it)
{
	u64 count = devstate_tagged_span(it + shape->unknown)->count;

	for (u32 i = 0; i < shape->nr_fields; i++)
		count += !shape->fields[i].optional || *(const bool *)(it + shape->fields[i].has);
	return count;
}

static inline int devstate_tagged_push(struct devstate_tagged_stack *stack,
				       const struct devstate_tagged_type *type, const u8 *it)
{
	struct devstate_tagged_writer *writer = stack->writer;
	bool is_map = type->kind == DEVSTATE_MAP;
	struct devstate_tagged_part *part;

	if (stack->depth == DEVSTATE_DEPTH_MAX)
		return devstate_refuse(stack->fault, DEVSTATE_LIMIT, writer->at, stack->depth + 1, type->name);
	part = &stack->parts[stack->depth++];
	part->type = type;
	part->it = it;
	part->left = is_map ? type->shape->nr_fields : (u32)type->count;
	part->at = 0;
	if (is_map)
		return devstate_tagged_put_head(writer, 0x80, 16, 0xde, devstate_tagged_count(type->shape, it));
	return devstate_tagged_put_head(writer, 0x90, 16, 0xdc, type->count);
}

static inline int devstate_tagged_put_value(struct devstate_tagged_stack *stack,
					    const struct devstate_tagged_type *type, const u8 *it)
{
	struct devstate_tagged_writer *writer = stack->writer;
	const struct devstate_span *span;
	const u8 *end;
	u64 number;
	int error;

	switch (type->kind) {
	case DEVSTATE_NUMBER:
		number = devstate_tagged_load(it, type->size, type->is_signed);
		return devstate_tagged_put_number(writer, number, type->is_signed);
	case DEVSTATE_BYTES:
		return devstate_tagged_put_bytes(writer, it, type->size);
	case DEVSTATE_CHARS:
		end = type->size ? memchr(it, 0, type->size) : NULL;
		return devstate_tagged_put_bytes(writer, it, end ? (u64)(end - it) : type->size);
	case DEVSTATE_ITEMS:
		span = devstate_tagged_span(it);
		error = devstate_tagged_put_head(writer, 0x90, 16, 0xdc, span->count);
		return error ? error : devstate_tagged_put(writer, span->data, span->size);
	default:
		return devstate_tagged_push(stack, type, it);
	}
}

/* Behind one value: only its bytes count here, what is written is judged as a whole. */
static inline int devstate_tagged_skip(struct devstate_tagged_reader *reader)
{
	for (u64 left = 1; left; left--) {
		struct devstate_tagged_head head;
		int error = devstate_tagged_head(reader, &head);

		if (error)
			return error;
		if (head.word == DEVSTATE_WORD_ARRAY)
			left += head.number;
		else if (head.word == DEVSTATE_WORD_MAP)
			left += 2 * head.number;
	}
	return 0;
}

/* The fields that are not known, up to the tag @below; @before is the known one that was before. */
static noinline __maybe_unused int devstate_tagged_put_unknown(struct devstate_tagged_stack *stack,
							       struct devstate_tagged_part *part,
							       u64 before, u64 below)
{
	const struct devstate_tagged_shape *shape = part->type->shape;
	const struct devstate_span *span = devstate_tagged_span(part->it + shape->unknown);
	struct devstate_tagged_reader reader;
	struct devstate_tagged_head head;

	devstate_tagged_reader_init(&reader, span->data, span->size, NULL, shape->name, stack->fault);
	reader.at = part->at;
	while (reader.at < span->size) {
		int error = devstate_tagged_tag(&reader, &head);

		if (error)
			return error;
		if (head.number >= below)
			break;
		error = devstate_tagged_skip(&reader);
		if (!error && head.number != before)
			error = devstate_tagged_put(stack->writer, span->data + head.at, reader.at - head.at);
		if (error)
			return error;
		part->at = (u32)reader.at;
	}
	return 0;
}

/* The next field of a struct, with what comes before it. */
static inline int devstate_tagged_put_field(struct devstate_tagged_stack *stack,
					    struct devstate_tagged_part *part)
{
	const struct devstate_tagged_shape *shape = part->type->shape;
	u32 index = shape->nr_fields - part->left;
	u64 before = index ? shape->fields[index - 1].tag : 0;
	const struct devstate_tagged_field *field;
	int error;

	if (!part->left) {
		stack->depth--;
		return devstate_tagged_put_unknown(stack, part, before, DEVSTATE_TAG_MAX + 1);
	}
	field = &shape->fields[index];
	error = devstate_tagged_put_unknown(stack, part, before, field->tag);
	part->left--;
	if (error || (field->optional && !*(const bool *)(part->it + field->has)))
		return error;
	error = devstate_tagged_put_number(stack->writer, field->tag, false);
	return error ? error : devstate_tagged_put_value(stack, field->type, part->it + field->at);
}

static noinline __maybe_unused int devstate_tagged_put_all(struct devstate_tagged_writer *writer,
							   const struct devstate_tagged_type *type,
							   const void *it, struct devstate_fault *fault)
{
	struct devstate_tagged_stack stack;
	int error;

	stack.writer = writer;
	stack.fault = fault;
	stack.depth = 0;
	error = devstate_tagged_put_value(&stack, type, it);
	while (!error && stack.depth) {
		struct devstate_tagged_part *part = &stack.parts[stack.depth - 1];

		if (part->type->kind == DEVSTATE_MAP) {
			error = devstate_tagged_put_field(&stack, part);
		} else if (!part->left) {
			stack.depth--;
		} else {
			part->left--;
			part->it += part->type->element->size;
			error = devstate_tagged_put_value(&stack, part->type->element,
							  part->it - part->type->element->size);
		}
	}
	return error;
}

/* A struct as a record. What is written is judged: after an error nothing at @to is of use. */
static __maybe_unused int devstate_tagged_write(const struct devstate_tagged_type *type, const void *it,
						void *to, u64 room, struct devstate_fault *fault, u64 *ret)
{
	struct devstate_tagged_writer writer = { .to = to, .room = room };
	int error = devstate_tagged_put_all(&writer, type, it, fault);

	if (!error)
		error = devstate_tagged_read(type, to, writer.at, NULL, fault);
	if (!error)
		*ret = writer.at;
	return error;
}

/* One element more in an array whose bytes are at @to. */
static __maybe_unused int devstate_tagged_add(const struct devstate_tagged_type *type,
					      struct devstate_span *items, void *to, u64 room,
					      const void *it, struct devstate_fault *fault)
{
	u64 most = room < DEVSTATE_TAGGED_MAX ? room : DEVSTATE_TAGGED_MAX;
	struct devstate_tagged_writer writer = { .to = to, .room = most, .at = items->size };
	struct devstate_span made = { .count = 1 };
	int error;

	if (items->size > most)
		return -ENOSPC;
	error = devstate_tagged_put_all(&writer, type->element, it, fault);
	if (error)
		return error;
	made.data = writer.to + items->size;
	made.size = (u32)(writer.at - items->size);
	error = devstate_tagged_next(type, &made, NULL, fault);
	if (error < 0)
		return error;
	items->data = to;
	items->size = (u32)writer.at;
	items->count++;
	return 0;
}

#endif /* DEVSTATE_TAGGED_WRITE_H */
