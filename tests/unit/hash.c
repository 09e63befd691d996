// SPDX-License-Identifier: GPL-2.0-only
/* Tests of include/sluice/hash.h: what it gives, and how well its bits are mixed. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/ip.h"
#include "sluice/flow.h"
#include "sluice/hash.h"
#include "sluice/limits.h"

static struct flow_key key_make(const char *source, const char *destination, uint16_t source_port,
				uint16_t destination_port, uint8_t protocol)
{
	struct flow_key key = {.source_port = htons(source_port),
			       .destination_port = htons(destination_port),
			       .protocol = protocol};
	struct ip ip;

	assert_int_equal(ip_parse(source, &ip), 0);
	memcpy(key.source, ip.word, sizeof(key.source));
	key.family = ip_family(&ip);
	assert_int_equal(ip_parse(destination, &ip), 0);
	memcpy(key.destination, ip.word, sizeof(key.destination));
	return key;
}

/* The vectors come from an implementation of their own in another language, little-endian. */
static void vectors_flow(void **context)
{
	static const struct {
		const char *source, *destination;
		uint16_t source_port, destination_port;
		uint8_t protocol;
		uint64_t seed, hash;
	} rows[] = {
		{"192.0.2.1", "198.51.100.80", 40000, 80, 6, 1, 0x3fb6980abc2fb37bULL},
		{"192.0.2.1", "198.51.100.80", 40000, 80, 17, 1, 0x0ec0a827b0f15de5ULL},
		{"192.0.2.1", "198.51.100.80", 40000, 80, 6, 0, 0x8d2a6f3c5fd7accaULL},
		{"255.255.255.255", "255.255.255.255", 65535, 65535, 6, UINT64_MAX,
		 0x9eb973617ad2231aULL},
		{"2001:db8::1", "2001:db8:1::80", 40000, 443, 6, 1, 0x8dbf7daea4da1499ULL},
		{"2001:db8::2", "2001:db8:1::80", 1, 443, 17, 0x123456789abcdefULL,
		 0x7f91c08c0d629673ULL},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_key key =
			key_make(rows[i].source, rows[i].destination, rows[i].source_port,
				 rows[i].destination_port, rows[i].protocol);

		assert_int_equal(hash_flow(&key, rows[i].seed), rows[i].hash);
	}
}

static void vectors_source(void **context)
{
	struct flow_key v4 = key_make("192.0.2.1", "198.51.100.80", 40000, 80, 6);
	struct flow_key v6 = key_make("2001:db8::1", "2001:db8:1::80", 40000, 443, 6);
	struct ip vip;

	(void)context;
	assert_int_equal(hash_source(&v4, 1, 0), 0x05ed1a8d1a806b42ULL);
	assert_int_equal(hash_source(&v4, 1, 1), 0x0e600d82443ad7e8ULL);
	assert_int_equal(hash_source(&v6, 1, 0), 0xf661fa9f73721fcdULL);
	assert_int_equal(hash_source(&v6, 1, 1), 0xde401864e4b331cbULL);
	assert_int_equal(ip_parse("192.0.2.80", &vip), 0);
	assert_int_equal(hash_vip_bit(vip.word), 0xb18c);
	assert_int_equal(ip_parse("2001:db8::80", &vip), 0);
	assert_int_equal(hash_vip_bit(vip.word), 0x9255);
}

