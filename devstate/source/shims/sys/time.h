/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../time.h"
#ifndef DEVSTATE_TIMEVAL
#define DEVSTATE_TIMEVAL
struct timeval {
	long tv_sec;
	long tv_usec;
};
#endif
