/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A counter gets wider. Before. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {
	u32 count;
	u32 domain;
} __packed;
