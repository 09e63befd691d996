// SPDX-License-Identifier: GPL-2.0-only
/* Tests of include/sluice/flow.h: words of the flow table and of the slot tables. */
#include "unit.h"

#include "sluice/abi.h"
#include "sluice/flow.h"
#include "sluice/limits.h"

static void entry_round_trip(void **context)
{
	uint64_t random = 11;

	(void)context;
	for (int i = 0; i < 100000; i++) {
		uint64_t hash = unit_next(&random);
		uint32_t backend = (uint32_t)unit_next(&random) & (SLUICE_BACKENDS_MAX - 1);
		uint32_t seen = (uint32_t)unit_next(&random);
		enum flow_state state = FLOW_CLOSING + (enum flow_state)(unit_next(&random) % 3);
		uint64_t entry = flow_entry(hash, backend, seen, state);

		assert_int_equal(flow_entry_tag(entry), hash >> SLUICE_TAG_SHIFT);
		assert_int_equal(flow_entry_backend(entry), backend);
		assert_int_equal(flow_entry_seen(entry), seen & SLUICE_SEEN_MASK);
		assert_int_equal(flow_entry_state(entry), state);
		assert_int_not_equal(entry, 0);
	}
}

static void entry_layout(void **context)
{
	(void)context;
	assert_int_equal(flow_entry(UINT64_MAX, 0, 0, 0), 0xfffffff000000000ULL);
	assert_int_equal(flow_entry(0, 0xfffff, 0, 0), 0x0000000fffff0000ULL);
	assert_int_equal(flow_entry(0, 0, UINT32_MAX, 0), 0x000000000000fff8ULL);
	assert_int_equal(flow_entry(0, 0, 0, FLOW_PROVEN), 3);
}

static void entry_ages_wrap(void **context)
{
	uint64_t entry = flow_entry(1, 2, SLUICE_SEEN_MASK - 1, FLOW_PROVEN);

	(void)context;
	assert_int_equal(flow_entry_age(entry, SLUICE_SEEN_MASK - 1), 0);
	assert_int_equal(flow_entry_age(entry, SLUICE_SEEN_MASK + 1), 2);
	assert_int_equal(flow_entry_age(entry, 3), 5);
}

static void slot_words(void **context)
{
	(void)context;
	assert_int_equal(slot_word(3, 5), 0x00050003);
	assert_int_equal(slot_current(slot_word(SLUICE_NO_BACKEND, 5)), SLUICE_NO_BACKEND);
	assert_int_equal(slot_previous(slot_word(3, SLUICE_NO_BACKEND)), SLUICE_NO_BACKEND);
}

static void slot_range(void **context)
{
	const uint32_t sizes[] = {SLUICE_SLOTS_SMALL, SLUICE_SLOTS_MEDIUM, SLUICE_SLOTS_LARGE,
				  SLUICE_SLOTS_HUGE};

	(void)context;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(slot_of_tag(0, sizes[i]), 0);
		assert_int_equal(slot_of_tag((1u << SLUICE_TAG_BITS) - 1, sizes[i]), sizes[i] - 1);
		for (uint32_t divisor = 2; divisor * divisor <= sizes[i]; divisor++)
			assert_int_not_equal(sizes[i] % divisor, 0);
	}
}

static void table_words(void **context)
{
	uint64_t word = table_word(0x12345678, 0x1abcd, 0x3fff);

	(void)context;
	assert_int_equal(table_line(word), 0x12345678);
	assert_int_equal(table_generation(word), 0xabcd);
	assert_int_equal(table_tick(word), 0x1fff);
}

static const struct CMUnitTest cases[] = {
	CASE(entry_round_trip, "unit/flow: an entry gives back what was packed into it"),
	CASE(entry_layout, "unit/flow: the parts of an entry are where the layout says"),
	CASE(entry_ages_wrap, "unit/flow: ages are right when ticks wrap"),
	CASE(slot_words, "unit/flow: a slot word holds both owners, or none"),
	CASE(slot_range, "unit/flow: every tag has a slot, and table sizes are primes"),
	CASE(table_words, "unit/flow: the table word holds line, generation and tick"),
};

UNIT_MAIN("flow", cases)
