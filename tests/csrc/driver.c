// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the C core refuses, and where its edges are; run under sanitizers. Properties are in fuzz/c.
 */
#include "harness.h"

#define PAGE 4096

static void statuses_have_texts(void)
{
	HOLDS(!strcmp(ds_status_text(DS_OK), "success"));
	HOLDS(strcmp(ds_status_text(DS_EINVAL), ds_status_text(DS_ESPACE)));
	HOLDS(!strcmp(ds_status_text(-1000), "unknown status"));
	HOLDS(!strcmp(ds_status_text(1), "unknown status"));
}

static int memory_of(uint64_t pa_1, uint64_t size_1, uint64_t pa_2, uint64_t size_2)
{
	struct ds_region regions[] = { { .pa = pa_1, .size = size_1 }, { .pa = pa_2, .size = size_2 } };
	uint64_t units;

	return ds_memory_init(regions, 2, &units);
}

static void regions_are_sorted_and_disjoint(void)
{
	HOLDS(memory_of(0, 4096, 4096, 1) == DS_OK);
	HOLDS(memory_of(0, 4097, 4096, 1) == DS_EORDER);
	HOLDS(memory_of(4096, 1, 0, 1) == DS_EORDER);
	HOLDS(memory_of(4096, 1, 4096, 1) == DS_EORDER);
	HOLDS(memory_of(0, 0, 4096, 1) == DS_EINVAL);
	HOLDS(memory_of(0, 1, UINT64_MAX, 1) == DS_OK);
	HOLDS(memory_of(0, 1, UINT64_MAX, 2) == DS_EINVAL);
	HOLDS(memory_of(0, UINT64_MAX, UINT64_MAX, 1) == DS_OK);
}

static int bitmap_of(struct ds_bitmap map)
{
	uint64_t words[2] = { UINT64_MAX, UINT64_MAX };
	struct ds_scan scan;

	map.words = words;
	return ds_bitmaps_count(&map, 1, 0, &scan);
}

static void bitmaps_are_what_the_header_says(void)
{
	const uint64_t top = UINT64_C(1) << DS_PA_BITS;

	HOLDS(bitmap_of((struct ds_bitmap){ .count = 128, .shift = 12 }) == DS_OK);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 0, .shift = 12 }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 11 }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 64 }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 56 }) == DS_OK);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 57 }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 12, .order = 63 }) == DS_OK);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 12, .order = 64 }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 12, .pa = top - PAGE }) == DS_OK);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 2, .shift = 12, .pa = top - PAGE }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .count = 1, .shift = 12, .pa = top }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .first = 1, .count = 63, .shift = 12 }) == DS_OK);
	HOLDS(bitmap_of((struct ds_bitmap){ .first = 1, .count = 64, .shift = 12 }) == DS_EINVAL);
	HOLDS(bitmap_of((struct ds_bitmap){ .first = 64, .count = 64, .shift = 12 }) == DS_OK);
}

static int two_bitmaps(uint32_t order_1, uint64_t pa_1, uint32_t order_2, uint64_t pa_2)
{
	uint64_t word = 1;
	struct ds_bitmap maps[] = { { .words = &word, .count = 64, .shift = 12 + order_1, .order = order_1, .pa = pa_1 },
				    { .words = &word, .count = 64, .shift = 12 + order_2, .order = order_2, .pa = pa_2 } };
	struct ds_scan scan;

	return ds_bitmaps_count(maps, 2, 0, &scan);
}

static void bitmaps_are_sorted(void)
{
	HOLDS(two_bitmaps(0, 0, 0, 64 * PAGE) == DS_OK);
	HOLDS(two_bitmaps(0, 0, 0, 64 * PAGE - 1) == DS_EORDER);
	HOLDS(two_bitmaps(1, 0, 0, 0) == DS_OK);
	HOLDS(two_bitmaps(0, 0, 1, 1 << 20) == DS_EORDER);
}

