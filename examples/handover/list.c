// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * list CORE ROOT: what the handover whose root is at the physical address ROOT preserves.
 *
 * All of its bytes are read by generated code: kho-v4, luo-v5 and memfd-v2. 0; 1 and the first
 * fault for a handover that cannot be trusted; 2 for a wrong call.
 */
#include "core.h"
#include "kho_v4_codec.h"
#include "luo_v5_codec.h"
#include "memfd_v2_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct listing {
	struct devstate_memory memory;
	struct devstate_fault fault;
	const char *session;
};

static int list_blocks(void *context, u64 pa, u32 order, u64 blocks)
{
	(void)context;
	printf("preserved %#" PRIx64 " order %u blocks %" PRIu64 "\n", pa, order, blocks);
	return 0;
}

static int list_file(void *context, const struct luo_file_ser *file)
{
	struct listing *to = context;
	const struct memfd_luo_ser *memfd = core_at(to->memory.context, file->data, sizeof(*memfd));
	int error;

	printf("file %s %" PRIu64 " %s", to->session, file->token, file->compatible);
	if (strcmp(file->compatible, MEMFD_V2_COMPATIBLE))
		return printf("\n") < 0;
	error = memfd_v2_check_memfd_luo_ser(memfd, memfd ? sizeof(*memfd) : 0, &to->fault);
	if (!error)
		printf(" size %" PRIu64 " folios %" PRIu64 "\n", memfd->size, memfd->nr_folios);
	if (error)
		return error;
	return memfd_v2_walk_memfd_luo_ser_folios(memfd, &to->memory, NULL, NULL, &to->fault);
}

static int list_session(void *context, const struct luo_session_ser *session)
{
	struct listing *to = context;

	printf("session %s\n", session->name);
	to->session = session->name;
	return luo_v5_walk_luo_file_set_ser_files(&session->file_set_ser, &to->memory, list_file,
						  to, &to->fault);
}

static int list_node(void *context, const struct kho_v4_tree *tree, int node)
{
	const struct kho_v4_tree_any *client = &tree->any;
	struct listing *to = context;
	const struct luo_ser *luo;
	int error;

	if (node == KHO_V4_TREE_ROOT)
		return kho_v4_walk_root_preserved_memory_map(&tree->root, &to->memory, list_blocks,
							     to, &to->fault);
	printf("subtree %s %#" PRIx64 " size %" PRIu64 "\n", client->name, client->preserved_data,
	       client->blob_size);
	if (strcmp(client->name, "LUO"))
		return 0;
	luo = core_at(to->memory.context, client->preserved_data, client->blob_size);
	error = luo_v5_check_luo_ser(luo, luo ? client->blob_size : 0, &to->fault);
	if (error)
		return error;
	return luo_v5_walk_luo_ser_sessions_pa(luo, &to->memory, list_session, to, &to->fault);
}

int main(int argc, char **argv)
{
	struct core core;
	struct listing to = { .memory = { .at = core_at, .context = &core } };
	struct kho_v4_tree tree;
	u64 root = argc == 3 ? strtoull(argv[2], NULL, 0) : 0;
	const void *blob;
	int error;

	if (argc != 3 || core_open(argv[1], &core)) {
		fprintf(stderr, "usage: list CORE ROOT\n");
		return 2;
	}
	blob = core_at(&core, root, PAGE_SIZE);
	error = kho_v4_read_tree(blob, blob ? PAGE_SIZE : 0, &tree, list_node, &to, &to.fault);
	if (error)
		fprintf(stderr, "rule %d at %#" PRIx64 ": %s\n", to.fault.rule, to.fault.at,
			to.fault.field);
	return error ? 1 : 0;
}
