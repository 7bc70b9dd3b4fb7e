// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * CRC-32C: three interleaved streams of the SSE4.2 instruction, or eight bytes a step through tables.
 *
 * The instruction has a latency of three cycles and a throughput of one, so three independent streams keep it busy. Two
 * of the three results are then moved forward over the bytes of the streams behind them: a carry-less multiplication by
 * x^(8 * bytes - 33) mod P, in the reflected domain, which the instruction itself reduces (x^33 of it are given back by the
 * reduction and by the product being one bit short).
 */
#include "internal.h"

/*
 * The table of a byte is linear in its bits: entry i is the xor of the entries of its bits. So the eight entries of the
 * single bits stand for all 256, and the compiler makes the rest. Row k is for a byte that k more bytes follow.
 */
#define BIT(i, b, value) ((((i) >> (b)) & 1) * (value))
#define ENTRY(i, b0, b1, b2, b3, b4, b5, b6, b7) \
	(BIT(i, 0, b0) ^ BIT(i, 1, b1) ^ BIT(i, 2, b2) ^ BIT(i, 3, b3) ^ \
	 BIT(i, 4, b4) ^ BIT(i, 5, b5) ^ BIT(i, 6, b6) ^ BIT(i, 7, b7))
#define ROW(...) { EACH_256(ENTRY, __VA_ARGS__) }

static const uint32_t table[8][256] = {
	ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
	ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
	ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
	ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
	ROW(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
	ROW(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
	ROW(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
	ROW(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};

static uint32_t crc_portable(uint32_t crc, const uint8_t *at, size_t len)
{
	for (; len >= 8; at += 8, len -= 8) {
		uint64_t word = load64_le(at) ^ crc;

		crc = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
		      table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^ table[2][word >> 40 & 0xff] ^
		      table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
	}
	for (; len; at++, len--)
		crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
	return crc;
}

#ifdef DS_X86

/*
 * x^(8 * n - 33) mod P, reflected, for the distances that are used: how far a stream's result has to move. Long streams are
 * long for the sake of the prefetcher: with 1 KiB, memory is read at half the speed.
 */
#define LONG_STREAM 8192
#define LONG_BY_1 0x54a86326
#define LONG_BY_2 0x1dc403cc
#define MIDDLE_STREAM 512
#define MIDDLE_BY_1 0xdd7e3b0c
#define MIDDLE_BY_2 0x170076fa
#define SHORT_STREAM 128
#define SHORT_BY_1 0x0d3b6092
#define SHORT_BY_2 0xb9e02b86

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t moved(uint64_t crc, uint32_t distance)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128(distance), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t three_streams(uint64_t a, const uint8_t *at, size_t stream,
									     uint32_t by_1, uint32_t by_2)
{
	uint64_t b = 0, c = 0;

	for (const uint8_t *end = at + stream; at < end; at += 8) {
		a = _mm_crc32_u64(a, load64(at));
		b = _mm_crc32_u64(b, load64(at + stream));
		c = _mm_crc32_u64(c, load64(at + 2 * stream));
	}
	return c ^ _mm_crc32_u64(0, moved(a, by_2) ^ moved(b, by_1));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_x86(uint32_t crc, const uint8_t *at, size_t len)
{
	uint64_t state = crc;

	for (; len >= 3 * LONG_STREAM; at += 3 * LONG_STREAM, len -= 3 * LONG_STREAM)
		state = three_streams(state, at, LONG_STREAM, LONG_BY_1, LONG_BY_2);
	for (; len >= 3 * MIDDLE_STREAM; at += 3 * MIDDLE_STREAM, len -= 3 * MIDDLE_STREAM)
		state = three_streams(state, at, MIDDLE_STREAM, MIDDLE_BY_1, MIDDLE_BY_2);
	for (; len >= 3 * SHORT_STREAM; at += 3 * SHORT_STREAM, len -= 3 * SHORT_STREAM)
		state = three_streams(state, at, SHORT_STREAM, SHORT_BY_1, SHORT_BY_2);
	for (; len >= 8; at += 8, len -= 8)
		state = _mm_crc32_u64(state, load64(at));
	for (; len; at++, len--)
		state = _mm_crc32_u8((uint32_t)state, *at);
	return (uint32_t)state;
}

#endif

uint32_t ds_crc32c(uint32_t crc, const void *data, size_t len)
{
#ifdef DS_X86
	if (ds_features() & DS_FEATURE_CRC32C)
		return ~crc_x86(~crc, data, len);
#endif
	return ~crc_portable(~crc, data, len);
}
