// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The formats of IOMMU page tables.
 */
#include "internal.h"
#include "pt_formats.gen.h"

const struct ds_pt_format *ds_pt_format(uint32_t number)
{
	return number < sizeof(formats) / sizeof(*formats) ? &formats[number] : NULL;
}
