/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The C core of devstate: the whole public interface.
 *
 * Promises, for any input, hostile included:
 *   - nothing is read or written outside of the buffers that the caller gives;
 *   - no memory is allocated, no state is kept between calls, nothing is printed: any thread may call anything;
 *   - no recursion; time is linear in the bytes that are really there, never in a number that they claim;
 *   - a function that can fail returns DS_OK or a negative status of DS_STATUS_TABLE, and leaves its result in the
 *     last parameter, named ret. Counts in results say what was needed, even when the buffer was too small for it.
 *
 * The lines between "cdef begin" and "cdef end" are also read by csrc/build_core.py: that is the Python binding, there is
 * no second list.
 */
#ifndef DEVSTATE_CORE_H
#define DEVSTATE_CORE_H

#include <stddef.h>
#include <stdint.h>

/* Every status: X(name, value, text). build_core.py makes the same enum for Python out of this table. */
#define DS_STATUS_TABLE(X) \
	X(DS_OK, 0, "success") \
	X(DS_EINVAL, -1, "an argument is outside of what the function takes") \
	X(DS_ESPACE, -2, "the output buffer is too small") \
	X(DS_EORDER, -3, "the input is not sorted or overlaps") \
	X(DS_EMEMORY, -4, "an address is not in the memory") \
	X(DS_EFORMAT, -5, "the input is not what its format allows") \
	X(DS_ECORRUPT, -6, "a checksum does not fit") \
	X(DS_EEND, -7, "the input ends too early")

enum ds_status {
#define DS_STATUS_ENUM(name, value, text) name = value,
	DS_STATUS_TABLE(DS_STATUS_ENUM)
#undef DS_STATUS_ENUM
};

/* cdef begin */

/* The text of a status of DS_STATUS_TABLE; "unknown status" for any other number. Never NULL. */
const char *ds_status_text(int status);

/* Instruction sets that the running machine has and this build uses, as bits. */
#define DS_FEATURE_CRC32C 1
#define DS_FEATURE_AVX2 2	/* with BMI, BMI2 and POPCNT */
uint32_t ds_features(void);

/*
 * CRC-32C (Castagnoli) of len bytes. crc is 0 to start, or the result over the bytes before.
 * The check value, over "123456789", is 0xE3069283. It finds accidents; it is no protection against intent.
 */
uint32_t ds_crc32c(uint32_t crc, const void *data, size_t len);

/* ---- memory: where the bytes at a physical address are ---- */

/* A piece of captured memory. first_unit is filled in by ds_memory_init(). */
struct ds_region {
	uint64_t pa;		/* of its first byte */
	uint64_t size;		/* bytes, more than 0 */
	const void *base;	/* its bytes */
	uint64_t first_unit;	/* units of 4096 bytes in the regions before it */
};

struct ds_memory {
	const struct ds_region *regions;
	size_t count;
};

/*
 * Numbers the regions for ds_radix_walk(); ret is the count of all units.
 * DS_EORDER unless they are sorted by pa and disjoint, DS_EINVAL for one that is empty or leaves the 64-bit address space.
 */
int ds_memory_init(struct ds_region *regions, size_t count, uint64_t *ret);

/* ---- preserved pages: bitmaps of blocks to sorted ranges ---- */

/* Addresses are below 1 << DS_PA_BITS: no machine that Linux runs on has more (RISC-V: 56, x86-64 and arm64: 52). */
#define DS_PA_BITS 56

/* One more than the largest order of a block: a key of the radix tree holds the order as the place of its highest bit. */
#define DS_ORDERS 64

/*
 * count blocks of one order at ascending addresses, one bit each: bit n of the u64 words (lowest bit first) is the block
 * at pa + (n - first << shift). first is a multiple of 64, or first % 64 + count <= 64.
 */
struct ds_bitmap {
	const void *words;
	uint64_t pa;
	uint32_t first;
	uint32_t count;
	uint32_t shift;		/* log2 of the bytes in a block; 12 to 63 */
	uint32_t order;		/* below DS_ORDERS */
};

struct ds_scan {
	uint64_t blocks[DS_ORDERS];	/* set bits, by order */
	uint64_t edges[DS_ORDERS];	/* edges (twice the ranges), by order */
	size_t total;			/* edges of all orders */
};

