// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Serves generated readers and writers, to be held equal to another implementation of the same layouts: over a pipe, or, with
 * -DDEVSTATE_LIBRARY, to whoever calls devstate_answer(). Numbers are little-endian on every machine.
 *
 *   request:  u32 struct, u32 verb, u32 count, u32 size, then size bytes
 *   answer:   u32 size, then size bytes
 *
 *   check   bytes of a record      -> verdict
 *   many    bytes of count records -> verdict
 *   get     bytes of a record      -> verdict, then the flat form when it is fine
 *   put     flat form              -> verdict, then the bytes that the writer gives when it is fine; count entries
 *   sweep   bytes of a record      -> a verdict for each prefix, then one for each single bit that is turned over
 *   turn    bytes of a record      -> a verdict on an array of count of them for each single bit that is turned over, bit n in the
 *                                     record n * 7919 % count
 *   go      u64 struct size, the struct, then pages for PAGE_SIZE, 2 * PAGE_SIZE, ...; count is the number of the link -> verdict
 *
 * A verdict is u32 rule, u32 at: 0, 0 when all is fine. Every buffer is allocated to the byte, for the sanitizers' sake. The
 * structs are numbered through devstate_proofs, a list of tables that ends with NULL.
 */
#include "devstate_proof.h"

#include <stdio.h>
#include <stdlib.h>

extern const struct devstate_proof *const devstate_proofs[];

u8 *devstate_answer(u32 number, u32 verb, u32 count, const u8 *data, u32 size, u32 *ret);
void devstate_answer_free(u8 *answer);

enum verb { CHECK, MANY, GET, PUT, SWEEP, GO, TURN };

struct answer {
	u8 *bytes;
	size_t size;
	size_t room;
};

static void *exact(const void *from, size_t size)
{
	void *made = calloc(size ? size : 1, 1);

	if (!made)
		abort();
	if (size && from)
		memcpy(made, from, size);
	return made;
}

static void add(struct answer *answer, const void *bytes, size_t size)
{
	if (answer->room - answer->size <= size) {
		answer->room = 2 * (answer->room + size + 1);
		answer->bytes = realloc(answer->bytes, answer->room);
		if (!answer->bytes)
			abort();
	}
	if (size)
		memcpy(answer->bytes + answer->size, bytes, size);
	answer->size += size;
}

static void add_verdict(struct answer *answer, int status, const struct devstate_fault *fault)
{
	u32 verdict[2] = { 0, 0 };

	if (status) {
		verdict[0] = cpu_to_le32((u32)fault->rule);
		verdict[1] = cpu_to_le32((u32)fault->at);
	}
	add(answer, verdict, sizeof(verdict));
}

static const struct devstate_proof *find(u32 number)
{
	for (const struct devstate_proof *const *table = devstate_proofs; *table; table++) {
		for (const struct devstate_proof *each = *table; each->name; each++) {
			if (!number--)
				return each;
		}
	}
	abort();
}

static int judge(const struct devstate_proof *proof, const void *data, size_t size, struct answer *answer)
{
	struct devstate_fault fault = { 0 };
	int status = proof->check(data, size, &fault);

	add_verdict(answer, status, &fault);
	return status;
}

static void check(const struct devstate_proof *proof, const u8 *from, size_t size, struct answer *answer)
{
	void *data = exact(from, size);

	judge(proof, data, size, answer);
	free(data);
}

static void many(const struct devstate_proof *proof, const u8 *from, size_t size, u32 count, struct answer *answer)
{
	struct devstate_fault fault = { 0 };
	void *data = exact(from, size);

	add_verdict(answer, proof->many(data, count, &fault), &fault);
	free(data);
}

static void get(const struct devstate_proof *proof, const u8 *from, size_t size, struct answer *answer)
{
	void *data = exact(from, size);
	u8 *flat, *end;

	if (!judge(proof, data, size, answer)) {
		flat = end = exact(NULL, 64 * size);
		proof->get(data, proof->count(data, size), &end);
		add(answer, flat, (size_t)(end - flat));
		free(flat);
	}
	free(data);
}

