// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/doctor.h: a sound host has no findings, and each fault has its own. */
#include "model/doctor.h"

#include <string.h>

#include "unit.h"

/* Facts of a host on which nothing is wrong. */
struct sound {
	struct doctor_link link;
	struct doctor_backend backends[2];
	struct doctor_facts facts;
};

static void sound_make(struct sound *sound)
{
	*sound = (struct sound){
		.link = {.host = {.name = "eth0",
				  .present = true,
				  .up = true,
				  .running = true,
				  .mtu = 1600,
				  .xdp_generic = 0,
				  .driver = "mlx5_core",
				  .rx_queues = 4,
				  .rx_queues_max = 8,
				  .rss_queues = 4,
				  .irqs = 4,
				  .irq_cpus = 4},
			 .attached = true},
		.backends = {{.service = "web",
			      .name = "w1",
			      .reachable = true,
			      .interface = "eth0",
			      .way_mtu = 1600,
			      .overhead = 20}},
		.facts = {.host = {.kernel_major = 6,
				   .kernel_minor = 1,
				   .cpus = 4,
				   .bpffs = true,
				   .pins = true,
				   .clock_synchronised = 1,
				   .memlock = 65536,
				   .forward4 = 0,
				   .forward6 = 0,
				   .state_writable = 1,
				   .state_free = 1ull << 30,
				   .state_files = 1000},
			  .pin_dir = "/sys/fs/bpf/sluice",
			  .state_dir = "/var/lib/sluice",
			  .agent_asked = true,
			  .abi = 3,
			  .maps_abi = 3,
			  .link_count = 1,
			  .backend_count = 1},
	};
	sound->facts.links = &sound->link;
	sound->facts.backends = sound->backends;
	assert_int_equal(ip_parse("192.0.2.11", &sound->backends[0].address), 0);
	sound->backends[1] = sound->backends[0];
	sound->backends[1].name = "w2";
}

static const char *text_of(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));

	assert_non_null(text);
	assert_true(*text);
	return text;
}

/* Exactly one finding, of this kind, with a command. */
static void assert_found(const struct sound *sound, const char *check, enum severity severity,
			 const char *command)
{
	json_t *findings = doctor_judge(&sound->facts);
	const json_t *one = json_array_get(findings, 0);

	if (json_array_size(findings) != 1)
		fail_msg("%s: %zu findings", check, json_array_size(findings));
	assert_string_equal(text_of(one, "check"), check);
	assert_string_equal(text_of(one, "severity"), severity_names[severity]);
	assert_int_equal(doctor_worst(findings), severity);
	assert_true(*text_of(one, "subject") && *text_of(one, "text"));
	if (!strstr(text_of(one, "fix"), command))
		fail_msg("%s: the fix is %s", check, text_of(one, "fix"));
	json_decref(findings);
}

static void sound_host(void **context)
{
	struct sound sound;
	json_t *findings;

	(void)context;
	sound_make(&sound);
	sound.facts.backend_count = 2;
	findings = doctor_judge(&sound.facts);
	assert_int_equal(json_array_size(findings), 0);
	assert_int_equal(doctor_worst(findings), SEVERITY_NOTE);
	json_decref(findings);
}

#define FOUND(change, check, severity, command)                 \
	do {                                                    \
		sound_make(&sound);                             \
		change;                                         \
		assert_found(&sound, check, severity, command); \
	} while (0)

static void host_faults(void **context)
{
	struct sound sound;
	struct host_facts *host = &sound.facts.host;

	(void)context;
	FOUND(sound.facts.agent_problem = "gone", "agent", SEVERITY_ERROR, "start sluiced");
	FOUND(sound.facts.maps_abi = 2, "abi", SEVERITY_ERROR, "restart sluiced");
	FOUND(host->kernel_major = 5;
	      host->kernel_minor = 15, "kernel", SEVERITY_WARNING, "linux-image");
	FOUND(host->bpffs = false, "bpffs", SEVERITY_ERROR, "mount -t bpf");
	FOUND(host->clock_synchronised = 0, "clock", SEVERITY_NOTE, "set-ntp");
	FOUND(host->state_writable = 0, "state_dir", SEVERITY_ERROR, "/var/lib/sluice");
	FOUND(host->state_free = 8 << 20, "state_dir", SEVERITY_WARNING, "du ");
	FOUND(host->state_free = 1000, "state_dir", SEVERITY_ERROR, "du ");
	FOUND(host->state_files = 3, "state_dir", SEVERITY_WARNING, "--inodes");
	FOUND(sound.facts.nat4 = true, "ip_forward", SEVERITY_WARNING, "net.ipv4.ip_forward=1");
	FOUND(sound.facts.nat6 = true, "ip_forward", SEVERITY_WARNING,
	      "ipv6.conf.all.forwarding=1");
	FOUND(sound.facts.link_count = 0, "interfaces", SEVERITY_WARNING, "sluice attach");
}

