/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Two fields change places. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 count;
	u64 next;
} __packed;
