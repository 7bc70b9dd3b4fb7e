/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reserved bytes are taken. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 start;
	u32 generation;
} __packed;
