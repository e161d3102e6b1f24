"""Starts a stub on the terminal that this is started on, tells it to go, and waits for its end."""
import os
import socket
import subprocess
import sys

ours, its = (os.dup(end.detach()) for end in socket.socketpair())
os.dup2(its, 3)
stub = subprocess.Popen(sys.argv[1:], pass_fds=[3])
os.write(ours, b"go\n")
sys.exit(stub.wait())
