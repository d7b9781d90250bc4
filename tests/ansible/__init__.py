"""Tests of the Ansible roles that need no hosts."""
