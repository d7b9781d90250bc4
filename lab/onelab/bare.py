"""One host with nothing but systemd, ssh, Python and apt: what the site's playbook makes of it shows what it forgets to install.

It lives beside the lab, under a checkout's `.lab-bare`, with a bridge and disks of its own. Unlike the lab's hosts it installs
packages, through a proxy on the bridge that fetches from Debian's mirror only.
"""

from __future__ import annotations

import http.client
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Network
from pathlib import Path

from onelab import bridge, keys, node
from onelab.addressing import address, gateway
from onelab.base import BUILD_TIMEOUT_S, JOURNAL, MASKED, MIRROR, SID_PIN
from onelab.cache import Cache, content_key, remove
from onelab.commands import run, run_logged
from onelab.errors import CommandFailed, HostsNotReady
from onelab.inventory import ssh_argv
from onelab.layout import Layout, Node
from onelab.mounts import unmount_below
from onelab.processes import kill_cgroup

PACKAGES = ("systemd", "systemd-sysv", "openssh-server", "python3")
NAME = "bare1"
HOST = Node(NAME, 31, ("slurm_controller", "slurm_database", "slurm_compute", "portal"))
FOLDER = ".lab-bare"
READY_TIMEOUT_S = 180.0
FETCH_TIMEOUT_S = 120
PIECE = 1 << 20
PASSED_ON = ("Content-Type", "Content-Length", "Last-Modified", "ETag")


@dataclass(frozen=True)
class Bare:
    """The running host."""

    layout: Layout
    subnet: IPv4Network

    @property
    def address(self) -> str:
        return str(address(self.subnet, HOST))

    @property
    def shared(self) -> Path:
        """`/shared` of the host."""
        return self.layout.shares["/shared"]

    def on(self, *command: str, timeout_s: float = 60) -> str:
        """Run a command as root over ssh.

        Raises: CommandFailed.
        """
        return run(ssh_argv(self.layout, self.address, list(command)), timeout_s=timeout_s)


def layout_of(checkout: Path) -> Layout:
    return Layout(checkout / FOLDER)


def build(of_suite: str, target: Path, log: Path) -> None:
    """Fill `target` as a Debian installer would leave a small server.

    Raises: CommandFailed, with the end of the log.
    """
    sources = [f"deb {MIRROR} {of_suite} main", f"deb {MIRROR} sid main"]
    include = f"--include={','.join(PACKAGES)}"
    late = '--aptopt=Acquire::Check-Valid-Until "false"'  # as for the lab's own base
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", include, late, of_suite, str(target), sources[0]]
    run_logged(argv, log=log, timeout_s=BUILD_TIMEOUT_S)
    (target / "etc/apt/sources.list").write_text("\n".join(sources) + "\n")
    (target / "etc/apt/preferences.d/sid").write_text(SID_PIN)
    (target / "etc/systemd/journald.conf.d").mkdir(parents=True)
    (target / "etc/systemd/journald.conf.d/lab.conf").write_text(JOURNAL)
    for name in ("etc/hostname", "etc/resolv.conf"):
        (target / name).unlink(missing_ok=True)
    for host_key in (target / "etc/ssh").glob("ssh_host_*"):
        host_key.unlink()
    (target / "etc/machine-id").write_text("")
    run(["chroot", str(target), "systemctl", "enable", "ssh.service", "systemd-networkd.service"], timeout_s=60)
    run(["chroot", str(target), "systemctl", "mask", *MASKED], timeout_s=60)


@contextmanager
def running(checkout: Path, cache: Cache, of_suite: str) -> Iterator[Bare]:
    """A fresh host, gone with all that was written when the block ends.

    Raises: LabError and its kinds.
    """
    layout = layout_of(checkout)
    down(layout)
    key = content_key("bare", of_suite, MIRROR, *PACKAGES, SID_PIN, JOURNAL, *MASKED)
    log = cache.log("bare", key)
    base = cache.get("bare", key, lambda target: build(of_suite, target, log))
    subnet = bridge.free_subnet(layout.lab_id, layout.bridge, None)
    host = Bare(layout, subnet)
    try:
        bridge.create(layout.bridge, subnet)
        with apt_proxy(str(gateway(subnet)), cache.root / "debs") as proxy:
            _write(host, proxy)
            node.boot(layout, HOST, [base])
            _wait(host)
            yield host
    finally:
        down(layout)


def down(layout: Layout) -> None:
    """Leave no process, mount, cgroup, bridge or file, whatever state it is in."""
    node.shut_down(layout, [HOST])
    node.clear_remains(layout, HOST)
    for group in node.lab_cgroups(layout):
        kill_cgroup(group)
    unmount_below(layout.state)
    bridge.remove_link(layout.bridge)
    if layout.checkout.exists():
        remove(layout.checkout)


def _write(host: Bare, proxy: str) -> None:
    layout = host.layout
    for share in layout.shares.values():
        share.mkdir(parents=True, exist_ok=True)
    keys.make_ca(layout)
    node.write_files(layout, HOST, host.subnet, keys.make_login_key(layout))
    keys.make_host_key(layout, HOST)
    upper = layout.upper(HOST)
    (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n{host.address} {NAME}\n")
    conf = upper / "etc/apt/apt.conf.d/proxy"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(f'Acquire::http::Proxy "{proxy}";\nAcquire::Check-Valid-Until "false";\n')
    public = (upper / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    layout.known_hosts.write_text(f"{host.address} {public[0]} {public[1]}\n")


def _wait(host: Bare) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            host.on("true", timeout_s=10)
            return
        except CommandFailed:
            time.sleep(1)
    raise HostsNotReady([NAME], READY_TIMEOUT_S)


@contextmanager
def apt_proxy(listen: str, kept: Path) -> Iterator[str]:
    """An HTTP proxy for Debian's mirror and nothing else, its address; packages, which never change, are kept."""
    kept.mkdir(parents=True, exist_ok=True)

    class Handler(BaseHTTPRequestHandler):
        """One request of apt: `GET http://deb.debian.org/debian/pool/... HTTP/1.1`."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith(MIRROR + "/"):
                self.send_error(403)
            elif self.path.endswith(".deb"):
                self._file(kept / self.path.rpartition("/")[2])
            else:
                self._pass_on()

        def _file(self, path: Path) -> None:
            if not path.exists():
                partial = path.with_suffix(f".{threading.get_ident()}")
                try:
                    with (
                        urllib.request.urlopen(self.path, timeout=FETCH_TIMEOUT_S) as answer,
                        partial.open("wb") as file,
                    ):
                        shutil.copyfileobj(answer, file)
                except urllib.error.HTTPError as error:
                    self.send_error(error.code)
                    return
                partial.replace(path)
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            with path.open("rb") as file:
                shutil.copyfileobj(file, self.wfile, PIECE)

        def _pass_on(self) -> None:
            try:
                with urllib.request.urlopen(self.path, timeout=FETCH_TIMEOUT_S) as answer:
                    body = answer.read()
                    heads = [(name, answer.headers[name]) for name in PASSED_ON if answer.headers[name]]
            except urllib.error.HTTPError as error:
                self.send_error(error.code)
                return
            self.send_response(200)
            for name, value in heads:
                if name != "Content-Length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            self.send_response(code, message or http.client.responses.get(code, ""))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((listen, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{listen}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
