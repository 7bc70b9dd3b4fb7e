/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A pointer of the kernel comes into a record. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 domain;
} __packed;