/*
 * Counts (ds_bitmaps_count), then writes (ds_bitmaps_scan), the ranges that the set bits of bitmaps cover: an array of
 * edges, start and end of each range in turn, as byte addresses. Ranges of one order are sorted and never touch; orders
 * follow each other as the bitmaps do, ret->edges says where each ends. swap: the words are of the other byte order.
 * DS_EORDER unless the bitmaps are grouped by descending order and ascend within each without overlap; DS_EINVAL for a field
 * outside of what is said above or an address beyond DS_PA_BITS; ds_bitmaps_scan: DS_ESPACE when edges are too few.
 */
int ds_bitmaps_count(const struct ds_bitmap *bitmaps, size_t count, int swap, struct ds_scan *ret);
int ds_bitmaps_scan(const struct ds_bitmap *bitmaps, size_t count, int swap, uint64_t *edges, size_t capacity,
		    struct ds_scan *ret);

/* What is wrong with a map of preserved pages. */
#define DS_NOT_IN_MEMORY 1	/* a node that is outside of the memory, or not wholly inside one region of it */
#define DS_MISALIGNED 2		/* a node that is not at a page boundary */
#define DS_VISITED_TWICE 3	/* a node that the tree reaches a second time; it is not entered again */
#define DS_KEY_TOO_WIDE 4	/* a branch whose keys have more bits than a key may have; it is not entered */
#define DS_KEY_ZERO 5		/* a bit that is no block: key 0 has no order */
#define DS_ADDRESS_TOO_WIDE 6	/* bits of blocks beyond DS_PA_BITS; they are left out */
#define DS_OVERLAP 7		/* memory that blocks of two orders cover */

struct ds_problem {
	uint64_t pa;		/* of the pointer to the node that is at fault, 0 for the root; DS_OVERLAP: of the memory */
	uint64_t value;		/* the pointer; DS_OVERLAP: the end of the memory */
	uint64_t key;		/* the indices that lead to the node, below a leading 1 */
	uint32_t code;
	uint32_t level;		/* of the node, leaves are 0; DS_OVERLAP: the order of the block that came second */
};

/* The first capacity problems; count goes on beyond it. */
struct ds_problems {
	struct ds_problem *list;
	size_t capacity;
	size_t count;
};

/*
 * Joins the ranges of all orders, as ds_bitmaps_scan() left them: ret is the count of edges of sorted, disjoint ranges that
 * do not touch. scan gives the edges of each order, highest order first. out holds capacity edges; scan->total are enough.
 * Memory that several orders cover is in out once, and in problems as DS_OVERLAP.
 */
int ds_edges_merge(const uint64_t *edges, const struct ds_scan *scan, uint64_t *out, size_t capacity,
		   struct ds_problems *problems, size_t *ret);

/* ---- the radix tree of preserved pages, KHO v2 to v4 ---- */

/*
 *  root: a page of u64, each the address of a node of the next level, or 0
 *    ...depth - 2 more levels of them...
 *      leaf: a page of bits, one for each key
 *  key = 1 << (64 - page_shift - order) | pa >> (page_shift + order), cut from the top: (page_shift - 3) bits a level,
 *  (page_shift + 3) bits in the leaf. All orders are in one tree: the place of the highest bit of a key is the order.
 */
struct ds_radix {
	uint32_t page_shift;	/* 12, 14 or 16 */
	uint32_t depth;		/* levels with the leaf: 2 to as many as cover a key (6, 5, 4) */
	uint32_t swap;		/* the tree is of the other byte order */
};

/* What a walk finds. The caller sets the pointers and capacities; the counts say what would be needed. */
struct ds_radix_found {
	struct ds_bitmap *bitmaps;	/* of every leaf, in the order that ds_bitmaps_scan() wants */
	size_t bitmaps_capacity;
	size_t bitmaps_count;
	uint64_t *nodes;		/* addresses of all nodes, root first, in the order of the walk */
	size_t nodes_capacity;
	size_t nodes_count;
	struct ds_problems problems;
};

/*
 * Walks the tree at root_pa. A node is entered once, and only when it is a whole, aligned page inside one region, so
 * time is linear in the memory that is there, whatever the pointers say. visited: one bit for each unit that
 * ds_memory_init() counted, in u64 words, all zero. A damaged branch is a problem, the rest is read on.
 * DS_ESPACE when bitmaps or nodes are too few (the counts are right all the same), DS_EINVAL for a wrong geometry.
 */
