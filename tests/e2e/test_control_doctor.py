# SPDX-License-Identifier: GPL-2.0-only
"""`sluice doctor`: each thing is broken on a real host, found, and mended by the named command."""

import json
import os

from lib.cases import case
from lib.world import backends, open_lab, service, start, wait_for

STATUS = {"note": 0, "warning": 3, "error": 4}


def doctor(lab, *words):
    """The findings by check and subject; the exit status must be that of the worst."""
    done = lab.lb.run(lab.sluice_path, "--socket", lab.socket, "doctor", "--json", *words,
                      check=False)
    found = json.loads(done.stdout)["findings"]
    worst = max([STATUS[one["severity"]] for one in found], default=0)
    assert done.returncode == worst, (done.returncode, found)
    assert all(one["text"] and one["fix"] for one in found), found
    return {(one["check"], one["subject"]): one for one in found}


def mend(context, lab, finding):
    """Do what the finding says, where the load balancer is."""
    context.log(f"{finding['severity']}: {finding['subject']}: {finding['text']}")
    context.log(f"fix: {finding['fix']}")
    path = f"{os.path.dirname(os.path.realpath(lab.sluice_path))}:{os.environ['PATH']}"
    lab.lb.run("env", f"PATH={path}", f"SLUICE_SOCKET={lab.socket}", "bash", "-c", finding["fix"])


def found_and_mended(context, lab, check, subject, severity, break_it, mends=True):
    key = (check, subject)
    assert key not in doctor(lab), f"{key} before anything was broken"
    break_it()
    wait_for(f"{key} is found", lambda: key in doctor(lab))
    finding = doctor(lab)[key]
    assert finding["severity"] == severity, finding
    if mends:
        mend(context, lab, finding)
        wait_for(f"{key} is mended by: {finding['fix']}", lambda: key not in doctor(lab))


@case("control/doctor: a fault of an interface is found, and gone after the named command")
def interfaces(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, mode="ipip", backends=backends(lab, 1, mode="ipip"))])
        assert not [one for one in doctor(lab).values() if one["severity"] != "note"], doctor(lab)

        def lb(*words):
            return lambda: lab.lb.run(*words)
        for check, severity, break_it in [
                ("mtu", "warning", lb("ip", "link", "set", "dev", "eth0", "mtu", "1500")),
                ("rp_filter", "warning",
                 lambda: lab.lb.sysctl(net__ipv4__conf__eth0__rp_filter=1)),
                ("interface", "error", lb("ip", "link", "set", "dev", "eth0", "down")),
                ("interface", "error", lambda: lab.sluice("detach", "eth0")),
                ("xdp_mode", "warning", lambda: (
                    lab.sluice("detach", "eth0"),
                    lab.sluice("attach", "eth0", "--mode", "generic")))]:
            found_and_mended(context, lab, check, "eth0", severity, break_it)
        lab.sluice("detach", "eth0")
        lab.sluice("attach", "eth0", "--mode", "generic")
        found_and_mended(context, lab, "gro", "eth0", "warning",
                         lb("ethtool", "-K", "eth0", "gro", "on"))
        lab.sluice("detach", "eth0")
        if ("rx_vlan", "eth0") in doctor(lab):
            mend(context, lab, doctor(lab)["rx_vlan", "eth0"])
        found_and_mended(context, lab, "rx_vlan", "eth0", "note",
                         lb("ethtool", "-K", "eth0", "rxvlan", "on"))
        lab.sluice("attach", "eth0")

        def flap():
            for _ in range(4):
                lab.switch.run("ip", "link", "set", "dev", "lb", "down")
                wait_for("the link is lost", lambda: ("interface", "eth0") in doctor(lab))
                lab.switch.run("ip", "link", "set", "dev", "lb", "up")
                wait_for("the link is back", lambda: ("interface", "eth0") not in doctor(lab))
        found_and_mended(context, lab, "flaps", "eth0", "warning", flap, mends=False)


@case("control/doctor: lost backends and a host that does not forward for mode nat are found")
def ways(context):
    with open_lab(context) as lab:
        lab.add_back()
        node = lab.add_backend("web-1", "203.0.113.80", "nat", back=True)
        start(lab, [service(lab, mode="nat", backends=[node])])
        found_and_mended(context, lab, "ip_forward", "net.ipv4.ip_forward", "warning",
                         lambda: lab.lb.sysctl(net__ipv4__ip_forward=0))
        found_and_mended(context, lab, "backend", "web/lost", "error", lambda: lab.sluice(
            "backend", "add", "web", "lost", "10.11.12.13"), mends=False)
        assert "no route" in doctor(lab)["backend", "web/lost"]["text"]
        lab.lb.ip(f"route add 10.11.12.13 via {node.address()}")
        wait_for("the way is known", lambda: ("backend", "web/lost") not in doctor(lab))


@case("control/doctor: an agent that does not answer is said first, the host is judged all the same")
def without_agent(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=backends(lab, 1))])
        lab.start_agent(config)
        assert ("agent", "sluiced") not in doctor(lab)
        lab.agent.stop()
        lab.lb.sysctl(net__ipv4__conf__eth0__rp_filter=1)
        found = doctor(lab, "--config", config)
        assert next(iter(found)) == ("agent", "sluiced") and ("rp_filter", "eth0") in found
        assert "packets are forwarded as the pinned maps say" in found["agent", "sluiced"]["text"]
        assert ("bpffs", lab.pin_dir) not in found
        other = lab.write_config([], "other.yaml", pin_dir=lab.path("no-bpffs"))
        assert ("bpffs", lab.path("no-bpffs")) in doctor(lab, "--config", other)
        done = lab.sluice("doctor", "--config", lab.path("none.yaml"), check=False)
        assert done.returncode == 1 and "none.yaml" in done.stderr and not done.stdout
        lab.start_agent(config)
        text = lab.lb.run(lab.sluice_path, "--socket", lab.socket, "doctor", check=False).stdout
        assert "sluiced" not in text and "warning: eth0: the strict reverse path" in text
        assert "\n  fix: sysctl -w net.ipv4.conf.eth0.rp_filter=2\n" in text
