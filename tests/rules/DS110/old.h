/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The elements of an array grow. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_entry_ser {
	u64 token;
	u32 type;
} __packed;

struct demo_ser {
	u64 count;
	struct demo_entry_ser entries[];
} __packed;
