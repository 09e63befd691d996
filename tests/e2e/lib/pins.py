# SPDX-License-Identifier: GPL-2.0-only
"""Pinned BPF objects, opened without a library."""

import contextlib
import ctypes
import os
import platform
import struct

BPF_OBJ_GET = 7


@contextlib.contextmanager
def pin_open(path):
    """A descriptor of what is pinned there."""
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    name = ctypes.create_string_buffer(os.fsencode(path))
    attributes = ctypes.create_string_buffer(struct.pack("<QII", ctypes.addressof(name), 0, 0))
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(
        number, BPF_OBJ_GET, attributes, ctypes.c_uint(16))
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pin_facts(path):
    """What the kernel tells of the object: {name: text}."""
    with pin_open(path) as descriptor:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="utf-8") as file:
            return {name: value.strip() for name, _, value in
                    (line.partition(":") for line in file)}