int ds_radix_walk(const struct ds_memory *memory, const struct ds_radix *radix, uint64_t root_pa, uint64_t *visited,
		  struct ds_radix_found *ret);

/* blocks blocks of one order that follow each other from pa on. */
struct ds_run {
	uint64_t pa;
	uint64_t blocks;
	uint32_t order;
};

/*
 * Builds the tree that holds just these blocks. Node i is page i of pages and stands at node_pas[i]; the root is node 0.
 * ret is the count of nodes that are needed; with DS_ESPACE, when they are more than capacity, pages are of no use (capacity 0
 * and no pages: to count). DS_EORDER unless runs are grouped by descending order and ascend within each without overlap;
 * DS_EINVAL for a wrong geometry, or a run that is empty, not aligned to its blocks or beyond DS_PA_BITS or the keys.
 */
int ds_radix_build(const struct ds_radix *radix, const struct ds_run *runs, size_t count, const uint64_t *node_pas,
		   size_t capacity, void *pages, size_t *ret);

/*
 * The same from a list of blocks of one order, each as pa >> (page_shift + order), in any order, and as often as one likes. DS_ESPACE when
 * capacity is too little for the nodes: how many are needed is not known then, and pages are of no use. DS_EINVAL for a wrong geometry, a
 * block beyond DS_PA_BITS, an order that no key can hold.
 */
int ds_radix_build_pages(const struct ds_radix *radix, uint32_t order, const uint64_t *blocks, size_t count, const uint64_t *node_pas,
			 size_t capacity, void *pages, size_t *ret);

/* ---- IOMMU page tables ---- */

/* The most levels of any format: AMD v1 over all 64 bits. */
#define DS_PT_LEVELS 6

/* The most tests for attributes that a format has. */
#define DS_PT_TESTS 10

/* The attributes of a leaf. The memory type, as the format numbers it, is in four bits from DS_PT_TYPE_SHIFT on. */
#define DS_PT_READ 1
#define DS_PT_WRITE 2
#define DS_PT_EXECUTE 4
#define DS_PT_USER 8
#define DS_PT_ACCESSED 0x10
#define DS_PT_DIRTY 0x20
#define DS_PT_COHERENT 0x40
#define DS_PT_GLOBAL 0x80
#define DS_PT_CONTIGUOUS 0x100
#define DS_PT_TYPE_SHIFT 12

/* An entry has the attribute when ((entry ^ flip) & all) == all; where there are several tests for one, when any of them holds. */
struct ds_pt_test {
	uint64_t all;		/* 0: this test and all after it are unused */
	uint64_t flip;
	uint64_t attribute;
};

/*
 * What the entries of one format at one granule mean: devstate/pagetable/formats.py says it, in the same words, and csrc/pt_formats.gen.h
 * is generated from there. Entries are little-endian u64; all masks are of bits in an entry. Level 0 is that of the smallest pages.
 */
struct ds_pt_format {
	uint32_t granule_shift;
	uint32_t index_bits;
	uint32_t min_levels;
	uint32_t max_levels;
	uint32_t iova_bits;
	uint32_t concatenated;
	uint32_t leaf_levels;
	uint32_t flags;			/* DS_PT_NEXT_LEVEL ... */
	uint32_t address_shift;
	uint32_t high_shift;
	uint32_t type_shift;
	uint32_t reserved;		/* 0 */
	uint64_t present;
	uint64_t leaf_any;
	uint64_t leaf_flip;
	uint64_t page;
	uint64_t address;
	uint64_t table;
	uint64_t high;
	uint64_t type;
	uint64_t type_high[2];
	uint64_t software;
	uint64_t touched;
	uint64_t contiguous;
	uint32_t contiguous_bits[DS_PT_LEVELS];
	uint64_t reserved_leaf[DS_PT_LEVELS];
	uint64_t reserved_table[DS_PT_LEVELS];
	struct ds_pt_test attributes[DS_PT_TESTS];
	struct ds_pt_test limits[DS_PT_TESTS];
};

/* flags */
#define DS_PT_NEXT_LEVEL 1
#define DS_PT_NAPOT 2
#define DS_PT_LEAF_RULE_AT_0 4
#define DS_PT_NO_WRITE_ONLY 8

/* The format of this number in FORMATS of devstate/pagetable/formats.py, or NULL. */
const struct ds_pt_format *ds_pt_format(uint32_t number);

