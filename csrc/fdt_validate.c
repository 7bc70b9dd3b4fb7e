// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A flattened devicetree, judged in one pass: the verdict of devstate/fdt/reader.py, with the same first fault at the same place.
 *
 * The scratch memory holds, one after the other:
 *
 *   ids        u16 for each byte of the strings block: which name starts there, 0 for none that a property uses
 *   names      the different names of properties, and the node that used each last: that is how a second use is seen
 *   children   (hash, offset) of the nodes that are open or whose parent is: a stack, the children of one node lie together
 *   slots      a hash table of the children of one node, at its end
 */
#include "fdt.h"

#define BEGIN_NODE 1
#define END_NODE 2
#define PROP 3
#define NOP 4
#define END 9
#define PROPERTY_HEAD 12
#define SMALLEST_NODE 12	/* begin with a one-letter name, and end */

#define NAME_HEADS 1024

struct name {
	uint32_t offset;
	uint32_t hash;
	uint32_t node;		/* the last one that has it */
	uint16_t next;		/* of the same head */
};

struct frame {
	uint32_t offset;
	uint32_t number;
	uint32_t properties;
	uint32_t children;	/* where they start in the stack */
};

struct validation {
	const uint8_t *blob;
	uint32_t end;		/* of the structure block */
	uint32_t strings;
	uint32_t strings_size;
	uint32_t offsets;	/* different places of names */
	uint32_t known;		/* different names */
	uint16_t *ids;
	struct name *names;
	uint16_t *heads;
	struct fdt_child *children;
	uint32_t *slots;
	struct ds_fdt_verdict *verdict;
};

/* ---- names ---- */

#define BYTES(value) (UINT64_C(0x0101010101010101) * (value))