static void put(const struct devstate_proof *proof, const u8 *flat, u32 count, struct answer *answer)
{
	struct devstate_fault fault = { 0 };
	size_t size = proof->size + count * proof->stride;
	u8 *it = exact(NULL, size), *to = exact(NULL, size);
	int status;

	memset(it, 0xa5, size);
	memset(to, 0x5a, size);
	proof->put(it, count, &flat);
	status = proof->write(it, size, to, size, &fault);
	add_verdict(answer, status, &fault);
	if (!status)
		add(answer, to, size);
	free(it);
	free(to);
}

static void sweep(const struct devstate_proof *proof, const u8 *data, size_t size, struct answer *answer)
{
	u8 *turned = exact(data, size);

	for (size_t end = 0; end < size; end++)
		check(proof, data, end, answer);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		turned[bit / 8] ^= (u8)(1 << bit % 8);
		judge(proof, turned, size, answer);
		turned[bit / 8] ^= (u8)(1 << bit % 8);
	}
	free(turned);
}

static void turn(const struct devstate_proof *proof, const u8 *data, size_t size, u32 count, struct answer *answer)
{
	u8 *array = exact(NULL, count * size);

	for (size_t row = 0; row < count; row++)
		memcpy(array + row * size, data, size);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		u8 *byte = array + bit * 7919 % count * size + bit / 8;
		struct devstate_fault fault = { 0 };

		*byte ^= (u8)(1 << bit % 8);
		add_verdict(answer, proof->many(array, count, &fault), &fault);
		*byte ^= (u8)(1 << bit % 8);
	}
	free(array);
}

struct pages {
	u8 *bytes;
	u64 size;
};

static const void *at(void *context, u64 pa, u64 size)
{
	const struct pages *pages = context;

	if (pa < PAGE_SIZE || pa - PAGE_SIZE > pages->size || size > pages->size - (pa - PAGE_SIZE))
		return NULL;
	return pages->bytes + (pa - PAGE_SIZE);
}

static void go(const struct devstate_proof *proof, const u8 *data, size_t size, u32 which, struct answer *answer)
{
	struct devstate_fault fault = { 0 };
	struct pages pages;
	struct devstate_memory memory = { .at = at, .context = &pages };
	u64 own;
	void *it;

	memcpy(&own, data, sizeof(own));
	own = le64_to_cpu(own);
	it = exact(data + sizeof(own), own);
	pages.size = size - sizeof(own) - own;
	pages.bytes = aligned_alloc(PAGE_SIZE, pages.size + PAGE_SIZE - pages.size % PAGE_SIZE);
	if (!pages.bytes)
		abort();
	memcpy(pages.bytes, data + sizeof(own) + own, pages.size);
	add_verdict(answer, proof->go(it, &memory, which, &fault), &fault);
	free(it);
	free(pages.bytes);
}

/* The answer to one request, *ret bytes, until devstate_answer_free(). */
u8 *devstate_answer(u32 number, u32 verb, u32 count, const u8 *data, u32 size, u32 *ret)
{
	const struct devstate_proof *proof = find(number);
	struct answer answer = { 0 };

	add(&answer, NULL, 0);
	switch (verb) {
	case CHECK:
		check(proof, data, size, &answer);
		break;
	case MANY:
		many(proof, data, size, count, &answer);
		break;
	case GET:
		get(proof, data, size, &answer);
		break;
	case PUT:
		put(proof, data, count, &answer);
		break;
	case SWEEP:
		sweep(proof, data, size, &answer);
		break;
	case GO:
		go(proof, data, size, count, &answer);
		break;
	case TURN:
		turn(proof, data, size, count, &answer);
		break;
	default:
		abort();
	}
	*ret = (u32)answer.size;
	return answer.bytes;
}

void devstate_answer_free(u8 *answer)
{
	free(answer);
}

#ifndef DEVSTATE_LIBRARY
int main(void)
{
	u32 head[4];

	while (fread(head, sizeof(head), 1, stdin) == 1) {
		u32 size = le32_to_cpu(head[3]), given, shown;
		u8 *data = exact(NULL, size), *answer;

		if (size && fread(data, size, 1, stdin) != 1)
			abort();
		answer = devstate_answer(le32_to_cpu(head[0]), le32_to_cpu(head[1]), le32_to_cpu(head[2]), data, size, &given);
		shown = cpu_to_le32(given);
		fwrite(&shown, sizeof(shown), 1, stdout);
		if (given)
			fwrite(answer, 1, given, stdout);
		fflush(stdout);
		devstate_answer_free(answer);
		free(data);
	}
	return 0;
}
#endif
