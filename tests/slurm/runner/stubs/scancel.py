"""Stands in for scancel: notes what it was asked, refuses as often as told."""

import os
import sys

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CALLS = os.path.join(HOME, "scancel.log")
with open(CALLS, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\n")
with open(CALLS) as file:
    calls = len(file.readlines())
refusals = os.path.join(HOME, "scancel_refuses")
if os.path.exists(refusals):
    with open(refusals) as file:
        if calls <= int(file.read()):
            sys.exit(1)
