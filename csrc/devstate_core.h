/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The C core of devstate: the whole public interface.
 *
 * Promises, for any input, hostile included:
 *   - nothing is read or written outside of the buffers that the caller gives;
 *   - no memory is allocated, no state is kept between calls, nothing is printed: any thread may call anything;
 *   - no recursion; time is linear in the bytes that are really there, never in a number that they claim;
 *   - a function that can fail returns DS_OK or a negative status of DS_STATUS_TABLE, and leaves its result in the
 *     last parameter, named ret. Counts in results say what was needed, even when the buffer was too small for it.
 *
 * The lines between "cdef begin" and "cdef end" are also read by csrc/build_core.py: that is the Python binding, there is
 * no second list.
 */
#ifndef DEVSTATE_CORE_H
#define DEVSTATE_CORE_H

#include <stddef.h>
#include <stdint.h>

/* Every status: X(name, value, text). build_core.py makes the same enum for Python out of this table. */
#define DS_STATUS_TABLE(X) \
	X(DS_OK, 0, "success") \
	X(DS_EINVAL, -1, "an argument is outside of what the function takes") \
	X(DS_ESPACE, -2, "the output buffer is too small") \
	X(DS_EORDER, -3, "the input is not sorted or overlaps")

enum ds_status {
#define DS_STATUS_ENUM(name, value, text) name = value,
	DS_STATUS_TABLE(DS_STATUS_ENUM)
#undef DS_STATUS_ENUM
};

/* cdef begin */

/* The text of a status of DS_STATUS_TABLE; "unknown status" for any other number. Never NULL. */
const char *ds_status_text(int status);

/* Instruction sets that the running machine has and this build uses, as bits. */
#define DS_FEATURE_CRC32C 1
#define DS_FEATURE_AVX2 2
uint32_t ds_features(void);

/*
 * CRC-32C (Castagnoli) of len bytes. crc is 0 to start, or the result over the bytes before.
 * The check value, over "123456789", is 0xE3069283. It finds accidents; it is no protection against intent.
 */
uint32_t ds_crc32c(uint32_t crc, const void *data, size_t len);

/* cdef end */

#endif
