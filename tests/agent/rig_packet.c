// SPDX-License-Identifier: GPL-2.0-only
/* Packets of the rig's flows: built, run through the program, and judged. */
#include <arpa/inet.h>
#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "rig.h"

#define ETHERNET     14u
#define IPV4         20u
#define FRAME_LENGTH 64u
#define SERVICE_PORT 80u

static void put_word(uint8_t *place, uint32_t value)
{
	place[0] = (uint8_t)(value >> 8);
	place[1] = (uint8_t)value;
}

/* RFC 1071; 0 for a header whose checksum is right. */
static uint16_t sum_of(const uint8_t *data, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += ((uint32_t)data[i] << 8) + data[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void frame_fill(const struct rig *rig, const struct rig_flow *flow, enum rig_packet kind,
		       uint8_t frame[FRAME_LENGTH])
{
	static const uint8_t link[ETHERNET] = {2, 0xaa, 0, 0, 0, 1, 2, 0xbb, 0, 0, 0, 2, 8, 0};
	const struct rig_service *service = &rig->services[flow->service];
	uint8_t *ip = frame + ETHERNET, *transport = ip + IPV4;

	memset(frame, 0, FRAME_LENGTH);
	memcpy(frame, link, sizeof(link));
	ip[0] = 0x45;
	put_word(ip + 2, FRAME_LENGTH - ETHERNET);
	ip[8] = 61;
	ip[9] = service->protocol;
	put_word(ip + 12, flow->address >> 16);
	put_word(ip + 14, flow->address);
	memcpy(ip + 16, &service->vip.word[3], 4);
	put_word(ip + 10, sum_of(ip, IPV4));
	put_word(transport, flow->port);
	put_word(transport + 2, SERVICE_PORT);
	if (service->protocol == IPPROTO_UDP) {
		put_word(transport + 4, FRAME_LENGTH - ETHERNET - IPV4);
		return;
	}
	transport[12] = 0x50;
	transport[13] = kind == RIG_OPEN ? 0x02 : 0x10;
}

/* The serial in the outer address of IP in IP around the packet, or 0 if that is not what it is. */
static uint32_t serial_of_tunnel(const uint8_t *frame, uint32_t length, const uint8_t *sent)
{
	const uint8_t *outer = frame + ETHERNET;

	if (length != FRAME_LENGTH + IPV4 || outer[0] != 0x45 || outer[9] != IPPROTO_IPIP ||
	    sum_of(outer, IPV4) || outer[16] != 10 || outer[17] != 0)
		return 0;
	if (memcmp(outer + IPV4, sent + ETHERNET, FRAME_LENGTH - ETHERNET) != 0)
		return 0;
	return (uint32_t)outer[18] << 8 | outer[19];
}

uint32_t rig_run(struct rig *rig, const struct rig_flow *flow, enum rig_packet kind)
{
	uint8_t sent[FRAME_LENGTH], got[RIG_FRAME_MAX];
	struct rig_service *service = &rig->services[flow->service];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = sent, .data_size_in = sizeof(sent),
		    .data_out = got, .data_size_out = sizeof(got), .repeat = 1);
	uint32_t serial;

	frame_fill(rig, flow, kind, sent);
	if (bpf_prog_test_run_opts(rig->program, &options))
		return 0;
	rig->action = options.retval;
	service->sent++;
	service->opened += kind == RIG_OPEN && service->protocol == IPPROTO_TCP;
	if (options.retval != XDP_TX || got[0] != 2 || got[1] != 0xdd)
		return 0;
	serial = (uint32_t)got[4] << 8 | got[5];
	/* All of it is of one backend, and nothing else of the packet has changed. */
	if (options.data_size_out != FRAME_LENGTH)
		return serial_of_tunnel(got, options.data_size_out, sent) == serial ? serial : 0;
	return memcmp(got + 12, sent + 12, FRAME_LENGTH - 12) == 0 ? serial : 0;
}

static bool wrong(struct rig *rig, const struct rig_flow *flow, enum rig_packet kind,
		  uint32_t serial, const char *what)
{
	const struct rig_service *service = &rig->services[flow->service];

	if (rig->failed)
		return false;
	snprintf(rig->failure, sizeof(rig->failure),
		 "%s, client %08x:%u, %s: from backend %u to %u, versions up to %u: %s",
		 service->name, flow->address, flow->port, kind == RIG_OPEN ? "opening" : "next",
		 flow->serial, serial, service->newest, what);
	rig->failed = true;
	return false;
}

/* Whether the slot was the backend's in one of these versions of the table. */
static bool owned(const struct rig_service *service, uint32_t slot, uint32_t first, uint32_t last,
		  uint32_t serial)
{
	for (uint32_t version = first; version <= last; version++) {
		if (service->tables[version][slot] == serial)
			return true;
	}
	return false;
}

bool rig_send(struct rig *rig, struct rig_flow *flow, enum rig_packet kind)
{
	struct rig_service *service = &rig->services[flow->service];
	uint32_t first = service->oldest, last, serial = rig_run(rig, flow, kind);
	uint32_t slot = slot_of_tag(flow_entry_tag(rig_flow_hash(rig, flow)), RIG_SLOTS);

	last = service->newest;
	if (!serial)
		return wrong(rig, flow, kind, serial, "dropped, or not whole");
	if (serial > RIG_SERIALS_MAX || rig->lives[serial].service != flow->service ||
	    rig->lives[serial].born > last || rig->lives[serial].died <= first)
		return wrong(rig, flow, kind, serial, "not in the pool, old or new");
	if (kind == RIG_NEXT && serial == flow->serial)
		return true;
	if (kind == RIG_NEXT && rig->lives[flow->serial].died > last)
		return wrong(rig, flow, kind, serial, "moved from a backend that takes packets");
	if (kind == RIG_NEXT || service->protocol == IPPROTO_UDP)
		first = 0;
	if (!owned(service, slot, first, last, serial))
		return wrong(rig, flow, kind, serial, "not to an owner of its slot");
	flow->serial = serial;
	return true;
}

uint64_t rig_flow_hash(const struct rig *rig, const struct rig_flow *flow)
{
	const struct rig_service *service = &rig->services[flow->service];
	struct flow_key key = {
		.source = {0, 0, htonl(0xffff), htonl(flow->address)},
		.source_port = htons(flow->port),
		.destination_port = htons(SERVICE_PORT),
		.protocol = service->protocol,
		.family = 4,
	};

	memcpy(key.destination, service->vip.word, sizeof(key.destination));
	return hash_flow(&key, rig->config.seed);
}

void rig_flow_new(struct rig *rig, struct rig_flow *flow, uint32_t service, uint64_t *random)
{
	uint64_t word = unit_next(random);

	(void)rig;
	*flow = (struct rig_flow){
		.service = service,
		.address = 0x0b000000u | (uint32_t)(word & 0xffffff),
		.port = (uint16_t)(1024 + (word >> 32) % 60000),
	};
}

struct rig_flow *rig_flows_open(struct rig *rig, uint64_t *random)
{
	struct rig_flow *flows = calloc(RIG_FLOWS, sizeof(*flows));

	assert_non_null(flows);
	for (uint32_t i = 0; i < RIG_FLOWS; i++) {
		rig_flow_new(rig, &flows[i], i % RIG_SERVICES, random);
		rig_send(rig, &flows[i], RIG_OPEN);
		rig_send(rig, &flows[i], RIG_NEXT);
	}
	rig_assert(rig);
	return flows;
}
