/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A field comes at the end. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 start;
	u32 count;
} __packed;
