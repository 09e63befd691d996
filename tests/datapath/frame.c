// SPDX-License-Identifier: GPL-2.0-only
/* Building frames byte by byte, apart from the data plane's own code, which they check. */
#include "frame.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "keep.h"
#include "sluice/abi.h"

static void put(struct frame *frame, const void *bytes, size_t length)
{
	assert_true(frame->length + length <= FRAME_MAX);
	memcpy(frame->data + frame->length, bytes, length);
	frame->length += length;
}

static void put_byte(struct frame *frame, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	put(frame, &byte, 1);
}

static void put_word(struct frame *frame, size_t value)
{
	put_byte(frame, (unsigned int)(value >> 8) & 0xff);
	put_byte(frame, (unsigned int)value & 0xff);
}

static void put_address(struct frame *frame, const char *text)
{
	uint8_t address[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	assert_int_equal(inet_pton(family, text, address), 1);
	put(frame, address, family == AF_INET ? 4 : 16);
}

uint16_t internet_sum(const uint8_t *data, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_link(struct frame *frame, const struct spec *spec, unsigned int type)
{
	static const uint8_t macs[12] = {2, 0xaa, 0, 0, 0, 1, 2, 0xbb, 0, 0, 0, 2};

	put(frame, macs, sizeof(macs));
	for (unsigned int tag = 0; tag < spec->vlans; tag++) {
		put_word(frame, tag + 1 < spec->vlans ? 0x88a8 : 0x8100);
		put_word(frame, 100 + tag);
	}
	put_word(frame, type);
}

static size_t payload_length(const struct spec *spec)
{
	if (spec->payload_length < 0)
		return 0;
	return spec->payload_length ? (size_t)spec->payload_length : 10;
}

static uint8_t protocol_of(const struct spec *spec)
{
	return spec->protocol ? spec->protocol : IPPROTO_TCP;
}

static void put_tcp(struct frame *frame, const struct spec *spec)
{
	int flags = spec->flags ? spec->flags : FLAG_ACK;

	put_word(frame, spec->source_port);
	put_word(frame, spec->port);
	put(frame, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	put_byte(frame, 0x50 + spec->tcp_options_length / 4 * 16);
	put_byte(frame, flags < 0 ? 0 : (unsigned int)flags);
	put(frame, "\x10\x00\xbe\xef\x00\x00", 6);
	if (spec->tcp_options_length)
		put(frame, spec->tcp_options, spec->tcp_options_length);
}

static void put_udp(struct frame *frame, const struct spec *spec)
{
	put_word(frame, spec->source_port);
	put_word(frame, spec->port);
	put_word(frame, 8 + payload_length(spec));
	put_word(frame, 0);
}

static void put_transport(struct frame *frame, const struct spec *spec)
{
	size_t length = payload_length(spec);

	if (!spec->fragment && protocol_of(spec) == IPPROTO_TCP)
		put_tcp(frame, spec);
	else if (!spec->fragment && protocol_of(spec) == IPPROTO_UDP)
		put_udp(frame, spec);
	for (size_t i = 0; i < length; i++)
		put_byte(frame, spec->payload ? spec->payload[i] : 0x40u + (unsigned int)i % 64);
}

static void build_ipv4(struct frame *frame, const struct spec *spec)
{
	size_t start, end;
	uint16_t sum;

	put_link(frame, spec, 0x0800);
	start = frame->length;
	put_byte(frame, 0x45 + spec->options / 4);
	put_byte(frame, spec->traffic_class);
	put_word(frame, 0);
	put_word(frame, spec->id ? spec->id : 0x1234);
	put_word(frame,
		 (spec->whole ? 0x4000 : 0) | (spec->more ? 0x2000 : 0) | spec->fragment / 8);
	put_byte(frame, spec->hop_limit ? spec->hop_limit : 61);
	put_byte(frame, protocol_of(spec));
	put_word(frame, 0);
	put_address(frame, spec->from);
	put_address(frame, spec->to);
	for (unsigned int i = 0; i < spec->options; i++)
		put_byte(frame, 1); /* no operation */
	put_transport(frame, spec);
	end = frame->length;
	frame->data[start + 2] = (uint8_t)((end - start) >> 8);
	frame->data[start + 3] = (uint8_t)(end - start);
	sum = internet_sum(frame->data + start, 20 + spec->options);
	frame->data[start + 10] = (uint8_t)(sum >> 8);
	frame->data[start + 11] = (uint8_t)sum;
}

static void put_extension(struct frame *frame, uint8_t type, uint8_t next, const struct spec *spec)
{
	put_byte(frame, next);
	if (type == IPPROTO_FRAGMENT) {
		put_byte(frame, 0);
		put_word(frame, spec->fragment | (spec->more ? 1 : 0));
		put_word(frame, 0xfeed);
		put_word(frame, spec->id ? spec->id : 0x1234);
		return;
	}
	/* 16 bytes; AH counts them in words of 4 without the first two */
	put_byte(frame, type == IPPROTO_AH ? 2 : 1);
	for (int i = 2; i < 16; i++)
		put_byte(frame, 0);
}

static void build_ipv6(struct frame *frame, const struct spec *spec)
{
	static const uint8_t none[] = {0xff};
	const uint8_t *types = spec->extensions ? spec->extensions : none;
	size_t start;

	put_link(frame, spec, 0x86dd);
	start = frame->length;
	put_byte(frame, 0x60u | spec->traffic_class >> 4);
	put_byte(frame, (spec->traffic_class << 4 & 0xf0) | 0x0a);
	put_word(frame, 0xbcde);
	put_word(frame, 0);
	put_byte(frame, types[0] == 0xff ? protocol_of(spec) : types[0]);
	put_byte(frame, spec->hop_limit ? spec->hop_limit : 61);
	put_address(frame, spec->from);
	put_address(frame, spec->to);
	for (; *types != 0xff; types++)
		put_extension(frame, types[0], types[1] == 0xff ? protocol_of(spec) : types[1],
			      spec);
	put_transport(frame, spec);
	frame->data[start + 4] = (uint8_t)((frame->length - start - 40) >> 8);
	frame->data[start + 5] = (uint8_t)(frame->length - start - 40);
}

void frame_build(struct frame *frame, const struct spec *spec)
{
	frame->length = 0;
	if (strchr(spec->to, ':'))
		build_ipv6(frame, spec);
	else
		build_ipv4(frame, spec);
	for (unsigned int i = 0; i < spec->padding; i++)
		put_byte(frame, 0);
}

size_t frame_link_length(const struct frame *frame)
{
	size_t length = 14;

	while (frame->data[length - 2] == 0x81 || frame->data[length - 2] == 0x88)
		length += 4;
	return length;
}

void frame_retag(struct frame *frame, uint16_t vlan)
{
	size_t link = frame_link_length(frame);
	struct frame before = *frame;

	if (vlan == VLAN_KEEP)
		return;
	frame->length = 12;
	if (vlan != VLAN_NONE) {
		put_word(frame, 0x8100);
		put_word(frame, (link > 14 ? (before.data[14] & 0xf0u) << 8 : 0) | vlan);
	}
	put(frame, before.data + link - 2, before.length - link + 2);
}

/* UDP and GUE, version 0 and nothing but the inner protocol. */
#define GUE_LENGTH 12

static size_t outer_payload(const struct outer *outer)
{
	return outer->inner_length + (outer->gue_source ? GUE_LENGTH : 0);
}

static unsigned int inner_protocol(const struct outer *outer)
{
	return outer->inner_family == 4 ? 4 : 41;
}

static unsigned int outer_protocol(const struct outer *outer)
{
	return outer->gue_source ? IPPROTO_UDP : inner_protocol(outer);
}

static void put_gue(struct frame *frame, const struct outer *outer)
{
	put_word(frame, outer->gue_source);
	put_word(frame, 6080);
	put_word(frame, outer_payload(outer));
	put_word(frame, 0);
	put_byte(frame, 0);
	put_byte(frame, inner_protocol(outer));
	put_word(frame, 0);
}

static void put_outer_ipv4(struct frame *frame, const struct outer *outer)
{
	size_t start = frame->length;
	uint16_t sum;

	put_byte(frame, 0x45);
	put_byte(frame, outer->traffic_class);
	put_word(frame, 20 + outer_payload(outer));
	put_word(frame, 0);
	put_word(frame, 0x4000);
	put_byte(frame, 64);
	put_byte(frame, outer_protocol(outer));
	put_word(frame, 0);
	put_address(frame, outer->from);
	put_address(frame, outer->to);
	sum = internet_sum(frame->data + start, 20);
	frame->data[start + 10] = (uint8_t)(sum >> 8);
	frame->data[start + 11] = (uint8_t)sum;
}

static void put_outer_ipv6(struct frame *frame, const struct outer *outer)
{
	put_byte(frame, 0x60u | outer->traffic_class >> 4);
	put_byte(frame, (outer->traffic_class << 4 & 0xf0) | outer->label >> 16);
	put_word(frame, outer->label & 0xffff);
	put_word(frame, outer_payload(outer));
	put_byte(frame, outer_protocol(outer));
	put_byte(frame, 64);
	put_address(frame, outer->from);
	put_address(frame, outer->to);
}

void frame_wrap(struct frame *frame, const struct outer *outer)
{
	size_t link_length = frame_link_length(frame);
	bool is_ipv6 = strchr(outer->to, ':');
	struct frame inner = *frame;

	frame->length = link_length - 2;
	put_word(frame, is_ipv6 ? 0x86dd : 0x0800);
	if (is_ipv6)
		put_outer_ipv6(frame, outer);
	else
		put_outer_ipv4(frame, outer);
	if (outer->gue_source)
		put_gue(frame, outer);
	put(frame, inner.data + link_length, inner.length - link_length);
}

void frame_set_macs(struct frame *frame, const uint8_t to[6], const uint8_t from[6])
{
	memcpy(frame->data, to, 6);
	memcpy(frame->data + 6, from, 6);
}

static void frame_print(const char *title, const struct frame *frame)
{
	print_message("%s, %zu bytes:", title, frame->length);
	for (size_t i = 0; i < frame->length; i++)
		print_message("%s%02x", i % 32 ? " " : "\n  ", frame->data[i]);
	print_message("\n");
}

void frame_assert_equal(const struct frame *got, const struct frame *expected)
{
	if (got->length == expected->length && !memcmp(got->data, expected->data, expected->length))
		return;
	frame_print("got", got);
	frame_print("expected", expected);
	keep_expected(expected);
	fail_msg("the frames differ");
}
