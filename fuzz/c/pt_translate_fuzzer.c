// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An iova goes through hostile page tables to where a walk of them says, or nowhere; no byte is read that is not there. A device behind
 * them writes where each of its pages goes, as far as it may, and changes nothing else. Where a page goes is what its cache says, however
 * small: into tables, too, and then the cache may know what is not so any more.
 *
 * The input says the format and how many tables there are, writes entries into them, and then says which iovas are looked at and written
 * to.
 */
#include "tables.h"

#define MAX_EXTENTS 4096
#define MAX_DATA (3 * 4096)
#define MAX_TLB 8
#define PLACES 2		/* regions for data, below the tables */
#define REGIONS (PLACES + MAX_TABLES)
#define NOTED (DS_PT_ACCESSED | DS_PT_DIRTY)
#define HIDING (1u << DS_NOT_IN_MEMORY | 1u << DS_PT_CYCLE | 1u << DS_PT_BUDGET)
#define BROKEN (1u << DS_PT_RUN | 1u << DS_PT_OVERLAP)

/* Memory with tables in it, and where data goes. */
struct image {
	struct ds_region regions[REGIONS];
	struct ds_memory memory;
	uint64_t units;
};

static void image_make(struct image *image, size_t tables, uint64_t table_size)
{
	/* A page, and two pages and a bit: a write may end in the middle of one. */
	static const uint64_t places[PLACES][2] = { { 0x1000, 4096 }, { 0x3000, 2 * 4096 + 40 } };

	for (size_t i = 0; i < PLACES; i++)
		image->regions[i] = (struct ds_region){ .pa = places[i][0], .size = places[i][1] };
	for (size_t i = 0; i < tables; i++)
		image->regions[PLACES + i] = (struct ds_region){ .pa = BASE + i * ROOM, .size = table_size };
	image->memory = (struct ds_memory){ .regions = image->regions, .count = PLACES + tables };
	for (size_t i = 0; i < image->memory.count; i++)
		image->regions[i].base = exact(NULL, image->regions[i].size);
	HOLDS(ds_memory_init(image->regions, image->memory.count, &image->units) == DS_OK);
}

static void image_copy(struct image *to, const struct image *from)
{
	*to = *from;
	to->memory.regions = to->regions;
	for (size_t i = 0; i < to->memory.count; i++)
		to->regions[i].base = exact(from->regions[i].base, from->regions[i].size);
}

static void image_free(struct image *image)
{
	for (size_t i = 0; i < image->memory.count; i++)
		free((void *)(uintptr_t)image->regions[i].base);
}

/* The region that has all of this, or NULL. */
static const struct ds_region *region_of(const struct image *image, uint64_t pa, uint64_t size)
{
	for (size_t i = 0; i < image->memory.count; i++) {
		const struct ds_region *region = &image->regions[i];

		if (pa >= region->pa && pa - region->pa < region->size && size <= region->size - (pa - region->pa))
			return region;
	}
	return NULL;
}

/* All leaves of the tables; codes: what was wrong, as bits. SIZE_MAX when there is more than fits. */
static size_t walk(const struct image *image, const struct ds_pt_root *root, struct ds_pt_extent *extents, uint32_t *codes)
{
	struct ds_problem problems[64];
	struct ds_pt_walk walk = { .memory = &image->memory, .root = *root, .attributes = UINT64_MAX, .budget = 1 << 16,
				   .problems = { .list = problems, .capacity = 64 } };
	size_t used, more;
	struct ds_pt_extent one;

	walk.visited = exact(NULL, (image->units / 64 + 1) * 8);
	HOLDS(ds_pt_walk_begin(&walk) == DS_OK);
	HOLDS(ds_pt_walk_next(&walk, extents, MAX_EXTENTS, &used) == DS_OK);
	HOLDS(ds_pt_walk_next(&walk, &one, 1, &more) == DS_OK);
	free(walk.visited);
	*codes = 0;
	for (size_t i = 0; i < walk.problems.count; i++)
		*codes |= i < 64 ? 1u << problems[i].code : HIDING | BROKEN;
	return more ? SIZE_MAX : used;
}

