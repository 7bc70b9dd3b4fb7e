/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A node number loses its sign. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u32 nid;
	u32 count;
} __packed;
