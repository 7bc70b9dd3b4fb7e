// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Status texts and the features of the running machine.
 */
#include "internal.h"

const char *ds_status_text(int status)
{
	switch (status) {
#define DS_STATUS_TEXT(name, value, text) \
	case name: \
		return text;
	DS_STATUS_TABLE(DS_STATUS_TEXT)
#undef DS_STATUS_TEXT
	default:
		return "unknown status";
	}
}

uint32_t ds_features(void)
{
	uint32_t features = 0;

#ifdef DS_X86
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
		features |= DS_FEATURE_CRC32C;
	/* One question for the whole generation: what has AVX2 has the bit instructions, unless somebody masked them. */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
	    __builtin_cpu_supports("popcnt"))
		features |= DS_FEATURE_AVX2;
#endif
	return features;
}
