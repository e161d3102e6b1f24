"""Loads the filter given in hexadecimal into the running kernel and prints what each named call does then.

Usage: try-filter.py FILTER [NUMBER,ARG0,ARG1,ARG2]...; prints one errno (0: no error) a call.
"""
import ctypes
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
code = bytes.fromhex(sys.argv[1])
buffer = ctypes.create_string_buffer(code, len(code))
program = Program(len(code) // 8, ctypes.addressof(buffer))
calls = [[int(word, 0) for word in call.split(",")] for call in sys.argv[2:]]

if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
    sys.exit("no_new_privs: errno %d" % ctypes.get_errno())
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
    sys.exit("the kernel refuses the filter: errno %d" % ctypes.get_errno())
for number, *arguments in calls:
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(word) for word in arguments])
    print(ctypes.get_errno() if result == -1 else 0, flush=True)