static void a_merge_takes_only_what_a_scan_gave(void)
{
	uint64_t edges[] = { 0, 4096, 8192, 12288 }, out[4];
	struct ds_problems problems = { 0 };
	struct ds_scan scan = { .total = 4 };
	size_t used = 77;

	scan.edges[0] = 3, scan.edges[1] = 1;
	HOLDS(ds_edges_merge(edges, &scan, out, 4, &problems, &used) == DS_EINVAL);
	scan.edges[0] = 4, scan.edges[1] = 2;
	HOLDS(ds_edges_merge(edges, &scan, out, 4, &problems, &used) == DS_EINVAL);
	scan.edges[0] = UINT64_MAX - 1, scan.edges[1] = 6;
	HOLDS(ds_edges_merge(edges, &scan, out, 4, &problems, &used) == DS_EINVAL);
	scan.edges[0] = 2, scan.edges[1] = 2;
	HOLDS(ds_edges_merge(edges, &scan, out, 4, &problems, &used) == DS_OK && used == 4);
}

static void trees_have_a_shape(void)
{
	static const struct {
		uint32_t page_shift, deepest;
	} shapes[] = { { 12, 6 }, { 14, 5 }, { 16, 4 }, { 13, 0 }, { 0, 0 }, { 64, 0 } };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		for (uint32_t depth = 0; depth < 10; depth++) {
			struct ds_radix radix = { .page_shift = shapes[i].page_shift, .depth = depth };
			int expected = depth >= 2 && depth <= shapes[i].deepest ? DS_ESPACE : DS_EINVAL;
			size_t nodes;

			HOLDS(ds_radix_build(&radix, NULL, 0, NULL, 0, NULL, &nodes) == expected);
		}
}

static void no_memory_is_no_crash(void)
{
	struct ds_radix radix = { .page_shift = 12, .depth = 6 };
	struct ds_memory memory = { 0 };
	struct ds_radix_found found = { 0 };
	struct ds_folio_rules rules = { 0 };
	struct ds_folio_faults faults;
	uint64_t visited = 0, units = 1;

	HOLDS(ds_memory_init(NULL, 0, &units) == DS_OK && units == 0);
	HOLDS(ds_radix_walk(&memory, &radix, 0, &visited, &found) == DS_OK && found.problems.count == 1);
	HOLDS(ds_folios_check(NULL, 0, &rules, &faults) == DS_OK);
	HOLDS(ds_crc32c(5, NULL, 0) == 5);
}

/* A node that the memory ends in is not there. */
static void a_node_is_wholly_in_a_region(void)
{
	struct ds_radix radix = { .page_shift = 12, .depth = 2 };
	struct ds_problem problem;
	struct ds_radix_found found = { .problems = { .list = &problem, .capacity = 1 } };
	uint8_t *bytes = exact(NULL, 2 * PAGE - 1);
	struct ds_region region = { .pa = 5 * PAGE, .size = 2 * PAGE - 1, .base = bytes };
	struct ds_memory memory = { .regions = &region, .count = 1 };
	uint64_t visited = 0, units;

	put64(bytes + 8, 6 * PAGE, false);
	HOLDS(ds_memory_init(&region, 1, &units) == DS_OK && units <= 64);
	HOLDS(ds_radix_walk(&memory, &radix, 5 * PAGE, &visited, &found) == DS_ESPACE && found.nodes_count == 1);
	HOLDS(found.problems.count == 1 && problem.code == DS_NOT_IN_MEMORY && problem.pa == 5 * PAGE + 8);
	free(bytes);
}

