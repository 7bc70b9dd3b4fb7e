// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Serves generated readers and writers of tagged maps, as prove.c does those of packed records.
 *
 *   request:  u32 struct, u32 verb, u32 0, u32 size, then size bytes
 *   answer:   u32 size, then size bytes
 *
 *   check     bytes of a record -> verdict
 *   get       bytes of a record -> verdict, then the flat form when it is fine
 *   put       flat form         -> verdict, then the bytes that the writer gives when it is fine
 *   rewrite   bytes of a record -> verdict, then the bytes that the writer gives for what was read
 *   sweep     bytes of a record -> a verdict for each prefix, then one for each single bit that is turned over
 *
 * A verdict is u32 rule, u32 at: 0, 0 when all is fine. Every buffer is allocated to the byte, for the sanitizers' sake.
 */
#include "devstate_tagged_proof.h"

#include <stdio.h>

/* The flat form of a record has at most so many times its bytes, and what fields that are absent mean. */
#define FLAT_TIMES 32

extern const struct devstate_tagged_proof *const devstate_tagged_proofs[];

u8 *devstate_answer(u32 number, u32 verb, u32 count, const u8 *data, u32 size, u32 *ret);
void devstate_answer_free(u8 *answer);

enum verb { CHECK, GET, PUT, REWRITE, SWEEP };

struct answer {
	u8 *bytes;
	u64 size;
};

static void add_verdict(struct answer *answer, int error, const struct devstate_fault *fault)
{
	u32 rule = error ? (u32)fault->rule : 0, at = error ? (u32)fault->at : 0;
	u32 verdict[2] = { cpu_to_le32(rule), cpu_to_le32(at) };

	memcpy(answer->bytes + answer->size, verdict, sizeof(verdict));
	answer->size += sizeof(verdict);
}

/* The writer wants no less room than the record has, and takes no more. */
static void write_out(const struct devstate_tagged_proof *proof, const void *it, struct answer *answer)
{
	struct devstate_fault fault = { 0 };
	u8 *to = devstate_exact(NULL, DEVSTATE_TAGGED_MAX), *again;
	u64 size = 0, size_again = 0;
	int error = proof->write(it, to, DEVSTATE_TAGGED_MAX, &fault, &size);

	add_verdict(answer, error, &fault);
	if (!error) {
		again = devstate_exact(NULL, size);
		if (proof->write(it, again, size, NULL, &size_again) || size != size_again || memcmp(to, again, size))
			abort();
		if (proof->write(it, again, size - 1, NULL, &size_again) != -ENOSPC)
			abort();
		memcpy(answer->bytes + answer->size, to, size);
		answer->size += size;
		free(again);
	}
	free(to);
}

static void check(const struct devstate_tagged_proof *proof, const u8 *data, u64 size, struct answer *answer)
{
	struct devstate_fault fault = { 0 }, other = { 0 };
	u8 *held = devstate_exact(data, size), *it = devstate_exact(NULL, proof->size);
	int error = proof->check(held, size, &fault);

	if (proof->read(held, size, &other, it) != error || fault.rule != other.rule || fault.at != other.at)
		abort();
	add_verdict(answer, error, &fault);
	free(held);
	free(it);
}

static void get(const struct devstate_tagged_proof *proof, const u8 *data, u64 size, bool rewrite, struct answer *answer)
{
	struct devstate_fault fault = { 0 };
	u8 *held = devstate_exact(data, size), *it = devstate_exact(NULL, proof->size);
	int error = proof->read(held, size, &fault, it);

	if (error || !rewrite)
		add_verdict(answer, error, &fault);
	if (!error && rewrite) {
		write_out(proof, it, answer);
	} else if (!error) {
		struct devstate_flat flat = { .at = answer->bytes + answer->size };

		proof->get(it, &flat);
		answer->size = (u64)(flat.at - answer->bytes);
	}
	free(held);
	free(it);
}

static void put(const struct devstate_tagged_proof *proof, const u8 *data, u64 size, struct answer *answer)
{
	u8 *held = devstate_exact(data, size), *it = devstate_exact(NULL, proof->size);
	struct devstate_flat flat = { .at = held, .room = devstate_exact(NULL, DEVSTATE_TAGGED_MAX) };

	proof->put(it, &flat);
	if (flat.error || flat.at != held + size)
		abort();
	write_out(proof, it, answer);
	free(flat.room);
	free(held);
	free(it);
}

static void sweep(const struct devstate_tagged_proof *proof, const u8 *data, u64 size, struct answer *answer)
{
	u8 *turned;

	for (u64 end = 0; end < size; end++)
		check(proof, data, end, answer);
	turned = devstate_exact(data, size);
	for (u64 bit = 0; bit < 8 * size; bit++) {
		turned[bit / 8] ^= (u8)(1U << bit % 8);
		check(proof, turned, size, answer);
		turned[bit / 8] ^= (u8)(1U << bit % 8);
	}
	free(turned);
}

static const struct devstate_tagged_proof *find(u32 number)
{
	for (u32 format = 0; devstate_tagged_proofs[format]; format++) {
		for (const struct devstate_tagged_proof *proof = devstate_tagged_proofs[format]; proof->name; proof++) {
			if (!number--)
				return proof;
		}
	}
	abort();
}

/* The answer to one request, *ret bytes, until devstate_answer_free(). */
u8 *devstate_answer(u32 number, u32 verb, u32 count, const u8 *data, u32 size, u32 *ret)
{
	const struct devstate_tagged_proof *proof = find(number);
	struct answer answer = { 0 };

	(void)count;
	answer.bytes = devstate_exact(NULL, FLAT_TIMES * ((u64)size + proof->size) + 9 * 8 * (u64)size + 16);
	switch (verb) {
	case CHECK:
		check(proof, data, size, &answer);
		break;
	case GET:
	case REWRITE:
		get(proof, data, size, verb == REWRITE, &answer);
		break;
	case PUT:
		put(proof, data, size, &answer);
		break;
	case SWEEP:
		sweep(proof, data, size, &answer);
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
		u8 *data = devstate_exact(NULL, size), *answer;

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
