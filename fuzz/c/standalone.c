// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs a fuzz target without libFuzzer: on the files that are named, else on inputs made up from a seed.
 *
 *   target [-runs=N] [-seed=N] [FILE...]
 *
 * The inputs are not guided by coverage. They are short more often than long, and made of the bytes that matter more often
 * than of others: enough to run every property in CI with gcc alone, and to run again what a real fuzzer has found.
 */
#include "harness.h"

#define LONGEST 4096

static uint64_t state;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % below;
}

static size_t make_up(uint8_t *data)
{
	static const uint8_t telling[] = { 0, 0, 0, 1, 2, 3, 7, 8, 63, 64, 127, 128, 254, 255 };
	size_t size = chance((uint64_t)1 << (1 + chance(12)));
	uint64_t wild = chance(4);

	for (size_t i = 0; i < size; i++)
		data[i] = chance(4) < wild ? (uint8_t)chance(256) : telling[chance(sizeof(telling))];
	return size;
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) {
		perror(path);
		return 1;
	}
	data = exact(NULL, (size_t)size);
	if (fread(data, 1, (size_t)size, file) != (size_t)size) {
		perror(path);
		return 1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long long runs = 10000, seed = 1, number;
	uint8_t buffer[LONGEST];
	int files = 0;

	for (int i = 1; i < argc; i++) {
		if (sscanf(argv[i], "-runs=%llu", &number) == 1)
			runs = number;
		else if (sscanf(argv[i], "-seed=%llu", &number) == 1)
			seed = number;
		else if (files++, run_file(argv[i]))
			return 1;
	}
	state = seed * 0x9e3779b97f4a7c15u + 1;
	for (number = 0; !files && number < runs; number++) {
		size_t size = make_up(buffer);
		uint8_t *data = exact(buffer, size);

		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	printf("%llu inputs\n", files ? (unsigned long long)files : runs);
	return 0;
}
