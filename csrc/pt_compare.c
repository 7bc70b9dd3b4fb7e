// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What two trees of tables map differently: both are walked at once, and what is not the same is cut where either side changes.
 */
#include "pt.h"

/* What is left of the extent that a side is at; NULL at the end of the side. */
static struct ds_pt_extent *current_of(struct ds_pt_side *side)
{
	if (side->next == side->used) {
		side->next = 0;
		if (ds_pt_walk_next(side->walk, side->room, side->capacity, &side->used))
			side->used = 0;
	}
	return side->used ? &side->room[side->next] : NULL;
}

static void advance(struct ds_pt_side *side, uint64_t size)
{
	struct ds_pt_extent *extent = &side->room[side->next];

	extent->iova += size;
	extent->pa += size;
	extent->size -= size;
	side->next += !extent->size;
}

/* The first piece of two extents, of which one may be absent; kind is DS_PT_DIFFERENCES where they are the same. */
static struct ds_pt_difference first_piece(const struct ds_pt_extent *old, const struct ds_pt_extent *new)
{
	uint64_t noted = DS_PT_ACCESSED | DS_PT_DIRTY;
	struct ds_pt_difference piece;

	if (!new || (old && old->iova < new->iova)) {
		piece = (struct ds_pt_difference){ .iova = old->iova, .size = old->size, .kind = DS_PT_ONLY_OLD, .old_pa = old->pa,
						   .old_attributes = old->attributes };
		if (new && new->iova - old->iova < piece.size)
			piece.size = new->iova - old->iova;
		return piece;
	}
	if (!old || new->iova < old->iova) {
		piece = (struct ds_pt_difference){ .iova = new->iova, .size = new->size, .kind = DS_PT_ONLY_NEW, .new_pa = new->pa,
						   .new_attributes = new->attributes };
		if (old && old->iova - new->iova < piece.size)
			piece.size = old->iova - new->iova;
		return piece;
	}
	piece = (struct ds_pt_difference){ .iova = old->iova, .size = old->size < new->size ? old->size : new->size, .old_pa = old->pa,
					   .old_attributes = old->attributes, .new_pa = new->pa, .new_attributes = new->attributes };
	if (old->pa != new->pa)
		piece.kind = DS_PT_TARGET;
	else if ((old->attributes | noted) != (new->attributes | noted))
		piece.kind = DS_PT_ATTRIBUTES;
	else if (old->attributes != new->attributes)
		piece.kind = DS_PT_TOUCHED;
	else
		piece.kind = DS_PT_DIFFERENCES;
	return piece;
}

/* Whether a piece goes on where the difference before it ends, and differs in the same way. */
static bool goes_on(const struct ds_pt_difference *before, const struct ds_pt_difference *piece)
{
	if (!before->size || before->kind != piece->kind || before->iova + before->size != piece->iova)
		return false;
	if (before->old_attributes != piece->old_attributes || before->new_attributes != piece->new_attributes)
		return false;
	return (piece->kind == DS_PT_ONLY_NEW || before->old_pa + before->size == piece->old_pa) &&
	       (piece->kind == DS_PT_ONLY_OLD || before->new_pa + before->size == piece->new_pa);
}

int ds_pt_compare_next(struct ds_pt_compare *compare, struct ds_pt_difference *differences, size_t capacity, size_t *ret)
{
	struct ds_pt_side *sides = compare->sides;
	struct ds_pt_difference *open = &compare->open;
	size_t used = 0;

	if (!capacity || !sides[0].capacity || !sides[1].capacity)
		return DS_EINVAL;
	while (used < capacity) {
		struct ds_pt_extent *old = current_of(&sides[0]), *new = current_of(&sides[1]);
		struct ds_pt_difference piece = { .size = 0 };

		if (old || new) {
			piece = first_piece(old, new);
			if (piece.kind != DS_PT_ONLY_NEW)
				advance(&sides[0], piece.size);
			if (piece.kind != DS_PT_ONLY_OLD)
				advance(&sides[1], piece.size);
			if (piece.kind == DS_PT_DIFFERENCES)
				continue;
			compare->totals[piece.kind] += piece.size;
			if (goes_on(open, &piece)) {
				open->size += piece.size;
				continue;
			}
		}
		if (open->size)
			differences[used++] = *open;
		*open = piece;
		if (!piece.size)
			break;
	}
	*ret = used;
	return DS_OK;
}
