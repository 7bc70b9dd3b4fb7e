// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Folio records: columns and faults are those of the record-by-record reading. The input is repeated with rising indices to fill
 * more than one block, so that blocks without a fault are there too.
 */
#include "harness.h"

#define RECORD 16

/* The flags and the page frame number of a first word; of the other byte order (that of big machines, on ours) the number is above. */
static uint64_t word_of(uint64_t pfn, uint64_t flags, uint32_t swap)
{
	return swap ? pfn << 12 | flags : flags << 52 | pfn;
}

static void expect(const uint8_t *records, size_t count, const struct ds_folio_rules *rules, struct ds_folio_faults *ret)
{
	uint64_t before = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < count; i++) {
		uint64_t word = get64(records + RECORD * i, rules->swap), index = get64(records + RECORD * i + 8, rules->swap);
		uint64_t pfn = rules->swap ? word >> 12 : word << 12 >> 12, flags = rules->swap ? word & 0xfff : word >> 52;
		bool wrong[DS_FOLIO_FAULTS] = { pfn == 0, pfn >= rules->pfn_limit, flags & ~(uint64_t)rules->known_flags,
						index >= rules->index_limit, i && index <= before };

		for (int fault = 0; fault < DS_FOLIO_FAULTS; fault++) {
			if (wrong[fault] && !ret->count[fault])
				ret->first[fault] = i;
			ret->count[fault] += wrong[fault];
		}
		before = index;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t how = take(&input, 1);
	struct ds_folio_rules rules = { .swap = how & 1, .known_flags = how & 2 ? 3 : 0xfff, .pfn_limit = UINT64_C(1) << (how & 4 ? 52 : 8),
					.index_limit = how & 8 ? UINT64_MAX : 4000 };
	size_t own = input.left / RECORD, filling = how & 16 ? take(&input, 1) * 3 : 0, count = own + filling;
	uint8_t *records = exact(NULL, count * RECORD);
	uint64_t *pfn = exact(NULL, count * 8), *index = exact(NULL, count * 8);
	uint16_t *flags = exact(NULL, count * 2);
	struct ds_folio_faults expected, found;

	own = input.left / RECORD;
	count = own + filling;
	for (size_t i = 0; i < filling; i++) {
		put64(records + RECORD * i, word_of(1, 3, rules.swap), rules.swap);
		put64(records + RECORD * i + 8, i, rules.swap);
	}
	if (own)
		memcpy(records + RECORD * filling, input.at, own * RECORD);
	expect(records, count, &rules, &expected);
	HOLDS(ds_folios_check(records, count, &rules, &found) == DS_OK);
	HOLDS(!memcmp(&expected, &found, sizeof(found)));
	HOLDS(ds_folios_decode(records, count, &rules, pfn, flags, index, &found) == DS_OK);
	HOLDS(!memcmp(&expected, &found, sizeof(found)));
	for (size_t i = 0; i < count; i++) {
		HOLDS(word_of(pfn[i], flags[i], rules.swap) == get64(records + RECORD * i, rules.swap));
		HOLDS(index[i] == get64(records + RECORD * i + 8, rules.swap));
	}
	free(records);
	free(pfn);
	free(flags);
	free(index);
	return 0;
}
