# SPDX-License-Identifier: GPL-2.0-only
"""Pools that scale by a fake provisioner: their config, what they have, and what they say."""

import json

OWNER = "lab-agent"  # agent.owner of the lab's agent


def spare_addresses(lab, count):
    """Addresses that answer for their MAC address; nobody serves there."""
    addresses = [f"198.18.0.{number}" for number in range(200, 200 + count)]
    lab.client.ip(*(f"addr add {one}/16 dev eth0" for one in addresses))
    return dict.fromkeys(addresses)


def scaled(fake, **more):
    """A section `autoscale`."""
    return {"provisioner": fake.path, "options": fake.options(), "signal": "new_flows",
            "target": 100, "min": 1, "max": 1, "hold_ms": 1000, "drain_ms": 2000,
            "call_timeout_ms": 3000, **more}


def created(lab, name="web"):
    """Names and states of what the autoscaler has."""
    return {one["name"]: one["state"] for one in lab.service(name)["backends"]
            if one["origin"] == "autoscale"}


def scale_events(lab, kind, name="web"):
    """What was said of this kind about a service, the oldest first."""
    events = lab.api("GET", f"/v1/events?limit=4096&service={name}")["events"]
    return [one for one in events if one["event"] == kind]


def scale_set(lab, name="web", **limits):
    lab.api("PATCH", f"/v1/scale/{name}", limits)


def scale_of(lab, name="web"):
    return lab.api("GET", f"/v1/scale/{name}")


def said(lab, name="web"):
    return json.dumps(scale_of(lab, name))