#define DS_PT_UPPER 2		/* the tree is that of the upper half of the address space */

/* One tree of tables. Nothing of it is trusted but that format is one of ds_pt_format(), or one like it. */
struct ds_pt_root {
	const struct ds_pt_format *format;
	uint64_t top_pa;
	uint32_t levels;
	uint32_t top_entries;	/* a power of two: up to a table, or as many tables as the format may concatenate */
	/* 1: iovas of the upper half of the top table, which has two entries or more, continue with ones; DS_PT_UPPER: all do; else 0 */
	uint32_t sign_extended;
	uint32_t pa_bits;	/* addresses are below 1 << pa_bits; 0: whatever the format can say */
};

/*
 * What can be wrong with a tree of tables: codes of struct ds_problem, whose pa and value are those of the entry (0 and the address for
 * the top table), whose level is that of the table which holds it, and whose key is the iova that it stands for. The numbers go on from
 * those of preserved pages, of which DS_NOT_IN_MEMORY is used here too.
 */
#define DS_PT_CYCLE 8		/* a table that contains itself, at any distance; it is not entered */
#define DS_PT_SHARED 9		/* a table that is entered a second time */
#define DS_PT_BUDGET 10		/* a table that is not entered a second time: there were too many already */
#define DS_PT_LEAF_LEVEL 11	/* a leaf at a level that has none, or of a size that its level has not; it maps nothing */
#define DS_PT_TABLE_LEVEL 12	/* a pointer to a table at level 0, or to one of a level that is not lower; it is not entered */
#define DS_PT_MISALIGNED 13	/* a leaf whose target is not a multiple of its size; the low bits are taken as 0 */
#define DS_PT_RESERVED 14	/* reserved bits, or a reserved combination; the entry is taken for what it is without them */
#define DS_PT_WIDTH 15		/* an address beyond pa_bits */
#define DS_PT_RUN 16		/* a run of entries that says it is one leaf, but is not whole or not the same; each maps what it says */
#define DS_PT_OVERLAP 17	/* the same, and what stands in its place maps something else */

/*
 * The pages that hold tables. The caller sets the pointers, capacity and lowest; pas and levels have capacity items, or are NULL to count.
 * Tables of levels below lowest are counted, but not listed.
 */
struct ds_pt_tables {
	uint64_t *pas;
	uint8_t *levels;
	size_t capacity;
	uint32_t lowest;
	size_t listed;		/* or would be, with room */
	size_t count;
	size_t by_level[DS_PT_LEVELS];
	struct ds_problems problems;
};

/*
 * Collects the tables of root in the order of a walk (each before those below it), the top table first. A table is entered once, and
 * only when it is whole, in one region: time is linear in the memory that is there. visited: one bit for each unit that ds_memory_init()
 * counted, in u64 words, all zero. Damage is a problem (not in memory, shared, table level), the rest is read on.
 * DS_ESPACE when capacity is too little (the counts are right all the same), DS_EINVAL for a root that is none of its format.
 */
int ds_pt_tables(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t *visited, struct ds_pt_tables *ret);

/*
 * The addresses of the units that are marked in visited, from a unit on: capacity of them, or fewer when there are no more; pages is NULL
 * to count. unit: behind the last one, to go on from. They are the addresses of pages where all regions begin at multiples of 4096.
 */
size_t ds_pt_marked(const struct ds_memory *memory, const uint64_t *visited, uint64_t *unit, uint64_t *pages, size_t capacity);

/* A table that a walk is in. */
struct ds_pt_place {
	const void *entries;
	uint64_t pa;
	uint64_t iova;
	uint64_t lost;		/* the attributes that the entries above take away */
	uint32_t next;		/* the entry to look at next */
	uint32_t count;
	uint32_t level;
	uint32_t hinted;	/* entries before this one are of a run of hints that was looked at */
};

/* Part of an address space: size bytes from iova on are at pa. */
struct ds_pt_extent {
	uint64_t iova;
	uint64_t pa;
	uint64_t size;
	uint64_t attributes;
};

/*
 * A walk over all that is mapped, in the order of iovas, that can stop and go on: it is all in here. The caller sets the first part,
 * calls ds_pt_walk_begin(), then ds_pt_walk_next() until that gives nothing.
 */