/* The lowest bit that is set is the highest bit of the lowest zero byte; bits above it may be wrong. */
static inline uint64_t zero_bytes(uint64_t word)
{
	return (word - BYTES(1)) & ~word & BYTES(0x80);
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

struct text {
	uint32_t size;		/* without the NUL */
	uint32_t hash;
	bool slash;
};

/* The text at a place, which ends before limit; false when it does not. Up to limit everything can be read. */
static inline bool read_text(const uint8_t *at, uint32_t limit, struct text *ret)
{
	uint64_t hash = 0, slash = 0, word, zeros;
	uint32_t size = 0;

	for (;; size += 8) {
		uint64_t inside;

		if (limit - size >= 8) {
			word = load64_le(at + size);
		} else {
			/* Ones, which are no NUL, behind the limit. */
			word = ~UINT64_C(0);
			for (uint32_t i = limit - size; i--;)
				word = word << 8 | at[size + i];
		}
		zeros = zero_bytes(word);
		inside = ((zeros & -zeros) >> 7) - 1;
		slash |= zero_bytes(word ^ BYTES('/')) & inside;
		if (zeros) {
			ret->hash = (uint32_t)mix(hash, word & inside);
			break;
		}
		if (limit - size <= 8)
			return false;
		hash = mix(hash, word);
	}
	ret->size = size + (uint32_t)__builtin_ctzll(zeros) / 8;
	ret->slash = slash;
	return true;
}

/* The number of the name that a property at pos has at a place which no property had so far; 0 and a fault when it is none. */
static uint16_t learn(struct validation *v, uint32_t place, uint32_t pos)
{
	uint32_t left = place < v->strings_size ? v->strings_size - place : 0, offset = v->strings + place;
	struct text text;
	uint16_t id, *head;

	if (v->offsets >= DS_FDT_MAX_PROPERTY_NAMES)
		return fdt_fault(v->verdict, DS_FDT_LIMIT, pos);
	v->offsets++;
	if (!left || !read_text(v->blob + offset, left <= DS_FDT_MAX_NAME ? left : DS_FDT_MAX_NAME + 1, &text))
		return fdt_fault(v->verdict, left > DS_FDT_MAX_NAME ? DS_FDT_LIMIT : DS_FDT_NAME, pos + 8);
	if (!text.size)
		return fdt_fault(v->verdict, DS_FDT_EMPTY_NAME, pos);
	if (text.slash)
		return fdt_fault(v->verdict, DS_FDT_SLASH_IN_NAME, pos);
	head = &v->heads[text.hash % NAME_HEADS];
	for (id = *head; id; id = v->names[id].next)
		if (v->names[id].hash == text.hash && !strcmp((const char *)v->blob + v->names[id].offset, (const char *)v->blob + offset))
			return v->ids[place] = id;
	id = (uint16_t)++v->known;
	v->names[id] = (struct name){ .offset = offset, .hash = text.hash, .next = *head };
	*head = id;
	return v->ids[place] = id;
}

/* ---- the structure block ---- */

/* Whether the node of a frame has this name among the properties before its first child. */
static bool has_property(const struct validation *v, const struct frame *frame, uint16_t id)
{
	uint32_t at = frame->offset + 4, token;

	at += (uint32_t)strlen((const char *)v->blob + at) + 1;
	for (at += -at & 3; (token = load32_be(v->blob + at)) != BEGIN_NODE; at += 4) {
		if (token != PROP)
			continue;
		if (v->ids[load32_be(v->blob + at + 8)] == id)
			return true;
		at += PROPERTY_HEAD - 4 + ((load32_be(v->blob + at + 4) + 3) & ~3u);
	}
	return false;
}

/* The name of a node that begins at pos: false and a fault when it cannot be one. */
static inline bool node_name(struct validation *v, uint32_t depth, uint32_t pos, struct text *ret)
{
	uint32_t left = v->end - pos - 4;

	if (depth >= DS_FDT_MAX_DEPTH || v->verdict->nodes > DS_FDT_MAX_NODES)
		return fdt_fault(v->verdict, DS_FDT_LIMIT, pos);
	if (!left || !read_text(v->blob + pos + 4, left <= DS_FDT_MAX_NAME ? left : DS_FDT_MAX_NAME + 1, ret))
		return fdt_fault(v->verdict, left > DS_FDT_MAX_NAME ? DS_FDT_LIMIT : DS_FDT_NAME, pos + 4);
	if (depth && !ret->size)
		return fdt_fault(v->verdict, DS_FDT_EMPTY_NAME, pos);
	if (depth && ret->slash)
		return fdt_fault(v->verdict, DS_FDT_SLASH_IN_NAME, pos);
	if (!depth && ret->size)
		return fdt_fault(v->verdict, DS_FDT_NAME, pos + 4);
	return true;
}

/* At the end of a node, at pos: the names of its children, the properties of all nodes that have ended. */
static inline bool check_whole(struct validation *v, const struct frame *frame, uint32_t children, uint32_t pos)
{
	uint32_t second;

	v->verdict->properties += frame->properties;
	if (v->verdict->properties > DS_FDT_MAX_PROPERTIES)
		return fdt_fault(v->verdict, DS_FDT_LIMIT, pos);
	if (children < 2)
		return true;
	second = fdt_second_child(v->blob, v->children + frame->children, children, v->slots);
	return !second || fdt_fault(v->verdict, DS_FDT_DUPLICATE_NODE, second);
}

/* The bytes of a property at pos, in a node; 0 and a fault when it cannot be there. after: the node has children already. */
static inline uint32_t check_property(struct validation *v, const struct frame *frame, bool after, uint32_t pos)
{
	uint32_t left = v->end - pos, place;
	uint64_t size;
	uint16_t id;

	if (left < PROPERTY_HEAD)
		return fdt_fault(v->verdict, DS_FDT_PROPERTY, pos);
	place = load32_be(v->blob + pos + 8);
	id = place < v->strings_size ? v->ids[place] : 0;
	if (!id && !(id = learn(v, place, pos)))
		return 0;
	size = PROPERTY_HEAD + (((uint64_t)load32_be(v->blob + pos + 4) + 3) & ~UINT64_C(3));
	if (size > left)
		return fdt_fault(v->verdict, DS_FDT_PROPERTY, pos);
	if (after)
		return fdt_fault(v->verdict, has_property(v, frame, id) ? DS_FDT_DUPLICATE_PROPERTY : DS_FDT_PROPERTY_AFTER_SUBNODE, pos);
	if (v->names[id].node == frame->number)
		return fdt_fault(v->verdict, DS_FDT_DUPLICATE_PROPERTY, pos);
	v->names[id].node = frame->number;
	return (uint32_t)size;
}

/* Whatever is neither the next part of a node nor of the tree. */
static bool odd_token(struct validation *v, uint32_t token, bool inside, uint32_t pos)
{
	if (inside || (token != PROP && token != END))
		return fdt_fault(v->verdict, DS_FDT_TOKEN, pos);
	if (token == END)
		return fdt_fault(v->verdict, DS_FDT_NO_ROOT, pos);
	return fdt_fault(v->verdict, v->end - pos < PROPERTY_HEAD ? DS_FDT_PROPERTY : DS_FDT_STRAY_PROPERTY, pos);
}

static bool finish(struct validation *v, uint32_t pos)
{
	if (pos > v->end || v->end - pos < 4 || load32_be(v->blob + pos) != END)
		return fdt_fault(v->verdict, DS_FDT_TOKEN, pos);
	return v->end - pos == 4 || fdt_fault(v->verdict, DS_FDT_TRAILING_STRUCT, pos + 4);
}

static bool check_structure(struct validation *v, uint32_t start)
{
	struct frame frames[DS_FDT_MAX_DEPTH + 1], *frame = frames;
	struct ds_fdt_verdict *verdict = v->verdict;
	const uint8_t *blob = v->blob;
	uint32_t pos = start, end = v->end, stack = 0;

	frames[0] = (struct frame){ 0 };
	for (;;) {
		uint32_t token, step;
		struct text text;

		if (pos > end || end - pos < 4)
			return fdt_fault(verdict, DS_FDT_TOKEN, pos < end ? pos : end);
		token = load32_be(blob + pos);
		if (token == PROP && frame != frames) {
			step = check_property(v, frame, stack != frame->children, pos);
			if (!step)
				return false;
			frame->properties++;
			pos += step;
		} else if (token == BEGIN_NODE) {
			verdict->nodes++;
			if (!node_name(v, (uint32_t)(frame - frames), pos, &text))
				return false;
			if (frame == frames && pos != start)
				return fdt_fault(verdict, DS_FDT_ROOT_NOT_FIRST, pos);
			v->children[stack++] = (struct fdt_child){ .hash = text.hash, .offset = pos };
			*++frame = (struct frame){ .offset = pos, .number = (uint32_t)verdict->nodes, .children = stack };
			pos = (pos + 4 + text.size + 4) & ~3u;
		} else if (token == END_NODE && frame != frames) {
			pos += 4;
			if (!check_whole(v, frame, stack - frame->children, pos))
				return false;
			stack = frame->children;
			if (--frame == frames)
				return finish(v, pos);
		} else if (token == NOP) {
			pos += 4;
		} else {
			return odd_token(v, token, frame != frames, pos);
		}
	}
}

/* ---- all of it ---- */

/* Where the parts of the scratch memory start, and what they take together. */
struct room {
	size_t heads, children, slots, ids, total;
};

static size_t round_up(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static struct room lay_out(size_t strings_size, size_t structure_size)
{
	size_t nodes = structure_size / SMALLEST_NODE + DS_FDT_MAX_DEPTH, slots = 1;
	struct room room;

	nodes = nodes < DS_FDT_MAX_NODES ? nodes : DS_FDT_MAX_NODES;
	while (slots < 4 * nodes)
		slots *= 2;
	room.heads = round_up((DS_FDT_MAX_PROPERTY_NAMES + 1) * sizeof(struct name));
	room.children = room.heads + round_up(NAME_HEADS * sizeof(uint16_t));
	room.slots = room.children + round_up(nodes * sizeof(struct fdt_child));
	room.ids = room.slots + round_up(slots * sizeof(uint32_t));
	room.total = room.ids + round_up(strings_size * sizeof(uint16_t));
	return room;
}

size_t ds_fdt_scratch(size_t size)
{
	size = size < DS_FDT_MAX_SIZE ? size : DS_FDT_MAX_SIZE;
	return lay_out(size, size).total;
}

int ds_fdt_validate(const void *blob, size_t size, void *scratch, size_t scratch_size, struct ds_fdt_verdict *ret)
{
	struct validation v = { .blob = blob, .verdict = ret };
	struct fdt_header head;
	struct room room;

	memset(ret, 0, sizeof(*ret));
	if (!fdt_header_check(blob, size, &head, ret))
		return DS_OK;
	room = lay_out(head.strings_size, head.structure_size);
	if (room.total > scratch_size)
		return DS_ESPACE;
	v.end = head.structure + head.structure_size;
	v.strings = head.strings;
	v.strings_size = head.strings_size;
	v.names = scratch;
	v.heads = (void *)((uint8_t *)scratch + room.heads);
	v.children = (void *)((uint8_t *)scratch + room.children);
	v.slots = (void *)((uint8_t *)scratch + room.slots);
	v.ids = (void *)((uint8_t *)scratch + room.ids);
	memset(v.heads, 0, NAME_HEADS * sizeof(*v.heads));
	memset(v.ids, 0, head.strings_size * sizeof(*v.ids));
	check_structure(&v, head.structure);
	return DS_OK;
}
