// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A driver of examples/drivers/passthrough.py at its two ends, in user space: the old kernel freezes a function that a guest has; the
 * new one judges what it was given, holds it against what the device itself says, and only then routes its interrupts. Where the two
 * differ it gives up the function, not the guest.
 *
 *   cc -I examples/drivers/generated examples/drivers/passthrough_client.c
 *      examples/drivers/generated/example_function_v2_codec.c
 */
#include "example_function_v2_codec.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMORY_PA 0x100000ULL
#define PAGES 2
#define VECTORS 3

static _Alignas(PAGE_SIZE) u8 memory[PAGES * PAGE_SIZE];

/* The config space of the device, which nobody writes while the kernel is exchanged. */
static const u8 device[64] = { 0xf4, 0x1a, 0x41, 0x10, 0x06, 0x04 };

/* What a kernel does with phys_to_virt(), once it knows that all of it was handed over. */
static const void *memory_at(void *context, u64 pa, u64 size)
{
	(void)context;
	if (pa < MEMORY_PA || pa - MEMORY_PA > sizeof(memory) || size > sizeof(memory) - (pa - MEMORY_PA))
		return NULL;
	return memory + (pa - MEMORY_PA);
}

/* The old kernel: two BARs, three vectors, of which one is masked and waits. */
static void freeze(void)
{
	struct example_function_state state = {
		.segment = 0, .bdf = 0x0300, .iommufd = 7, .nr_vectors = VECTORS, .vectors.pa = MEMORY_PA + PAGE_SIZE,
		.flags = EXAMPLE_FUNCTION_V2_EXAMPLE_FUNCTION_STATE_FLAGS_BUS_MASTER | EXAMPLE_FUNCTION_V2_EXAMPLE_FUNCTION_STATE_FLAGS_MSIX,
		.bars = {
			{ .address = 0xfebd0000, .size = 0x4000, .mapped = 1 },
			{ .address = 0xfe000000, .size = 0x100000, .flags = EXAMPLE_FUNCTION_V2_EXAMPLE_BAR_FLAGS_WIDE },
		},
		.pasid = 42, .reset = EXAMPLE_FUNCTION_V2_EXAMPLE_FUNCTION_STATE_RESET_FUNCTION,
	};
	struct devstate_fault fault = { 0 };
	int error = 0;

	memcpy(state.config, device, sizeof(device));
	for (u32 i = 0; i < VECTORS && !error; i++) {
		struct example_vector vector = { .address = 0xfee00000, .data = 0x41 + i, .gsi = 24 + i };

		if (i == 2) {
			vector.control = EXAMPLE_FUNCTION_V2_EXAMPLE_VECTOR_CONTROL_MASKED;
			vector.pending = 1;
		}
		error = example_function_v2_write_example_vector(&vector, memory + PAGE_SIZE + i * sizeof(vector), sizeof(vector), &fault);
	}
	if (!error)
		error = example_function_v2_write_example_function_state(&state, memory, PAGE_SIZE, &fault);
	if (error) {
		printf("not frozen: %s is %llu\n", fault.field, (unsigned long long)fault.found);
		exit(1);
	}
}

static int take_vector(void *context, const struct example_vector *vector)
{
	u32 *number = context;

	printf("vector %u: data %#x to gsi %u%s\n", (*number)++, vector->data, vector->gsi, vector->pending ? ", waits" : "");
	return 0;
}

/* The new kernel. All or nothing: it walks once to judge, then to take. */
static int resume(struct devstate_fault *fault)
{
	const struct devstate_memory access = { .at = memory_at };
	const struct example_function_state *state = memory_at(NULL, MEMORY_PA, sizeof(*state));
	u32 number = 0;
	int error;

	if (!state)
		return devstate_refuse(fault, DEVSTATE_MEMORY, 0, MEMORY_PA, "state");
	error = example_function_v2_check_example_function_state(state, sizeof(*state), fault);
	if (!error)
		error = example_function_v2_walk_example_function_state_vectors(state, &access, NULL, NULL, fault);
	if (error)
		return error;
	for (u32 i = 0; i < sizeof(device); i++) {
		if (state->config[i] != device[i])
			return devstate_refuse(fault, DEVSTATE_MUST, offsetof(struct example_function_state, config) + i,
					       state->config[i], "config");
	}
	printf("function %04x:%02x:%02x.%x of the guest's file %llu, pasid %u\n", state->segment, state->bdf >> 8, state->bdf >> 3 & 31,
	       state->bdf & 7, (unsigned long long)state->iommufd, state->pasid);
	for (u32 i = 0; i < 6; i++) {
		if (state->bars[i].address)
			printf("bar %u: %#llx\n", i, (unsigned long long)state->bars[i].address);
	}
	return example_function_v2_walk_example_function_state_vectors(state, &access, take_vector, &number, fault);
}

/* With an argument, the byte of that number is damaged on the way: the function is given up, and nothing is taken. */
int main(int argc, char **argv)
{
	struct devstate_fault fault = { 0 };
	int error;

	freeze();
	if (argc > 1)
		memory[strtoul(argv[1], NULL, 0) % sizeof(memory)] ^= 0xff;
	error = resume(&fault);
	if (error)
		printf("given up: %s is %llu (rule %d, error %d)\n", fault.field, (unsigned long long)fault.found, fault.rule, error);
	return 0;
}
