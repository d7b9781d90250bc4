"""A network of its own for a child process: its ports are out of reach for the other users of this host.

SeaweedFS asks for a key at its S3 door only; on a login node its other ports would be open to everybody there. Needs
unprivileged user namespaces, as rootless Apptainer does. Source: man 7 user_namespaces, man 7 netdevice (SIOCSIFFLAGS).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Move this process, which must have one thread, into a network that has nothing but a loopback. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


def is_possible() -> bool:
    """Whether this host lets an ordinary user do so: tried in a child."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            enter()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
