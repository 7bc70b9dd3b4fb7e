/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "stddef.h"
#ifndef _STRUCT_TIMESPEC
#define _STRUCT_TIMESPEC
struct timespec {
	long tv_sec;
	long tv_nsec;
};
#endif