/* An iova inside of a leaf goes where the leaf says. */
static void check_leaf(const struct image *image, const struct ds_pt_root *root, const struct ds_pt_extent *leaf, uint64_t offset, bool whole)
{
	struct ds_pt_extent found;

	offset &= leaf->size - 1;
	HOLDS(ds_pt_translate(&image->memory, root, leaf->iova + offset, &found) == DS_OK);
	HOLDS(found.iova == leaf->iova + offset && found.pa == leaf->pa + offset);
	HOLDS(((found.attributes ^ leaf->attributes) & ~NOTED) == 0 && !(found.attributes & ~leaf->attributes & NOTED));
	HOLDS(whole ? found.size == leaf->size - offset : found.size >= leaf->size - offset);
}

/* Any iova, with the leaves of a walk that saw all. */
static void check_any(const struct image *image, const struct ds_pt_root *root, const struct ds_pt_extent *leaves, size_t count, uint64_t iova)
{
	struct ds_pt_extent found;
	bool mapped = false;

	HOLDS(ds_pt_translate(&image->memory, root, iova, &found) == DS_OK);
	for (size_t i = 0; i < count; i++)
		mapped |= iova - leaves[i].iova < leaves[i].size;
	HOLDS(mapped == (found.size != 0));
}

/* A device that is as simple as can be, in a memory of its own. */
struct model {
	struct image image;
	struct ds_pt_root root;
	uint64_t pages[MAX_TLB], pas[MAX_TLB];
	bool known[MAX_TLB];
	uint32_t tlb_size;
};

/* Where a page of iovas goes: DS_EFORMAT when it may not be written. */
static int model_page(struct model *model, uint64_t page, uint64_t *pa)
{
	uint32_t place = (uint32_t)(page % model->tlb_size);
	struct ds_pt_extent found;

	if (!model->known[place] || model->pages[place] != page) {
		if (ds_pt_translate(&model->image.memory, &model->root, page * 4096, &found) || !found.size)
			return DS_EFORMAT;
		if (!(found.attributes & DS_PT_WRITE))
			return DS_EFORMAT;
		model->known[place] = true;
		model->pages[place] = page;
		model->pas[place] = found.pa;
	}
	*pa = model->pas[place];
	return DS_OK;
}

/* A write: a status, and how many bytes are written. */
static int model_write(struct model *model, uint64_t iova, const void *data, size_t size, size_t *done)
{
	for (*done = 0; *done < size;) {
		uint64_t at = iova + *done, left = 4096 - at % 4096, part = size - *done < left ? size - *done : left, pa;
		const struct ds_region *region;
		int status = model_page(model, at / 4096, &pa);

		if (status)
			return status;
		pa += at % 4096;
		region = region_of(&model->image, pa, part);
		if (!region)
			return DS_EMEMORY;
		memcpy((uint8_t *)(uintptr_t)region->base + (pa - region->pa), (const uint8_t *)data + *done, part);
		*done += part;
	}
	return DS_OK;
}

static void check_same(const struct image *image, const struct image *other)
{
	for (size_t i = 0; i < image->memory.count; i++)
		HOLDS(!memcmp(image->regions[i].base, other->regions[i].base, image->regions[i].size));
}

/* The same stamps in both memories. */
static void check_stamps(struct input *input, struct ds_dma *dma, struct model *model, uint64_t iova)
{
	struct ds_ring ring = { .iova = iova, .slots = take(input, 1), .stride = take(input, 1), .device = (uint32_t)take(input, 1) };
	uint64_t first = take(input, 8), count = take(input, 1) % 64, done, expected = 0;
	int status = ds_dma_stamps(dma, &ring, first, count, &done), wanted = DS_OK;
	size_t written;

	if (!ring.slots || ring.stride < sizeof(struct ds_stamp)) {
		HOLDS(status == DS_EINVAL && !done);
		return;
	}
	for (; expected < count; expected++) {
		struct ds_stamp stamp = { .sequence = first + expected, .device = ring.device };

		stamp.check = ds_crc32c(0, &stamp, 12);
		wanted = model_write(model, iova + stamp.sequence % ring.slots * ring.stride, &stamp, sizeof(stamp), &written);
		if (wanted)
			break;
	}
	HOLDS(status == wanted && done == expected);
}

