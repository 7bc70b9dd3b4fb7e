/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A struct that is asked for is not there. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 start;
} __packed;
