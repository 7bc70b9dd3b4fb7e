/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Two fields change places. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 next;
	u64 count;
} __packed;
