/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The elements of an array grow. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_entry_ser {
	u64 token;
	u32 type;
	u32 flags;
} __packed;

struct demo_ser {
	u64 count;
	struct demo_entry_ser entries[];
} __packed;
