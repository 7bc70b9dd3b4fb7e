/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A schema says that count stands at 8, the header has it at 12. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 start;
	u64 count;
} __packed;
