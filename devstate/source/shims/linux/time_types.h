/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Facts: include/uapi/linux/time_types.h, whose guard this is, so that the real one may stand beside it. */
#ifndef _UAPI_LINUX_TIME_TYPES_H
#define _UAPI_LINUX_TIME_TYPES_H
struct __kernel_timespec {
	__kernel_time64_t tv_sec;
	long long tv_nsec;
};
struct __kernel_old_timespec {
	__kernel_old_time_t tv_sec;
	long tv_nsec;
};
struct __kernel_old_timeval {
	__kernel_long_t tv_sec;
	__kernel_long_t tv_usec;
};
struct __kernel_sock_timeval {
	s64 tv_sec;
	s64 tv_usec;
};
#endif