struct ds_pt_walk {
	const struct ds_memory *memory;
	struct ds_pt_root root;
	uint64_t *visited;	/* one bit for each unit that ds_memory_init() counted, in u64 words, all zero */
	uint64_t budget;	/* bytes of tables that may be read again, because several entries lead to them */
	uint64_t attributes;	/* those that are reported, and that tell extents apart */
	uint32_t merge;		/* join what is adjacent in iova and target, with the same attributes; else one extent a leaf */
	uint32_t unreported;	/* problems of these codes, as bits, are left out of problems */
	struct ds_problems problems;

	/* What was found so far. A repeated entry counts once. */
	uint64_t leaves[64];	/* by log2 of their size */
	uint64_t tables[DS_PT_LEVELS];	/* by level; each once */

	/* The walk's own. */
	struct ds_pt_place path[DS_PT_LEVELS];
	struct ds_pt_extent open;
	size_t region;
	uint32_t depth;
};

/* DS_EINVAL for a root that is none of its format. */
int ds_pt_walk_begin(struct ds_pt_walk *walk);

/*
 * Writes up to capacity extents; ret is how many: 0 at the end. Time is linear in the memory that is there and in the budget.
 * A table is entered from each entry that leads to it, but never from inside itself.
 */
int ds_pt_walk_next(struct ds_pt_walk *walk, struct ds_pt_extent *extents, size_t capacity, size_t *ret);

/* In what a part of the address space differs between two trees: the first of these that holds. */
#define DS_PT_ONLY_OLD 0
#define DS_PT_ONLY_NEW 1
#define DS_PT_TARGET 2		/* other memory */
#define DS_PT_ATTRIBUTES 3	/* the same memory, other attributes */
#define DS_PT_TOUCHED 4		/* nothing but accessed and dirty */
#define DS_PT_DIFFERENCES 5

struct ds_pt_difference {
	uint64_t iova;
	uint64_t size;
	uint64_t kind;
	uint64_t old_pa;		/* where a side maps nothing, its address and attributes are 0 */
	uint64_t old_attributes;
	uint64_t new_pa;
	uint64_t new_attributes;
};

/* One of two trees: a walk that has begun and joins extents, and room for some of them. */
struct ds_pt_side {
	struct ds_pt_walk *walk;
	struct ds_pt_extent *room;
	size_t capacity;	/* more than 0 */
	size_t used;		/* 0 to start with, as next */
	size_t next;
};

/* A comparison that can stop and go on. totals (bytes by kind) and open are 0 to start with. */
struct ds_pt_compare {
	struct ds_pt_side sides[2];	/* old, new */
	uint64_t totals[DS_PT_DIFFERENCES];
	struct ds_pt_difference open;
};

/*
 * Writes up to capacity differences, in the order of iovas, as few as there can be; ret is how many: 0 at the end.
 * DS_EINVAL when there is no capacity, here or for a side. Time is that of the two walks.
 */
int ds_pt_compare_next(struct ds_pt_compare *compare, struct ds_pt_difference *differences, size_t capacity, size_t *ret);

/*
 * Where one iova goes: ret is from there to the end of its leaf; its size is 0 when it is not mapped. DS_EMEMORY for a table that is not
 * in the memory, DS_EINVAL for a root that cannot be.
 */
int ds_pt_translate(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t iova, struct ds_pt_extent *ret);

/* ---- a device behind an IOMMU ---- */

struct ds_tlb {
	uint64_t tag;
	uint64_t pa;
};

/* A device's way to memory. tlb is its cache, a power of two of entries, all zero at first; zero it again when tables change. */
struct ds_dma {
	const struct ds_memory *memory;	/* is written to */
	struct ds_pt_root root;
	struct ds_tlb *tlb;
	uint32_t tlb_size;
	uint64_t walks;		/* look-ups that the cache did not have */
};

/*
 * Writes size bytes at iova, page by page; ret is how many were written. DS_EFORMAT at a page that is not mapped or not writable,
 * DS_EMEMORY at one that is mapped to no memory, or whose tables are not there.
 */
int ds_dma_write(struct ds_dma *dma, uint64_t iova, const void *data, size_t size, size_t *ret);

/* What a device leaves at each write: the sequence number of the write, and whose it is. */
struct ds_stamp {
	uint64_t sequence;
	uint32_t device;
	uint32_t check;		/* crc32c of what is before it */
};

