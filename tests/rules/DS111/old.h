/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reserved bytes are taken. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 start;
	u8 reserved[4];
} __packed;
