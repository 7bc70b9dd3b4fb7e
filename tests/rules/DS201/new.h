/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A value is no longer known. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

enum demo_state { DEMO_IDLE, DEMO_BUSY };

struct demo_ser {
	enum demo_state state;
} __packed;
