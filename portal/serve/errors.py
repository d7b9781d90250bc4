"""Why `one serve` cannot go on.

ServeError         `code` (one of CODES) and `facts`, which the command line says in words
"""

from __future__ import annotations

CODES = frozenset(
    {
        "folder_in_use",
        "no_account",
        "no_apptainer",
        "no_association",
        "no_namespaces",
        "no_partition",
        "no_qos",
        "no_seaweedfs",
        "no_slurm",
        "no_slurmrestd",
        "no_token",
        "partition_unusable",
        "port_taken",
        "seaweedfs_ended",
        "settings_wrong",
        "shared_unusable",
        "slurm_silent",
        "slurmrestd_ended",
        "user_unusable",
    }
)


class ServeError(Exception):
    """What a person can cure; `facts` fill the sentence of `code`."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(f"{code}: {facts}")
        self.code = code
        self.facts = facts
