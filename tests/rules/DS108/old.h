/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A page number gets two bits of the flags. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 pfn:52;
	u64 flags:12;
} __packed;
