// SPDX-License-Identifier: GPL-2.0-only
/* The requests about interfaces that tunnel headers are taken off at. */
#include <errno.h>
#include <string.h>

#include "agent/api_call.h"
#include "agent/dataplane_decap.h"

#define INTERFACES_MAX 64

static json_t *packets_view(const struct decap_interface *interface)
{
	static const char *const labels[] = {
#define DECAP_LABEL(name, label, meaning) label,
		DECAP_VERDICTS(DECAP_LABEL)
#undef DECAP_LABEL
	};
	json_t *packets = json_object();

	for (size_t i = 0; i < DECAP_VERDICT_COUNT; i++)
		json_object_set_new(packets, labels[i],
				    json_integer((json_int_t)interface->packets[i]));
	return packets;
}

static json_t *interface_view(const struct decap_interface *interface)
{
	json_t *addresses = json_array();
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < interface->wanted.address_count; i++)
		json_array_append_new(
			addresses, json_string(ip_format(&interface->wanted.addresses[i], text)));
	return json_pack("{ss,si,ss,so,si,so}", "name", interface->name, "ifindex",
			 (int)interface->ifindex, "mode", attach_mode_names[interface->mode],
			 "addresses", addresses, "port", (int)interface->wanted.port, "packets",
			 packets_view(interface));
}

/* All of them, or the one of this name. */
static json_t *interfaces_view(struct dataplane *dataplane, const char *name)
{
	struct decap_interface interfaces[INTERFACES_MAX];
	size_t count = decap_interfaces(dataplane, interfaces, INTERFACES_MAX);
	json_t *list = json_array(), *one;

	for (size_t i = 0; i < count; i++) {
		if (!name || !strcmp(name, interfaces[i].name))
			json_array_append_new(list, interface_view(&interfaces[i]));
	}
	if (!name)
		return json_pack("{so}", "interfaces", list);
	one = json_incref(json_array_get(list, 0));
	json_decref(list);
	return one ? one : json_object();
}

static int addresses_read(const json_t *list, struct decap_wanted *wanted, struct error *error)
{
	const json_t *value;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > DECAP_ADDRESSES_MAX)
		return error_set(error, -EINVAL, "addresses: not a list of at most %d addresses",
				 DECAP_ADDRESSES_MAX);
	json_array_foreach(list, i, value)
	{
		struct ip *address = &wanted->addresses[i];

		if (!json_is_string(value) || ip_parse(json_string_value(value), address) ||
		    !ip_is_unicast(address))
			return error_set(error, -EINVAL,
					 "addresses[%zu]: not the address of a host; give one of "
					 "this host's own",
					 i);
	}
	wanted->address_count = json_array_size(list);
	return 0;
}

static int port_read(const json_t *value, struct decap_wanted *wanted, struct error *error)
{
	wanted->port = GUE_PORT;
	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > 65535)
		return error_set(error, -EINVAL,
				 "port: not a number of 0 to 65535; 0 leaves GUE alone");
	wanted->port = (uint16_t)json_integer_value(value);
	return 0;
}

static int fields_known(const json_t *body, struct error *error)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)body, key, value)
	{
		if (strcmp(key, "addresses") && strcmp(key, "port"))
			return error_set(error, -EINVAL,
					 "%s: unknown field; known here: addresses, port", key);
	}
	return 0;
}

int api_decap_get(struct api_call *call, struct error *error)
{
	(void)error;
	call->answer = interfaces_view(call->agent->dataplane, NULL);
	return 0;
}

int api_decap_put(struct api_call *call, struct error *error)
{
	struct decap_wanted wanted = {0};
	int err = fields_known(call->body, error);

	if (!err)
		err = addresses_read(json_object_get(call->body, "addresses"), &wanted, error);
	if (!err)
		err = port_read(json_object_get(call->body, "port"), &wanted, error);
	if (!err)
		err = decap_attach(call->agent->dataplane, call->names[0], &wanted, error);
	if (!err)
		call->answer = interfaces_view(call->agent->dataplane, call->names[0]);
	return err;
}

int api_decap_delete(struct api_call *call, struct error *error)
{
	int err = decap_detach(call->agent->dataplane, call->names[0], error);

	if (!err)
		call->answer = json_object();
	return err;
}
