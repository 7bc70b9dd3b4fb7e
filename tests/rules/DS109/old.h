/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A bitmap gets longer. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 start;
	u8 bitmap[16];
} __packed;