/* Where stamps go: number n to slot n % slots, stride bytes apart from iova on. */
struct ds_ring {
	uint64_t iova;
	uint64_t slots;
	uint64_t stride;
	uint32_t device;
};

/* Writes count stamps, from number first on; ret is how many were written. A status as of ds_dma_write(). */
int ds_dma_stamps(struct ds_dma *dma, const struct ds_ring *ring, uint64_t first, uint64_t count, uint64_t *ret);

/* ---- coverage: whether memory is inside of ranges ---- */

/*
 * Ranges as ds_edges_merge() leaves them: sorted, disjoint, not touching; and what makes questions about them quick. The caller sets all
 * but line_count. Tiles are for a span of memory, 2 MiB each, which the ranges may leave; lines are for those tiles that hold more than a
 * few ranges, 64 bytes each. Both are all zero, and there may be as few as none: then the ranges are searched. Where most tiles would need
 * a line, tiles is better NULL: then there is a line for each.
 */
struct ds_coverage {
	const uint64_t *edges;
	size_t count;
	uint64_t *sums;		/* ds_coverage_sums(count) of them */
	uint64_t *tiles;
	uint64_t first_tile;	/* address of the first, in tiles */
	uint64_t tile_count;
	uint64_t *lines;
	uint64_t line_capacity;	/* never more than a quarter of the ranges are used */
	uint64_t line_count;
};

size_t ds_coverage_sums(size_t count);

/*
 * Fills sums, tiles and lines. DS_EORDER for edges that are not as they should be, DS_EINVAL for an odd number of them or a span
 * beyond u64.
 */
int ds_coverage_init(struct ds_coverage *coverage);

/* The ranges without the holes, which are such ranges too. count + holes_count edges are enough. */
int ds_edges_subtract(const uint64_t *edges, size_t count, const uint64_t *holes, size_t holes_count, uint64_t *out, size_t capacity,
		      size_t *ret);

/* Why memory is not where it should be. */
#define DS_GAP_NOT_PRESERVED 0
#define DS_GAP_SCRATCH 1	/* scratch, preserved or not */

struct ds_gap {
	uint64_t iova;
	uint64_t pa;
	uint64_t size;
	uint64_t kind;
};

/* The first capacity gaps, as few as possible in number; bytes go on beyond them, up to UINT64_MAX. Starts out with all counts 0. */
struct ds_gaps {
	struct ds_gap *list;
	size_t capacity;
	size_t count;
	uint64_t bytes[2];	/* by kind */
};

/* Adds to ret what of count extents is not inside. Nothing of inside is in scratch: ds_edges_subtract() sees to that. */
int ds_coverage_check(const struct ds_coverage *inside, const struct ds_coverage *scratch, const struct ds_pt_extent *extents, size_t count,
		      struct ds_gaps *ret);

/* The problems that a proof reports: whatever may hide from it what is mapped. The other ones are for a walk. */
#define DS_PT_HIDING 7426	/* bits DS_NOT_IN_MEMORY, DS_PT_CYCLE, DS_PT_BUDGET, DS_PT_LEAF_LEVEL, DS_PT_TABLE_LEVEL */

/*
 * Whether all memory that a tree of tables maps, and all that the tables are in, is inside of some ranges. The caller sets memory, root,
 * visited, budget and the list of problems of walk, and inside, scratch and the lists of pages and tables; all else is 0.
 */
struct ds_pt_proof {
	struct ds_pt_walk walk;		/* and leaves, tables and problems when it is over */
	const struct ds_coverage *inside;
	const struct ds_coverage *scratch;
	struct ds_gaps pages;		/* mapped memory, in the order of iovas */
	struct ds_gaps tables;		/* tables, in the order of the walk; each once, with the first iova that it stands for */
};

/* DS_EINVAL for a root that is none of its format. Time is that of a walk, and the logarithm of the ranges for each large gap. */
int ds_pt_prove(struct ds_pt_proof *ret);

/* ---- the page-table stream: docs/page-table-stream.md ---- */

/* Pages in a chunk. */
#define DS_PT_CHUNK_PAGES 256

/*
 * Pages are listed as one u64 each: the address, a multiple of 4096 below 1 << DS_PA_BITS, plus the level of the table that is
 * in it (7: of none).
 *
 * Sorts such a list; scratch has room for it once more. ret: how many pages there are of each of the 8 levels.
 * DS_EORDER when a page is there twice, DS_EINVAL for what is no such item.
 */
