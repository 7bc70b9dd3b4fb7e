// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A driver of examples/drivers/network.py at its two ends, in user space: the old kernel freezes a card into memory, rings and filters
 * as packed records and what the administrator has set as a tagged map; the new one judges all of it before it takes anything, and
 * hands over the settings again, with a field that it does not know.
 *
 *   cc -I examples/drivers/generated examples/drivers/network_client.c
 *      examples/drivers/generated/example_network_v2_codec.c examples/drivers/generated/example_network_settings_v1_codec.c
 */
#include "example_network_settings_v1_codec.h"
#include "example_network_v2_codec.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMORY_PA 0x100000ULL
#define PAGES 4
#define SETTINGS_PAGE 3

static _Alignas(PAGE_SIZE) u8 memory[PAGES * PAGE_SIZE];

/* What a kernel does with phys_to_virt(), once it knows that all of it was handed over. */
static const void *memory_at(void *context, u64 pa, u64 size)
{
	(void)context;
	if (pa < MEMORY_PA || pa - MEMORY_PA > sizeof(memory) || size > sizeof(memory) - (pa - MEMORY_PA))
		return NULL;
	return memory + (pa - MEMORY_PA);
}

static void must(int error, const struct devstate_fault *fault)
{
	if (error) {
		printf("not frozen: %s is %llu\n", fault->field, (unsigned long long)fault->found);
		exit(1);
	}
}

/* A kernel that knows one field more than example-network-settings-v1 wrote this: tag 77 is a truth value. Gives its bytes. */
static u64 freeze_settings(void)
{
	static const u8 later[] = { 77, 0xc3 };
	const struct example_vlan_setting vlans[] = { { .vlan = 7, .name = "seven" }, { .vlan = 4095, .name = "last" } };
	struct example_network_settings settings = {
		.name = "eth0", .has_mtu = true, .mtu = 9000, .features = EXAMPLE_NETWORK_SETTINGS_V1_EXAMPLE_NETWORK_SETTINGS_FEATURES_CHECKSUM,
		.unknown = { .data = later, .size = sizeof(later), .count = 1 },
	};
	struct devstate_fault fault = { 0 };
	u8 room[256];
	u64 size = 0;

	for (u32 i = 0; i < 2; i++)
		must(example_network_settings_v1_add_example_network_settings_vlans(&settings.vlans, room, sizeof(room), &vlans[i],
										     &fault), &fault);
	must(example_network_settings_v1_write_example_network_settings(&settings, memory + SETTINGS_PAGE * PAGE_SIZE, PAGE_SIZE, &fault,
									&size), &fault);
	return size;
}

/* The old kernel: a queue each way, two filters in one page of a chain. */
static void freeze(void)
{
	const struct example_ring rings[] = {
		{ .descriptors.pa = 0x200000, .buffers.pa = 0x300000, .entries = 512, .index = 0, .head = 17, .tail = 500, .vector = 1,
		  .kind = EXAMPLE_NETWORK_V2_EXAMPLE_RING_KIND_RECEIVE, .buffer_size = 2048 },
		{ .descriptors.pa = 0x201000, .entries = 256, .index = 0, .head = 9, .tail = 9, .vector = 2,
		  .kind = EXAMPLE_NETWORK_V2_EXAMPLE_RING_KIND_TRANSMIT },
	};
	const struct example_filter filters[] = {
		{ .kind = EXAMPLE_NETWORK_V2_EXAMPLE_FILTER_KIND_VLAN, .queue = 0, .hits = 12, .match.vlan.vlan = cpu_to_be16(7) },
		{ .kind = EXAMPLE_NETWORK_V2_EXAMPLE_FILTER_KIND_FLOW, .queue = 0, .priority = 1,
		  .match.flow = { .source = cpu_to_be32(0x0a000001), .destination_port = cpu_to_be16(443),
				  .protocol = EXAMPLE_NETWORK_V2_EXAMPLE_MATCH_FLOW_PROTOCOL_TCP } },
	};
	struct example_network_state state = {
		.address = { 2, 0, 0, 0, 0, 1 }, .mtu = 9000, .flags = EXAMPLE_NETWORK_V2_EXAMPLE_NETWORK_STATE_FLAGS_LINK_UP,
		.nr_rings = 2, .queues.pa = MEMORY_PA + PAGE_SIZE, .nr_filters = 2, .filters.pa = MEMORY_PA + 2 * PAGE_SIZE,
	};
	u64 head[2] = { 0, 2 };
	struct devstate_fault fault = { 0 };
	u8 *to = memory + 2 * PAGE_SIZE;

	for (u32 i = 0; i < 2; i++)
		must(example_network_v2_write_example_ring(&rings[i], memory + PAGE_SIZE + i * sizeof(rings[0]), sizeof(rings[0]), &fault),
		     &fault);
	memcpy(to, head, sizeof(head));
	for (u32 i = 0; i < 2; i++)
		must(example_network_v2_write_example_filter(&filters[i], to + sizeof(head) + i * sizeof(filters[0]), sizeof(filters[0]),
							     &fault), &fault);
	must(example_network_v2_write_example_network_state(&state, memory, PAGE_SIZE, &fault), &fault);
}

