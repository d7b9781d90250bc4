"""The command line `lab/lab`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from onelab import lifecycle, node, record, report
from onelab.addressing import address
from onelab.cache import Cache
from onelab.errors import LabError
from onelab.images import build_images
from onelab.inventory import ssh_argv
from onelab.layout import Layout, cache_root, node_named
from onelab.prerequisites import PACKAGES
from onelab.progress import Progress

CHECKOUT = Path(__file__).resolve().parents[2]
FAILED = 1
INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the process' exit code."""
    options = parser().parse_args(argv)
    # The nodes' files must be readable to their users, whatever the caller's umask.
    os.umask(0o022)
    verb: Callable[[Layout, argparse.Namespace], int] = options.verb
    try:
        return verb(Layout(CHECKOUT), options)
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("lab: interrupted; `lab/lab up` goes on from here, `lab/lab down` clears up", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    top = argparse.ArgumentParser(prog="lab/lab", description="Five bare-metal hosts in miniature (docs/lab.md).")
    verbs = top.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("up", help="build what is missing, boot the hosts, configure them")
    verb.add_argument("--no-apply", action="store_true", help="boot only, leave the hosts unconfigured")
    verb.set_defaults(verb=_up)
    verb = verbs.add_parser("down", help="shut the hosts down; their disks are kept")
    verb.add_argument("--purge", action="store_true", help="delete the hosts' disks, keys and shared folders too")
    verb.set_defaults(verb=_down)
    verbs.add_parser("status", help="show every host").set_defaults(verb=_status)
    verb = verbs.add_parser("apply", help="run Ansible on the booted hosts; more options go to ansible-playbook")
    verb.add_argument("more", nargs=argparse.REMAINDER, metavar="-- OPTIONS")
    verb.set_defaults(verb=_apply)
    verb = verbs.add_parser("exec", help="run a command on a host as root; its exit code is passed on")
    verb.add_argument("node")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD")
    verb.set_defaults(verb=_exec)
    verb = verbs.add_parser("logs", help="print a host's console and journal, also when it is dead")
    verb.add_argument("node")
    verb.add_argument("-n", "--lines", type=int, default=200, help="lines of the journal (default 200)")
    verb.add_argument("-u", "--unit", help="only this unit's lines")
    verb.set_defaults(verb=_logs)
    verb = verbs.add_parser("kill", help="end a host as a power cut does")
    verb.add_argument("node")
    verb.set_defaults(verb=_kill)
    verb = verbs.add_parser("boot", help="boot a host that is off")
    verb.add_argument("node")
    verb.set_defaults(verb=_boot)
    verbs.add_parser("packages", help="print the Debian packages that this machine needs").set_defaults(verb=_packages)
    return top


def _up(layout: Layout, options: argparse.Namespace) -> int:
    progress = Progress()
    made = lifecycle.up(layout, Cache(cache_root()), progress, configured=not options.no_apply)
    print(report.table(report.rows(layout, made)))
    progress.say("the lab is up")
    return 0


def _down(layout: Layout, options: argparse.Namespace) -> int:
    lifecycle.down(layout, Progress(), purge=options.purge)
    return 0


def _status(layout: Layout, _options: argparse.Namespace) -> int:
    made = record.load(layout)
    lines = report.rows(layout, made)
    print(report.table(lines))
    print(f"\nlab {layout.lab_id}, bridge {layout.bridge}, network {made.subnet}, state {layout.state}")
    return 0 if all(line.state == "on" for line in lines) else FAILED


def _apply(layout: Layout, options: argparse.Namespace) -> int:
    made = record.load(layout)
    progress = Progress()
    with lifecycle.alone(layout, progress):
        images = build_images(Cache(cache_root()), layout.checkout, progress)
        lifecycle.apply(layout, progress, made, images, more=without_dashes(options.more))
    return 0


def _exec(layout: Layout, options: argparse.Namespace) -> int:
    command = without_dashes(options.command)
    if not command:
        raise LabError("nothing to run: lab/lab exec NODE -- CMD [ARGS]")
    where = str(address(record.load(layout).subnet, node_named(options.node)))
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return subprocess.run(ssh_argv(layout, where, command, terminal=terminal)).returncode


def _logs(layout: Layout, options: argparse.Namespace) -> int:
    chosen = node_named(options.node)
    made = record.load(layout)
    if options.unit is None:
        print(f"--- console of {chosen.name} ({layout.console(chosen)})")
        print(report.console_tail(layout, chosen))
        print(f"--- journal of {chosen.name}", flush=True)
    argv = report.journal_argv(layout, made, chosen, options.lines, options.unit)
    return subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=report.JOURNAL_TIMEOUT_S).returncode


def _kill(layout: Layout, options: argparse.Namespace) -> int:
    node.kill(layout, node_named(options.node))
    return 0


def _boot(layout: Layout, options: argparse.Namespace) -> int:
    with Progress().step(f"booting {options.node}"):
        lifecycle.boot_one(layout, node_named(options.node))
    return 0


def _packages(_layout: Layout, _options: argparse.Namespace) -> int:
    print("\n".join(PACKAGES))
    return 0


def without_dashes(words: Sequence[str]) -> list[str]:
    """Return the words after a leading `--`."""
    return list(words[1:]) if words and words[0] == "--" else list(words)
