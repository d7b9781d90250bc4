"""Lets the portal's group read what a payload left: many libraries write files that only their owner may read (Python 3.6)."""

import os
import stat
from typing import List

FILE_BITS = stat.S_IRGRP
FOLDER_BITS = stat.S_IRGRP | stat.S_IXGRP


def share_with_group(folders: List[str]) -> List[str]:
    """Add group read below `folders`; links are neither followed nor changed. Returns what could not be shared, and why."""
    refused = []

    def give_up(error: OSError) -> None:
        refused.append("%s: %s" % (error.filename, error.strerror))

    for folder in folders:
        for here, folders_here, files in os.walk(folder, onerror=give_up):
            for name, bits in [(name, FOLDER_BITS) for name in folders_here] + [(name, FILE_BITS) for name in files]:
                path = os.path.join(here, name)
                try:
                    mode = os.lstat(path).st_mode
                    if (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and mode & bits != bits:
                        os.chmod(path, stat.S_IMODE(mode) | bits)
                except OSError as error:
                    give_up(error)
    return refused