/* Large columns are written in another way, sixteen records at a time: not one more than there are. */
static void folios_around_the_caches(void)
{
	struct ds_folio_rules rules = { .pfn_limit = 1000, .index_limit = UINT64_MAX, .known_flags = 3 };

	for (size_t more = 0; more < 32; more += 5) {
		size_t count = (1 << 18) + more;
		uint8_t *records = exact(NULL, 16 * count);
		uint64_t *pfn = aligned_alloc(64, 8 * count + (64 - 8 * count % 64) % 64);
		uint64_t *index = exact(NULL, 8 * count + 64);
		uint64_t *index_aligned = (uint64_t *)((uintptr_t)index + 32 - (uintptr_t)index % 32);
		uint16_t *flags = aligned_alloc(64, 2 * count + (64 - 2 * count % 64) % 64);
		struct ds_folio_faults faults;

		HOLDS(pfn && flags);
		for (size_t i = 0; i < count; i++) {
			put64(records + 16 * i, (7 + i % 100) | UINT64_C(3) << 52, false);
			put64(records + 16 * i + 8, i, false);
		}
		index_aligned[count] = 77;
		HOLDS(ds_folios_decode(records, count, &rules, pfn, flags, index_aligned, &faults) == DS_OK);
		for (size_t i = 0; i < count; i++)
			HOLDS(pfn[i] == 7 + i % 100 && flags[i] == 3 && index_aligned[i] == i);
		HOLDS(index_aligned[count] == 77 && !faults.count[DS_FOLIO_INDEX_ORDER]);
		free(records);
		free(pfn);
		free(index);
		free(flags);
	}
}

/* Each prefix of records, and each distance from the alignment that vectors want. */
static void folios_of_every_length(void)
{
	struct ds_folio_rules rules = { .pfn_limit = 1000, .index_limit = UINT64_MAX, .known_flags = 3 };

	for (size_t count = 0; count < 600; count++) {
		uint8_t *records = exact(NULL, 16 * count + 1);
		struct ds_folio_faults faults;

		for (size_t i = 0; i < count; i++) {
			put64(records + 1 + 16 * i, 7 | UINT64_C(3) << 52, false);
			put64(records + 1 + 16 * i + 8, i, false);
		}
		HOLDS(ds_folios_check(records + 1, count, &rules, &faults) == DS_OK);
		for (int fault = 0; fault < DS_FOLIO_FAULTS; fault++)
			HOLDS(!faults.count[fault]);
		if (count) {
			put64(records + 1 + 16 * (count - 1), 1000, false);
			HOLDS(ds_folios_check(records + 1, count, &rules, &faults) == DS_OK);
			HOLDS(faults.count[DS_FOLIO_PFN_LIMIT] == 1 && faults.first[DS_FOLIO_PFN_LIMIT] == count - 1);
		}
		free(records);
	}
}

static int root_of(uint32_t number, uint32_t levels, uint32_t top_entries, uint64_t top_pa, uint32_t pa_bits)
{
	struct ds_pt_root root = { .format = ds_pt_format(number), .top_pa = top_pa, .levels = levels, .top_entries = top_entries,
				   .pa_bits = pa_bits };
	struct ds_memory memory = { 0 };
	struct ds_pt_walk walk = { .memory = &memory, .root = root };
	struct ds_pt_tables tables = { 0 };
	struct ds_pt_extent extent;
	uint64_t visited = 0;
	size_t used = 7;
	int status = ds_pt_walk_begin(&walk);

	HOLDS(ds_pt_tables(&memory, &root, &visited, &tables) == status && !tables.count);
	if (!status) {
		HOLDS(ds_pt_walk_next(&walk, &extent, 0, &used) == DS_EINVAL && used == 7);
		HOLDS(ds_pt_walk_next(&walk, &extent, 1, &used) == DS_OK && used == 0);
		HOLDS(walk.problems.count == 1 && tables.problems.count == 1);
	}
	return status;
}

