/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A struct is no longer packed. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u32 version;
	u64 start;
	u32 count;
} __packed;
