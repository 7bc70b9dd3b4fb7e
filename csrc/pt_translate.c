// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What an IOMMU does: one iova through the tables; and a device behind it, whose writes go where the tables say.
 */
#include "pt.h"

#define TLB_SHIFT 12
#define TLB_VALID 1		/* in a tag, whose low bits are free */

/* Whether the bits of an iova above what the tables look at are as they must be. */
static bool is_canonical(const struct ds_pt_root *root, uint64_t iova)
{
	uint32_t bits = pt_shift(root->format, root->levels - 1) + (uint32_t)__builtin_ctz(root->top_entries);
	uint64_t high = bits < 64 ? iova >> bits : 0, ones = bits < 64 ? ~UINT64_C(0) >> bits : 0;
	bool upper = iova >> (bits - 1) & 1;

	if (root->sign_extended == DS_PT_UPPER)
		return high == ones;
	return high == (root->sign_extended && upper ? ones : 0);
}

int ds_pt_translate(const struct ds_memory *memory, const struct ds_pt_root *root, uint64_t iova, struct ds_pt_extent *ret)
{
	const struct ds_pt_format *format = root->format;
	uint64_t pa = root->top_pa, lost = 0, unit;
	uint32_t level = root->levels - 1;
	size_t region = 0;

	*ret = (struct ds_pt_extent){ .iova = iova };
	if (pt_root_check(root))
		return DS_EINVAL;
	if (!is_canonical(root, iova))
		return DS_OK;
	for (;;) {
		uint64_t size = pt_table_size(root, level), entry, low, index, offset;
		const uint8_t *entries = memory_at(memory, pa, size, &region, &unit);
		uint32_t shift = pt_shift(format, level), below;
		enum pt_kind kind;
		int bits;

		if (!entries)
			return DS_EMEMORY;
		index = iova >> shift & (size / 8 - 1);
		entry = load64_le(entries + 8 * index);
		kind = pt_kind(format, entry, level, &below);
		if (kind == PT_TABLE) {
			/* The bits of levels that are left out must be 0. */
			if ((iova & ((UINT64_C(1) << shift) - 1)) >> pt_shift(format, below + 1))
				return DS_OK;
			lost |= pt_tests(format->limits, entry);
			pa = pt_table_pa(format, entry);
			level = below;
			continue;
		}
		if (kind != PT_LEAF)
			return DS_OK;
		bits = pt_run_bits(format, entry, level);
		if (bits < 0)
			return DS_OK;
		low = (UINT64_C(1) << (shift + (uint32_t)bits)) - 1;
		/* Not simply the low bits of the iova: a run may be said to be longer than the table that it is in. */
		offset = (index << shift | (iova & ((UINT64_C(1) << shift) - 1))) & low;
		ret->pa = (pt_leaf_pa(format, entry, level) & ~low) | offset;
		ret->size = low + 1 - offset;
		ret->attributes = pt_attributes(format, entry, level) & ~lost;
		return DS_OK;
	}
}

/* Where a page of iovas goes; through the cache. False: it may not be written. */
static bool look_up(struct ds_dma *dma, uint64_t page, uint64_t *pa)
{
	struct ds_tlb *cached = &dma->tlb[page & (dma->tlb_size - 1)];
	uint64_t tag = page << TLB_SHIFT | TLB_VALID;
	struct ds_pt_extent found;

	if (cached->tag != tag) {
		dma->walks++;
		if (ds_pt_translate(dma->memory, &dma->root, page << TLB_SHIFT, &found) || !found.size ||
		    !(found.attributes & DS_PT_WRITE))
			return false;
		*cached = (struct ds_tlb){ .tag = tag, .pa = found.pa };
	}
	*pa = cached->pa;
	return true;
}

int ds_dma_write(struct ds_dma *dma, uint64_t iova, const void *data, size_t size, size_t *ret)
{
	const uint8_t *from = data;
	uint64_t unit, pa;
	size_t region = 0;

	*ret = 0;
	if (!dma->tlb_size || dma->tlb_size & (dma->tlb_size - 1) || pt_root_check(&dma->root))
		return DS_EINVAL;
	while (*ret < size) {
		uint64_t offset = (iova + *ret) & ((1u << TLB_SHIFT) - 1), left = (1u << TLB_SHIFT) - offset;
		size_t part = size - *ret < left ? size - *ret : left;
		void *to;

		if (!look_up(dma, (iova + *ret) >> TLB_SHIFT, &pa))
			return DS_EFORMAT;
		/* The caller says that this memory may be written to. */
		to = (void *)(uintptr_t)memory_at(dma->memory, pa + offset, part, &region, &unit);
		if (!to)
			return DS_EMEMORY;
		memcpy(to, from + *ret, part);
		*ret += part;
	}
	return DS_OK;
}

int ds_dma_stamps(struct ds_dma *dma, const struct ds_ring *ring, uint64_t first, uint64_t count, uint64_t *ret)
{
	int status;

	*ret = 0;
	if (!ring->slots || ring->stride < sizeof(struct ds_stamp))
		return DS_EINVAL;
	for (; *ret < count; ++*ret) {
		struct ds_stamp stamp = { .sequence = first + *ret, .device = ring->device };
		size_t written;

		stamp.check = ds_crc32c(0, &stamp, offsetof(struct ds_stamp, check));
		status = ds_dma_write(dma, ring->iova + stamp.sequence % ring->slots * ring->stride, &stamp, sizeof(stamp), &written);
		if (status)
			return status;
	}
	return DS_OK;
}
