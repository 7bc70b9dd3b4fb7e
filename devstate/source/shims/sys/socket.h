/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../stddef.h"
#ifndef DEVSTATE_SOCKADDR
#define DEVSTATE_SOCKADDR
struct sockaddr {
	unsigned short sa_family;
	char sa_data[14];
};
#endif
