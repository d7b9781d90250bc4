"""The lab's part of the Ansible inventory: addresses, keys and groups; settings live in ansible/inventories/lab."""

from __future__ import annotations

import json
import shlex
from ipaddress import IPv4Network

from onelab.addressing import address
from onelab.layout import NODES, Layout


def ssh_options(layout: Layout) -> list[str]:
    """Return the options with which ssh reaches a node and trusts nothing but this lab's own keys."""
    return [
        *("-F", "/dev/null"),
        *("-o", f"UserKnownHostsFile={quoted_option(str(layout.known_hosts))}"),
        *("-o", "StrictHostKeyChecking=yes"),
        *("-o", "IdentitiesOnly=yes"),
        *("-o", "ConnectTimeout=5"),
    ]


def quoted_option(value: str) -> str:
    """Quote a path for ssh_config(5), where a space would begin a second file."""
    return f'"{value}"' if " " in value else value


def ssh_argv(layout: Layout, host: str, command: list[str], *, terminal: bool = False) -> list[str]:
    """Return the command that runs `command` on `host` as root; every argument arrives as it was typed."""
    login = ["ssh", *ssh_options(layout), "-i", str(layout.ssh_key), "-t" if terminal else "-T"]
    return [*login, "-l", "root", host, "--", shlex.join(command)]


def render(layout: Layout, subnet: IPv4Network) -> str:
    """Return the inventory as YAML; strings are written as JSON, which YAML 1.2 includes."""
    lines = ["all:", "  vars:"]
    variables = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(layout.ssh_key),
        "ansible_ssh_common_args": shlex.join(ssh_options(layout)),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    lines += [f"    {name}: {json.dumps(value)}" for name, value in variables.items()]
    lines.append("  hosts:")
    lines += [f"    {node.name}: {{ansible_host: {address(subnet, node)}}}" for node in NODES]
    lines.append("  children:")
    for group in dict.fromkeys(group for node in NODES for group in node.groups):
        lines += [f"    {group}:", "      hosts:"]
        lines += [f"        {node.name}: {{}}" for node in NODES if group in node.groups]
    return "\n".join(lines) + "\n"
