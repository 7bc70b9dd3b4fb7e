// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A driver of examples/drivers/controller.py at its two ends, in user space: the old kernel freezes a controller into
 * memory, the new one believes nothing of it before it was judged. Memory is a few pages that both kernels see.
 *
 *   cc -I examples/drivers/generated examples/drivers/controller_client.c
 *      examples/drivers/generated/example_controller_v2_codec.c
 */
#include "example_controller_v2_codec.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMORY_PA 0x100000ULL
#define PAGES 4

static _Alignas(PAGE_SIZE) u8 memory[PAGES * PAGE_SIZE];

/* What a kernel does with phys_to_virt(), once it knows that all of it was handed over. */
static const void *memory_at(void *context, u64 pa, u64 size)
{
	(void)context;
	if (pa < MEMORY_PA || pa - MEMORY_PA > sizeof(memory) || size > sizeof(memory) - (pa - MEMORY_PA))
		return NULL;
	return memory + (pa - MEMORY_PA);
}

/* The old kernel: one queue, two commands that the device has not completed. Gives the address of the state. */
static u64 freeze(void)
{
	struct example_queue queue = {
		.submissions.pa = 0x200000, .completions.pa = 0x201000, .entries = 64, .number = 0, .vector = 3,
		.head = 7, .tail = 9, .phase = 1, .flags = EXAMPLE_CONTROLLER_V2_EXAMPLE_QUEUE_FLAGS_INTERRUPT,
	};
	struct example_command commands[] = {
		{ .identifier = 7, .opcode = EXAMPLE_CONTROLLER_V2_EXAMPLE_COMMAND_OPCODE_READ, .blocks = 7,
		  .left_ms = 29000, .first = 4096, .data.pa = 0x300000 },
		{ .identifier = 8, .opcode = EXAMPLE_CONTROLLER_V2_EXAMPLE_COMMAND_OPCODE_FLUSH, .left_ms = 29990 },
	};
	struct example_controller_state state = {
		.configuration = 0x460001, .status = EXAMPLE_CONTROLLER_V2_EXAMPLE_CONTROLLER_STATE_STATUS_READY,
		.doorbell_stride = 4, .nr_queues = 1, .queues.pa = MEMORY_PA + PAGE_SIZE,
		.nr_commands = 2, .commands.pa = MEMORY_PA + 2 * PAGE_SIZE, .keep_alive = 5000000, .coalesce_count = 3,
	};
	u64 head[2] = { 0, 2 };
	struct devstate_fault fault;

	memcpy(memory + 2 * PAGE_SIZE, head, sizeof(head));
	memcpy(memory + 2 * PAGE_SIZE + sizeof(head), commands, sizeof(commands));
	if (example_controller_v2_write_example_queue(&queue, memory + PAGE_SIZE, PAGE_SIZE, &fault) ||
	    example_controller_v2_write_example_controller_state(&state, memory, PAGE_SIZE, &fault)) {
		printf("not frozen: %s is %llu\n", fault.field, (unsigned long long)fault.found);
		exit(1);
	}
	return MEMORY_PA;
}

static int take_queue(void *context, const struct example_queue *queue)
{
	(void)context;
	printf("queue %u: %u entries, head %u, tail %u\n", queue->number, queue->entries, queue->head, queue->tail);
	return 0;
}

static int take_command(void *context, const struct example_command *command)
{
	(void)context;
	printf("command %u: opcode %u, %u ms left\n", command->identifier, command->opcode, command->left_ms);
	return 0;
}

/* The new kernel. All or nothing: it walks once to judge, then to take. */
static int resume(u64 pa, struct devstate_fault *fault)
{
	const struct devstate_memory access = { .at = memory_at };
	const struct example_controller_state *state = memory_at(NULL, pa, sizeof(*state));
	int error;

	if (!state)
		return devstate_refuse(fault, DEVSTATE_MEMORY, 0, pa, "state");
	error = example_controller_v2_check_example_controller_state(state, sizeof(*state), fault);
	if (!error)
		error = example_controller_v2_walk_example_controller_state_queues(state, &access, NULL, NULL, fault);
	if (!error)
		error = example_controller_v2_walk_example_controller_state_commands(state, &access, NULL, NULL, fault);
	if (error)
		return error;
	error = example_controller_v2_walk_example_controller_state_queues(state, &access, take_queue, NULL, fault);
	if (!error)
		error = example_controller_v2_walk_example_controller_state_commands(state, &access, take_command, NULL, fault);
	return error;
}

/* With an argument, the byte of that number is damaged on the way: the controller is refused, and nothing is taken. */
int main(int argc, char **argv)
{
	struct devstate_fault fault = { 0 };
	u64 pa = freeze();
	int error;

	if (argc > 1)
		memory[strtoul(argv[1], NULL, 0) % sizeof(memory)] ^= 0xff;
	error = resume(pa, &fault);
	if (error)
		printf("cold probe: %s is %llu (rule %d, error %d)\n", fault.field, (unsigned long long)fault.found, fault.rule, error);
	return 0;
}