/* AMD v1 is format 2, LPAE stage 2 of 4K is format 7. */
static void page_tables_have_a_shape(void)
{
	HOLDS(root_of(2, 6, 128, 0, 0) == DS_OK);
	HOLDS(root_of(2, 6, 256, 0, 0) == DS_EINVAL);
	HOLDS(root_of(2, 7, 1, 0, 0) == DS_EINVAL);
	HOLDS(root_of(2, 0, 1, 0, 0) == DS_EINVAL);
	HOLDS(root_of(2, 1, 1, 0, 64) == DS_OK);
	HOLDS(root_of(2, 1, 1, 0, 65) == DS_EINVAL);
	HOLDS(root_of(2, 1, 1, 4, 0) == DS_EINVAL);
	HOLDS(root_of(2, 1, 0, 0, 0) == DS_EINVAL);
	HOLDS(root_of(2, 1, 3, 0, 0) == DS_EINVAL);
	HOLDS(root_of(2, 5, 512, 0, 0) == DS_OK);
	HOLDS(root_of(2, 5, 1024, 0, 0) == DS_EINVAL);
	HOLDS(root_of(7, 3, 8192, UINT64_MAX - 7, 0) == DS_OK);
	HOLDS(root_of(7, 3, 16384, 0, 0) == DS_EINVAL);
	HOLDS(root_of(1000, 3, 512, 0, 0) == DS_EINVAL);
}

static int root_extended(uint32_t top_entries, uint32_t how)
{
	struct ds_pt_root root = { .format = ds_pt_format(0), .levels = 3, .top_entries = top_entries, .sign_extended = how };
	struct ds_memory memory = { 0 };
	struct ds_pt_walk walk = { .memory = &memory, .root = root };
	struct ds_pt_extent extent;
	int status = ds_pt_walk_begin(&walk);

	HOLDS(ds_pt_translate(&memory, &root, 0, &extent) == (status || how == DS_PT_UPPER ? status : DS_EMEMORY) && !extent.size);
	return status;
}

static void only_a_table_of_two_entries_has_an_upper_half(void)
{
	HOLDS(root_extended(1, 0) == DS_OK);
	HOLDS(root_extended(1, 1) == DS_EINVAL);
	HOLDS(root_extended(2, 1) == DS_OK);
	HOLDS(root_extended(1, DS_PT_UPPER) == DS_OK);
	HOLDS(root_extended(2, DS_PT_UPPER + 1) == DS_EINVAL);
}

/* A table of one page in a region that is a byte too short, and one that begins in the middle of a unit. */
static void a_page_table_is_wholly_in_a_region(void)
{
	for (uint64_t missing = 0; missing < 2; missing++)
		for (uint64_t shift = 0; shift < PAGE; shift += 2048) {
			struct ds_region region = { .pa = 7 * PAGE + shift, .size = PAGE - shift + PAGE - missing };
			struct ds_memory memory = { .regions = &region, .count = 1 };
			struct ds_pt_root root = { .format = ds_pt_format(0), .top_pa = 8 * PAGE, .levels = 2, .top_entries = 512 };
			struct ds_pt_walk walk = { .memory = &memory, .root = root };
			struct ds_pt_extent extent;
			uint64_t visited = 0, units;
			size_t used;

			region.base = exact(NULL, region.size);
			HOLDS(ds_memory_init(&region, 1, &units) == DS_OK && units <= 64);
			walk.visited = &visited;
			HOLDS(ds_pt_walk_begin(&walk) == DS_OK && walk.problems.count == missing);
			HOLDS(ds_pt_walk_next(&walk, &extent, 1, &used) == DS_OK && !used);
			free((void *)region.base);
		}
}