static int take_ring(void *context, const struct example_ring *ring)
{
	(void)context;
	printf("ring %u/%u: %u entries, head %u, tail %u\n", ring->index, ring->kind, ring->entries, ring->head, ring->tail);
	return 0;
}

static int take_filter(void *context, const struct example_filter *filter)
{
	(void)context;
	if (filter->kind == EXAMPLE_NETWORK_V2_EXAMPLE_FILTER_KIND_VLAN)
		printf("filter: vlan %u to queue %u\n", be16_to_cpu(filter->match.vlan.vlan), filter->queue);
	else
		printf("filter: port %u to queue %u\n", be16_to_cpu(filter->match.flow.destination_port), filter->queue);
	return 0;
}

/* The settings are data of this kernel now; it changes one, and what it does not know goes on to the next kernel. */
static int take_settings(struct example_network_settings *settings, struct devstate_fault *fault)
{
	struct devstate_span rest = settings->vlans;
	struct example_vlan_setting vlan;
	u8 again[PAGE_SIZE];
	u64 size = 0;
	int error;

	printf("settings of %s: mtu %u, speed %u%s\n", settings->name, settings->mtu, settings->speed, settings->has_speed ? "" : " (absent)");
	while ((error = example_network_settings_v1_next_example_network_settings_vlans(&rest, fault, &vlan)) > 0)
		printf("vlan %u: %s\n", vlan.vlan, vlan.name);
	settings->mtu = 1500;
	if (!error)
		error = example_network_settings_v1_write_example_network_settings(settings, again, sizeof(again), fault, &size);
	if (error)
		return error;
	printf("handed on: %llu bytes, the last two are %02x %02x\n", (unsigned long long)size, again[size - 2], again[size - 1]);
	return 0;
}

/* The new kernel. All or nothing: it goes over everything once to judge, then to take. */
static int resume(u64 settings_size, struct devstate_fault *fault)
{
	const struct devstate_memory access = { .at = memory_at };
	const struct example_network_state *state = memory_at(NULL, MEMORY_PA, sizeof(*state));
	const void *bytes = memory_at(NULL, MEMORY_PA + SETTINGS_PAGE * PAGE_SIZE, settings_size);
	struct example_network_settings settings;
	int error;

	if (!state || !bytes)
		return devstate_refuse(fault, DEVSTATE_MEMORY, 0, MEMORY_PA, "state");
	error = example_network_v2_check_example_network_state(state, sizeof(*state), fault);
	if (!error)
		error = example_network_v2_walk_example_network_state_queues(state, &access, NULL, NULL, fault);
	if (!error)
		error = example_network_v2_walk_example_network_state_filters(state, &access, NULL, NULL, fault);
	if (!error)
		error = example_network_settings_v1_read_example_network_settings(bytes, settings_size, fault, &settings);
	if (error)
		return error;
	error = example_network_v2_walk_example_network_state_queues(state, &access, take_ring, NULL, fault);
	if (!error)
		error = example_network_v2_walk_example_network_state_filters(state, &access, take_filter, NULL, fault);
	return error ? error : take_settings(&settings, fault);
}

/* With an argument, the byte of that number is damaged on the way: the card is refused, and nothing is taken. */
int main(int argc, char **argv)
{
	struct devstate_fault fault = { 0 };
	u64 size = freeze_settings();
	int error;

	freeze();
	if (argc > 1)
		memory[strtoul(argv[1], NULL, 0) % sizeof(memory)] ^= 0xff;
	error = resume(size, &fault);
	if (error)
		printf("cold probe: %s is %llu (rule %d, error %d)\n", fault.field, (unsigned long long)fault.found, fault.rule, error);
	return 0;
}