/* Those bits of a key that a sender can choose: the whole key but protocol, family, reserved. */
static void key_flip(struct flow_key *key, unsigned int bit)
{
	((uint8_t *)key)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

/*
 * Each input bit is to flip each output bit in half of the cases: 2,048 keys give a standard
 * deviation of 1.1%, so 8% is more than 7 of them.
 */
static void avalanche(void **context)
{
	static uint32_t flips[64];
	const unsigned int keys = 2048, bits = 36 * 8;
	uint64_t random = 7;

	(void)context;
	for (unsigned int bit = 0; bit < bits; bit++) {
		memset(flips, 0, sizeof(flips));
		for (unsigned int i = 0; i < keys; i++) {
			struct flow_key key = {.family = 6, .protocol = IPPROTO_TCP};
			uint64_t before, change;

			for (size_t n = 0; n < 36; n++)
				((uint8_t *)&key)[n] = (uint8_t)unit_next(&random);
			before = hash_flow(&key, 1);
			key_flip(&key, bit);
			change = before ^ hash_flow(&key, 1);
			for (unsigned int out = 0; out < 64; out++)
				flips[out] += (uint32_t)(change >> out & 1);
		}
		for (unsigned int out = 0; out < 64; out++)
			assert_in_range(flips[out], keys * 42 / 100, keys * 58 / 100);
	}
}

/* Chi-square of counts over cells, as standard deviations from its mean. */
static double chi_deviation(const uint32_t *counts, uint32_t cells, double expected)
{
	double chi = 0, degrees = cells - 1, deviation;

	for (uint32_t i = 0; i < cells; i++)
		chi += (counts[i] - expected) * (counts[i] - expected) / expected;
	deviation = (chi - degrees) / 2;
	return deviation * deviation / (degrees / 2); /* squared, to spare libm */
}

/*
 * Real keys are rows, not random: one client's ports, a subnet's addresses. The bits that choose
 * bucket, tag and slot are to be as even as random ones: within 6 standard deviations.
 */
static void uniform_rows(void **context)
{
	static uint32_t buckets[4096], tags[4096], slots[4093];
	const uint32_t flows = 1 << 18;

	(void)context;
	for (int kind = 0; kind < 4; kind++) {
		memset(buckets, 0, sizeof(buckets));
		memset(tags, 0, sizeof(tags));
		memset(slots, 0, sizeof(slots));
		for (uint32_t i = 0; i < flows; i++) {
			struct flow_key key = key_make("10.0.0.1", "192.0.2.80", 1024, 80, 6);
			uint64_t hash;

			if (kind == 3)
				key = key_make("2001:db8::1", "2001:db8::80", 1024, 80, 6);
			if (kind == 0)
				key.source[3] = htonl(0x0a000000 + i);
			else if (kind == 1)
				key.source[3] = htonl(0x0a000000 + (i << 6));
			else if (kind == 2)
				key.source[3] = htonl(0x0a000000 + (i >> 15));
			else
				key.source[1] = htonl(i);
			if (kind == 2)
				key.source_port = htons((uint16_t)(1024 + (i & 0x7fff)));
			hash = hash_flow(&key, 1);
			buckets[hash & 4095]++;
			tags[hash >> 52]++;
			slots[slot_of_tag((uint32_t)(hash >> SLUICE_TAG_SHIFT), 4093)]++;
		}
		assert_true(chi_deviation(buckets, 4096, flows / 4096.0) < 36);
		assert_true(chi_deviation(tags, 4096, flows / 4096.0) < 36);
		assert_true(chi_deviation(slots, 4093, flows / 4093.0) < 36);
	}
}

/* The odds of a false match in flow.h hold only if tag and bucket do not depend on one another. */
static void tag_and_bucket_apart(void **context)
{
	static uint32_t cells[4096];
	const uint32_t flows = 1 << 18;

	(void)context;
	memset(cells, 0, sizeof(cells));
	for (uint32_t i = 0; i < flows; i++) {
		struct flow_key key = key_make("10.0.0.1", "192.0.2.80", 1024, 80, 6);
		uint64_t hash;

		key.source[3] = htonl(0x0a000000 + (i >> 10));
		key.source_port = htons((uint16_t)(1024 + (i & 0x3ff)));
		hash = hash_flow(&key, 1);
		cells[(hash & 63) << 6 | hash >> 58]++;
	}
	assert_true(chi_deviation(cells, 4096, flows / 4096.0) < 36);
}

static void seed_matters(void **context)
{
	struct flow_key key = key_make("10.0.0.1", "192.0.2.80", 1024, 80, 6);

	(void)context;
	for (uint64_t seed = 1; seed < 64; seed++)
		assert_int_not_equal(hash_flow(&key, seed), hash_flow(&key, 1ULL << seed | 1 << 7));
}

static const struct CMUnitTest cases[] = {
	CASE(vectors_flow, "unit/hash: flows hash to the pinned values"),
	CASE(vectors_source, "unit/hash: sources and VIPs hash to the pinned values"),
	CASE(avalanche,
	     "unit/hash: every bit of the key flips every bit of the hash half the time"),
	CASE(uniform_rows, "unit/hash: rows of keys spread evenly over buckets, tags and slots"),
	CASE(tag_and_bucket_apart,
	     "unit/hash: bucket and tag of a flow do not depend on each other"),
	CASE(seed_matters, "unit/hash: another seed gives another hash"),
};

UNIT_MAIN("hash", cases)
