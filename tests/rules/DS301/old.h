/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Two fields come before the others. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 pos;
	u64 count;
} __packed;
