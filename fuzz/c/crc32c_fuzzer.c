// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * CRC-32C equals the sum that is worked out bit by bit, and is the same in two parts. A long input is the short one again and
 * again, so that the long streams run too.
 */
#include "harness.h"

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *data, size_t size)
{
	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & (0 - (crc & 1)));
	}
	return ~crc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint32_t start = (uint32_t)take(&input, 4);
	size_t repeat = take(&input, 1) % 16 ? 1 : 32, total = input.left * repeat, part;
	uint8_t *bytes = exact(NULL, total);
	uint32_t expected;

	for (size_t i = 0; i < total; i++)
		bytes[i] = input.at[i % input.left];
	expected = bit_by_bit(start, bytes, total);
	HOLDS(ds_crc32c(start, bytes, total) == expected);
	part = total ? (start >> 3) % total : 0;
	HOLDS(ds_crc32c(ds_crc32c(start, bytes, part), bytes + part, total - part) == expected);
	free(bytes);
	return 0;
}
