"""Ask the agent for its version as the daemon would, and print the answer."""

import socket
import sys

with socket.socket(socket.AF_UNIX) as agent:
    agent.settimeout(30)
    agent.connect(sys.argv[1])
    agent.sendall(b'{"verb": "version"}\n')
    answer = agent.makefile().readline()
print(answer.strip())
sys.exit(0 if '"ok":true' in answer.replace(" ", "") else 1)
