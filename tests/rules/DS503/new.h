/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A pointer of the kernel comes into a record. After. */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct iommu_domain;

struct demo_ser {
	u64 domain;
	struct iommu_domain *restored;
} __packed;