int ds_pt_sort(uint64_t *pages, uint64_t *scratch, size_t count, uint64_t *ret);

struct ds_pt_pack {
	const struct ds_memory *memory;
	uint64_t part_pa;	/* a table that is only a part of its page: what is around it is taken for zeros */
	uint32_t part_size;	/* its bytes, inside one page; 0 for none */
	uint32_t stream;	/* write around the caches: for more than they hold, that nobody reads soon */
};

struct ds_pt_packed {
	size_t bytes;		/* written */
	size_t pages;		/* packed; with DS_EMEMORY, the number of the page that is not there */
};

/* The bytes that count pages can take as chunks. */
size_t ds_pt_pack_bound(size_t count);

/*
 * Writes pages, sorted, as chunks, the first of which has this number; out is the better for being a multiple of 8.
 * DS_EORDER and DS_EINVAL as above, DS_ESPACE when capacity is below ds_pt_pack_bound(count), DS_EMEMORY.
 */
int ds_pt_pack(const struct ds_pt_pack *in, const uint64_t *pages, size_t count, uint32_t number, void *out, size_t capacity,
	       struct ds_pt_packed *ret);

/* crc32c over the crcs in the headers of chunks that ds_pt_pack() wrote, continued from chain. */
uint32_t ds_pt_chain(uint32_t chain, const void *chunks, size_t size);

/* What the header of a chunk says. */
struct ds_pt_chunk {
	uint64_t offset;	/* of the chunk in the data */
	uint64_t first_pa;
	uint64_t size;		/* bytes, with the header */
	uint32_t number;
	uint32_t pages;
	uint32_t list;		/* bytes of the page list */
	uint32_t body_crc;
	uint32_t crc;
};

/*
 * The header of the chunk at data, but for offset. DS_EFORMAT when there is none, or one that claims what no chunk can be; DS_ECORRUPT
 * when its crc does not fit; DS_EEND when the data ends before the chunk does.
 */
int ds_pt_chunk(const void *data, size_t size, struct ds_pt_chunk *ret);

/* The headers of the chunks that follow each other from data on; ret is how many are good. Status of the one after them, or DS_OK. */
int ds_pt_scan(const void *data, size_t size, struct ds_pt_chunk *chunks, size_t capacity, size_t *ret);

/* The next multiple of 8 from there on that a whole chunk or the trailer begins at, or size. */
size_t ds_pt_find(const void *data, size_t size, size_t from);

/* How far reading chunks came. */
struct ds_pt_unpacked {
	size_t chunks;		/* whole ones */
	size_t pages;
	size_t offset;		/* in the data: the end of what was good; unless the status is DS_ECORRUPT, of which the whole body is */
	uint64_t pa;		/* with DS_EMEMORY: the page that is not there */
	uint64_t end_pa;	/* the end of the last page of the last whole chunk */
	uint64_t levels[8];	/* pages by level */
};

/*
 * The page lists of chunks of data, as ds_pt_scan() found them there, one after the other; pages has room for as many as they say.
 * The bodies are checked. DS_ECORRUPT, DS_EFORMAT.
 */
int ds_pt_list(const void *data, const struct ds_pt_chunk *chunks, size_t count, uint64_t *pages, struct ds_pt_unpacked *ret);

struct ds_pt_unpack {
	const struct ds_memory *memory;	/* is written to */
	const uint64_t *moved;	/* where each page goes; NULL: where it was */
	uint64_t part_pa;	/* as in ds_pt_pack: only part of this page is written. The address is that before the move */
	uint32_t part_size;
	uint32_t stream;	/* go around the caches: for more than they hold */
};

/*
 * Puts the pages of chunks of data, as ds_pt_scan() found them there, into memory. Nothing but these pages is written; of a chunk
 * at fault, some may have been. DS_ECORRUPT, DS_EFORMAT; DS_EORDER when chunks do not ascend, DS_EMEMORY.
 */
int ds_pt_unpack(const void *data, const struct ds_pt_chunk *chunks, size_t count, const struct ds_pt_unpack *to,
		 struct ds_pt_unpacked *ret);

/* ---- folio records of a preserved memfd ---- */

/*
 * A record is two u64: page frame number (bits 0 to 51) and flags (bits 52 to 63), then the page offset in the file.
 * The index is what orders the records: it ascends, without repetition.
 */
