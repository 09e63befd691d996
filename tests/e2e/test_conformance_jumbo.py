# SPDX-License-Identifier: GPL-2.0-only
"""Jumbo frames, which come in several buffers: veth in native mode, with an MTU of 9000."""

import os

from lib.cases import case
from lib.world import VIP, fetch, no_drops, open_lab, service, start, url, verdicts

MTU = 9000


@case("conformance/F18 jumbo frames through TCP both ways: l2, and ipip with the decap program")
def jumbo_frames(context):
    with open_lab(context, mtu=MTU) as lab:
        pools = [(mode, family, lab.add_backend(mode, VIP[family], mode, family))
                 for mode, family in (("l2", 4), ("ipip", 6))]
        start(lab, [service(lab, mode, family, mode, [node]) for mode, family, node in pools])
        assert "jumbo" in lab.agent.log_tail()
        upload = context.tmp / "upload"
        upload.write_bytes(os.urandom(1 << 20))
        for mode, family, _ in pools:
            before = lab.service(mode)
            assert len(fetch(lab.client, url(family, "/big")).stdout) == 262144
            # nginx reads it whole before it says that it takes none.
            fetch(lab.client, url(family), "--data-binary", f"@{upload}")
            after = lab.service(mode)
            packets = after["packets"] - before["packets"]
            length = (after["bytes"] - before["bytes"]) / packets
            assert verdicts(lab)[f"forward_{mode}"] >= packets
            # Acknowledgments are among them.
            assert length > 3000, (mode, packets, length)
        no_drops(lab)
