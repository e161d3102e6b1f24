"""An engine's end of a console socket: takes a terminal from it, types what it is told, and says what it shows.

Lines in: "type TEXT" (JSON string), "size ROWS COLUMNS", "close". Lines out: JSON strings of what the terminal shows.
"""
import array
import fcntl
import json
import os
import select
import socket
import struct
import sys
import termios

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(1)
print(json.dumps("listening"), flush=True)
connection, _ = listener.accept()
name, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
master = array.array("i", control[0][2])[0]
size = struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)))
print(json.dumps(f"{name.decode()} {len(control)} {size[0]}x{size[1]}"), flush=True)

commands = b""
while True:
    readable, _, _ = select.select([0, master] if master >= 0 else [0], [], [])
    if master in readable:
        try:
            shown = os.read(master, 65536)
        except OSError:
            shown = b""
        if not shown:
            print(json.dumps("hung up"), flush=True)
            break
        print(json.dumps(shown.decode("latin-1")), flush=True)
    if 0 in readable:
        chunk = os.read(0, 65536)
        if not chunk:
            break
        commands += chunk
        *lines, commands = commands.split(b"\n")
        for line in lines:
            verb, _, rest = line.decode().partition(" ")
            if verb == "type":
                os.write(master, json.loads(rest).encode("latin-1"))
            elif verb == "size":
                rows, columns = map(int, rest.split())
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            elif verb == "close":
                os.close(master)
                master = -1