static void old_kernels_lock_maps(void **context)
{
	struct sound sound;
	json_t *findings;

	(void)context;
	sound_make(&sound);
	sound.facts.host.kernel_major = 5;
	sound.facts.host.kernel_minor = 10;
	findings = doctor_judge(&sound.facts);
	assert_int_equal(json_array_size(findings), 2);
	/* The worst comes first. */
	assert_string_equal(text_of(json_array_get(findings, 0), "check"), "memlock");
	assert_string_equal(text_of(json_array_get(findings, 1), "check"), "kernel");
	json_decref(findings);
}

static void link_faults(void **context)
{
	struct sound sound;
	struct host_link *link = &sound.link.host;

	(void)context;
	FOUND(link->present = false, "interface", SEVERITY_ERROR, "ip -br link");
	FOUND(link->up = false, "interface", SEVERITY_ERROR, "ip link set dev eth0 up");
	FOUND(link->running = false, "interface", SEVERITY_ERROR, "ethtool eth0");
	FOUND(sound.link.attached = false, "interface", SEVERITY_ERROR, "sluice attach eth0");
	FOUND(sound.link.carrier_lost = 3, "flaps", SEVERITY_WARNING, "ethtool -S eth0");
	FOUND(link->xdp_generic = 1, "xdp_mode", SEVERITY_WARNING, "--mode native");
	FOUND(link->lro = 1, "lro", SEVERITY_ERROR, "ethtool -K eth0 lro off");
	FOUND(link->rxvlan = 1, "rx_vlan", SEVERITY_NOTE, "ethtool -K eth0 rxvlan off");
	FOUND(link->rx_queues = link->rss_queues = 1, "queues", SEVERITY_WARNING,
	      "ethtool -L eth0 combined 4");
	FOUND(link->rx_queues = link->rx_queues_max = link->rss_queues = 2, "queues", SEVERITY_NOTE,
	      "ethtool -l");
	FOUND(link->rss_queues = 1, "rss", SEVERITY_WARNING, "ethtool -X eth0 default");
	FOUND(link->irq_cpus = 1, "irq", SEVERITY_WARNING, "irqbalance");
	FOUND(link->rp_filter = 1, "rp_filter", SEVERITY_WARNING, "net.ipv4.conf.eth0.rp_filter=2");
	/* GRO is no matter for native XDP. */
	FOUND(link->gro = 1; link->rp_filter = 1, "rp_filter", SEVERITY_WARNING, "");
}

static void way_faults(void **context)
{
	struct sound sound;
	struct doctor_backend *w1 = &sound.backends[0], *w2 = &sound.backends[1];

	(void)context;
	FOUND(w1->reachable = false; w1->problem = "there is no route to it", "backend",
				     SEVERITY_ERROR, "ip route get 192.0.2.11");
	FOUND(w1->reachable = false; w1->problem = "its neighbour does not answer", "backend",
				     SEVERITY_ERROR, "ping -c 3 192.0.2.11");
	FOUND(w1->way_mtu = 1500, "mtu", SEVERITY_WARNING, "ip link set dev eth0 mtu 1520");
	/* The backend that needs most decides. */
	FOUND(sound.facts.backend_count = 2; w1->way_mtu = w2->way_mtu = 1500;
	      w2->overhead = 52, "mtu", SEVERITY_WARNING, "mtu 1552");
	/* What is clamped fits: here for the one, not for the other. */
	FOUND(sound.facts.backend_count = 2; w1->way_mtu = w2->way_mtu = 1500;
	      w2->mss = 1400, "mtu", SEVERITY_WARNING, "mtu 1520");
	FOUND(w1->way_mtu = 1500; w1->overhead = 0; sound.link.host.mtu = 9000;
	      sound.link.host.rxvlan = 1, "rx_vlan", SEVERITY_NOTE, "");
}

static void many_backends(void **context)
{
	struct doctor_backend backends[50];
	struct sound sound;
	json_t *findings;

	(void)context;
	sound_make(&sound);
	for (size_t i = 0; i < 50; i++) {
		backends[i] = sound.backends[0];
		backends[i].reachable = false;
	}
	sound.facts.backends = backends;
	sound.facts.backend_count = 50;
	findings = doctor_judge(&sound.facts);
	assert_int_equal(json_array_size(findings), 21);
	assert_non_null(strstr(text_of(json_array_get(findings, 20), "text"), "30 more"));
	json_decref(findings);
}

static const struct CMUnitTest cases[] = {
	CASE(sound_host, "control/doctor: where nothing is wrong, nothing is found"),
	CASE(host_faults, "control/doctor: each fault of the host is found, and has a command"),
	CASE(old_kernels_lock_maps, "control/doctor: the worst finding comes first"),
	CASE(link_faults, "control/doctor: each fault of an interface is found, and has a command"),
	CASE(way_faults, "control/doctor: a way that is lost or too narrow is found"),
	CASE(many_backends, "control/doctor: of many lost backends the first are named"),
};

UNIT_MAIN("doctor", cases)