/* The same bytes in both memories. */
static void check_write(struct ds_dma *dma, struct model *model, uint64_t iova, uint8_t first, size_t size)
{
	uint8_t *data = exact(NULL, size);
	size_t done, expected;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 37 + first);
	HOLDS(ds_dma_write(dma, iova, data, size, &done) == model_write(model, iova, data, size, &expected) && done == expected);
	free(data);
}

/* A device writes where the input says. */
static void check_dma(struct input *input, const struct image *image, const struct ds_pt_root *root, const struct ds_pt_extent *leaves,
		      size_t count)
{
	uint32_t tlb_size = 1u << take(input, 1) % 4;
	struct image own;
	struct model model = { .root = *root, .tlb_size = tlb_size };
	struct ds_dma dma = { .memory = &own.memory, .root = *root, .tlb = exact(NULL, tlb_size * sizeof(struct ds_tlb)),
			      .tlb_size = tlb_size };

	image_copy(&own, image);
	image_copy(&model.image, image);
	for (int n = 0; n < 16 && input->left; n++) {
		uint64_t how = take(input, 1), iova = take(input, how & 1 ? 8 : 2);

		if (!(how & 1) && count)
			iova += leaves[take(input, 2) % count].iova;
		if (how & 2)
			check_stamps(input, &dma, &model, iova);
		else
			check_write(&dma, &model, iova, (uint8_t)how, take(input, 2) % MAX_DATA);
		check_same(&own, &model.image);
	}
	dma.tlb_size = 3;
	HOLDS(ds_dma_write(&dma, 0, &dma, 1, &(size_t){ 0 }) == DS_EINVAL);
	free(dma.tlb);
	image_free(&own);
	image_free(&model.image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size }, tables;
	uint64_t number = take(&input, 1), how = take(&input, 1), shape = take(&input, 1);
	struct ds_pt_root root = take_root(number, how, shape);
	size_t count = 1 + (how >> 2) % MAX_TABLES, leaves;
	struct ds_pt_extent *extents = exact(NULL, MAX_EXTENTS * sizeof(*extents)), found;
	uint8_t *pages[MAX_TABLES];
	struct image image;
	uint32_t codes;

	image_make(&image, count, UINT64_C(8) << root.format->index_bits);
	for (size_t i = 0; i < count; i++)
		pages[i] = (uint8_t *)(uintptr_t)image.regions[PLACES + i].base;
	/* Half of it are the tables, half is what is done with them. */
	tables = (struct input){ input.at, input.left / 2 };
	input = (struct input){ input.at + tables.left, input.left - tables.left };
	write_entries(&tables, root.format, pages, count, UINT64_C(8) << root.format->index_bits);
	leaves = walk(&image, &root, extents, &codes);
	for (size_t i = 0; i < (leaves == SIZE_MAX ? MAX_EXTENTS : leaves); i++)
		check_leaf(&image, &root, &extents[i], i * UINT64_C(0x9e3779b97f4a7c15) >> 8, !(codes & BROKEN));
	for (int n = 0; n < 64 + 8; n++) {
		/* Beside a leaf, and anywhere. */
		uint64_t iova = n < 64 ? (leaves && leaves != SIZE_MAX ? extents[(size_t)n % leaves].iova : 0) ^ UINT64_C(1) << n : take(&input, 8);

		if (leaves == SIZE_MAX || codes & HIDING)
			ds_pt_translate(&image.memory, &root, iova, &found);
		else
			check_any(&image, &root, extents, leaves, iova);
	}
	check_dma(&input, &image, &root, extents, leaves == SIZE_MAX ? MAX_EXTENTS : leaves);
	root.levels = 0;
	HOLDS(ds_pt_translate(&image.memory, &root, 0, &found) == DS_EINVAL && !found.size);
	image_free(&image);
	free(extents);
	return 0;
}