/* One table of VT-d's second stage (format 0) with a leaf in entry 1; the page that it maps is the table's neighbour. */
static void a_device_writes_where_the_tables_say(void)
{
	uint8_t *bytes = exact(NULL, 4 * PAGE);
	struct ds_region region = { .pa = 8 * PAGE, .size = 4 * PAGE, .base = bytes };
	struct ds_memory memory = { .regions = &region, .count = 1 };
	struct ds_pt_root root = { .format = ds_pt_format(0), .top_pa = 8 * PAGE, .levels = 2, .top_entries = 512 };
	struct ds_tlb tlb[2] = { { 0 } };
	struct ds_dma dma = { .memory = &memory, .root = root, .tlb = tlb, .tlb_size = 2 };
	struct ds_ring ring = { .iova = PAGE + 32, .slots = 2, .stride = sizeof(struct ds_stamp), .device = 7 };
	struct ds_pt_extent extent;
	uint64_t units, stamps;
	size_t written;

	memset(bytes, 0, 4 * PAGE);
	HOLDS(ds_memory_init(&region, 1, &units) == DS_OK);
	put64(bytes, 9 * PAGE | 3, false);			/* level 1, entry 0: the table of level 0 */
	put64(bytes + PAGE + 8, 10 * PAGE | 3, false);		/* level 0, entry 1: a page to read and write */
	put64(bytes + PAGE + 16, 11 * PAGE | 1, false);		/* entry 2: a page to read */
	put64(bytes + PAGE + 24, 99 * PAGE | 3, false);		/* entry 3: a page that is not there */
	put64(bytes + 8, 77 * PAGE | 3, false);			/* level 1, entry 1: a table that is not there */
	HOLDS(ds_pt_translate(&memory, &root, PAGE + 5, &extent) == DS_OK && extent.pa == 10 * PAGE + 5 && extent.size == PAGE - 5);
	HOLDS(ds_pt_translate(&memory, &root, 0, &extent) == DS_OK && !extent.size);
	HOLDS(ds_pt_translate(&memory, &root, UINT64_MAX, &extent) == DS_OK && !extent.size);
	HOLDS(ds_pt_translate(&memory, &root, 512 * PAGE, &extent) == DS_EMEMORY && !extent.size);
	root.levels = 0;
	HOLDS(ds_pt_translate(&memory, &root, 0, &extent) == DS_EINVAL);

	HOLDS(ds_dma_write(&dma, 2 * PAGE - 3, "abcdef", 6, &written) == DS_EFORMAT && written == 3);
	HOLDS(!memcmp(bytes + 3 * PAGE - 3, "abc\0\0\0", 6));
	HOLDS(ds_dma_write(&dma, 3 * PAGE, "x", 1, &written) == DS_EMEMORY && !written);
	HOLDS(ds_dma_write(&dma, 512 * PAGE, "x", 1, &written) == DS_EFORMAT && !written);
	HOLDS(ds_dma_write(&dma, PAGE, "", 0, &written) == DS_OK && !written);
	HOLDS(ds_dma_stamps(&dma, &ring, 6, 3, &stamps) == DS_OK && stamps == 3);
	stamps = 8;		/* the last of slot 0 is number 8, that of slot 1 number 7 */
	HOLDS(!memcmp(bytes + 2 * PAGE + 32, &stamps, 8));
	stamps = 7;
	HOLDS(!memcmp(bytes + 2 * PAGE + 48, &stamps, 8));
	ring.iova = 2 * PAGE - sizeof(struct ds_stamp);
	HOLDS(ds_dma_stamps(&dma, &ring, 0, 3, &stamps) == DS_EFORMAT && stamps == 1);
	ring.slots = 0;
	HOLDS(ds_dma_stamps(&dma, &ring, 0, 1, &stamps) == DS_EINVAL && !stamps);
	dma.tlb_size = 3;
	HOLDS(ds_dma_write(&dma, PAGE, "x", 1, &written) == DS_EINVAL && !written);
	free(bytes);
}

int main(void)
{
	statuses_have_texts();
	regions_are_sorted_and_disjoint();
	bitmaps_are_what_the_header_says();
	bitmaps_are_sorted();
	a_merge_takes_only_what_a_scan_gave();
	trees_have_a_shape();
	no_memory_is_no_crash();
	folios_of_every_length();
	folios_around_the_caches();
	a_node_is_wholly_in_a_region();
	page_tables_have_a_shape();
	only_a_table_of_two_entries_has_an_upper_half();
	a_page_table_is_wholly_in_a_region();
	a_device_writes_where_the_tables_say();
	return 0;
}