struct ds_folio_rules {
	uint64_t pfn_limit;	/* page frame numbers are 1 to pfn_limit - 1 */
	uint64_t index_limit;	/* indices are below it: the size of the file in pages */
	uint32_t known_flags;
	uint32_t swap;		/* the records are of the other byte order */
};

/* The ways in which a record can be wrong, as indices of struct ds_folio_faults. */
#define DS_FOLIO_PFN_ZERO 0
#define DS_FOLIO_PFN_LIMIT 1
#define DS_FOLIO_FLAGS 2
#define DS_FOLIO_INDEX_LIMIT 3
#define DS_FOLIO_INDEX_ORDER 4
#define DS_FOLIO_FAULTS 5

struct ds_folio_faults {
	uint64_t count[DS_FOLIO_FAULTS];
	uint64_t first[DS_FOLIO_FAULTS];	/* record number of the first one, when count is not 0 */
};

/* Checks count records without writing them anywhere. */
int ds_folios_check(const void *records, size_t count, const struct ds_folio_rules *rules, struct ds_folio_faults *ret);

/* The same check, and the records as three arrays of count items: page frame number, flags, index. */
int ds_folios_decode(const void *records, size_t count, const struct ds_folio_rules *rules, uint64_t *pfn, uint16_t *flags,
		     uint64_t *index, struct ds_folio_faults *ret);

/* ---- flattened devicetrees ---- */

/* The limits of devstate/fdt/rules.py. */
#define DS_FDT_MAX_SIZE 2097152
#define DS_FDT_MAX_DEPTH 64
#define DS_FDT_MAX_NODES 65536
#define DS_FDT_MAX_PROPERTIES 131072
#define DS_FDT_MAX_NAME 255
#define DS_FDT_MAX_PROPERTY_NAMES 4096
#define DS_FDT_MAX_RESERVED 4096

/* What can be wrong with a blob, 0 is nothing. From DS_FDT_NO_ROOT on: the rules of devstate/fdt/rules.py, in their order. */
#define DS_FDT_HEADER 1		/* the header is cut, or there is less than its size */
#define DS_FDT_MAGIC 2
#define DS_FDT_VERSION 3
#define DS_FDT_CUT 4		/* less is there than the header says */
#define DS_FDT_BLOCK 5		/* a block is outside of the blob */
#define DS_FDT_RESERVE_END 6	/* the reserve map has no end */
#define DS_FDT_TOKEN 7		/* a token that is none, or not here; or the end of the structure block in place of one */
#define DS_FDT_PROPERTY 8	/* the structure block ends inside of a property */
#define DS_FDT_NAME 9		/* a name has no end or is outside of its block; a root with a name */
#define DS_FDT_LIMIT 10		/* one of the limits above */
#define DS_FDT_NO_ROOT 11
#define DS_FDT_ROOT_NOT_FIRST 12
#define DS_FDT_STRAY_PROPERTY 13
#define DS_FDT_PROPERTY_AFTER_SUBNODE 14
#define DS_FDT_DUPLICATE_PROPERTY 15
#define DS_FDT_DUPLICATE_NODE 16
#define DS_FDT_SLASH_IN_NAME 17
#define DS_FDT_EMPTY_NAME 18
#define DS_FDT_TRAILING_STRUCT 19
#define DS_FDT_MISALIGNED_BLOCK 20
#define DS_FDT_OVERLAPPING_BLOCKS 21

/* The first fault, in the order of a reader; and what was counted up to there. */
struct ds_fdt_verdict {
	uint32_t code;
	uint32_t nodes;		/* that have begun */
	uint32_t properties;	/* of nodes that have ended */
	uint32_t reserved;	/* 0 */
	uint64_t offset;	/* of the fault, in the blob */
};

/* Bytes of scratch memory that are enough for any blob of this size: four times as much, and some. */
size_t ds_fdt_scratch(size_t size);

/*
 * Judges the devicetree at the start of blob (which may be longer) as strictly as devstate.fdt.read() does, which has the same first
 * fault at the same offset. scratch is aligned to 8 bytes; what is in it before does not matter. DS_ESPACE when it is too small.
 */
int ds_fdt_validate(const void *blob, size_t size, void *scratch, size_t scratch_size, struct ds_fdt_verdict *ret);

/* cdef end */

#endif
