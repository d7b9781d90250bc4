"""Tests of the Slurm clients; the contract's assertions explain themselves like a test module's."""

import pytest

pytest.register_assert_rewrite("tests.slurm.client.contract")
