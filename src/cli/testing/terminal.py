"""Runs a command on a terminal of its own, types what a script says, and tells what came of it, as JSON.

usage: terminal.py SCRIPT COMMAND...
SCRIPT is JSON, a list of steps: {"expect": TEXT}, {"type": TEXT}, {"resize": [ROWS, COLUMNS]},
{"signal": NUMBER}, {"sleep": SECONDS}.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

TIMEOUT_SECONDS = 30


def set_size(descriptor, rows, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def is_raw(descriptor):
    _, output, _, local, *_ = termios.tcgetattr(descriptor)
    return not (local & (termios.ICANON | termios.ECHO | termios.ISIG) or output & termios.OPOST)


def main():
    steps = json.loads(sys.argv[1])
    master, slave = pty.openpty()
    set_size(slave, 24, 80)
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(slave, descriptor)
        os.closerange(3, 64)
        os.execvp(sys.argv[2], sys.argv[2:])
    seen = b""
    was_raw = False
    position = 0
    deadline = time.monotonic() + TIMEOUT_SECONDS

    def read(seconds):
        nonlocal seen, was_raw
        ready, _, _ = select.select([master], [], [], seconds)
        if ready:
            seen += os.read(master, 65536)
        was_raw = was_raw or is_raw(slave)

    for step in steps:
        if "expect" in step:
            wanted = step["expect"].encode()
            while wanted not in seen[position:] and time.monotonic() < deadline:
                read(0.05)
            found = seen.find(wanted, position)
            position = found + len(wanted) if found >= 0 else position
        elif "type" in step:
            while not is_raw(slave) and time.monotonic() < deadline:
                read(0.02)
            was_raw = was_raw or is_raw(slave)
            os.write(master, step["type"].encode())
        elif "resize" in step:
            set_size(master, *step["resize"])
        elif "signal" in step:
            os.kill(child, step["signal"])
        elif "sleep" in step:
            time.sleep(step["sleep"])
    status = None
    while status is None and time.monotonic() < deadline:
        read(0.02)
        done, result = os.waitpid(child, os.WNOHANG)
        status = result if done else None
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    read(0.05)
    print(
        json.dumps(
            {
                "output": seen.decode("utf8", "replace"),
                "exitCode": os.waitstatus_to_exitcode(status),
                "wasRaw": was_raw,
                "isRaw": is_raw(slave),
            }
        )
    )


main()
