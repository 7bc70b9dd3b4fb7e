/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A page number gets two bits of the flags. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u64 pfn:54;
	u64 flags:10;
} __packed;
