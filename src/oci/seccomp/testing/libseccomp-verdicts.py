"""Builds a filter with libseccomp and writes its program, for comparison with ours.

Reads JSON {default, defaultErrno, syscalls: [{names, action, errno, args: [[index, op, value, valueTwo]]}]} from standard
input, where numbers are decimal strings; writes raw `struct sock_filter`s to standard output.
Exits with 3 where there are no Python bindings of libseccomp.
"""
import json
import os
import sys
import tempfile

try:
    import seccomp
except ImportError:
    sys.exit(3)

OPERATORS = {
    "SCMP_CMP_EQ": seccomp.EQ,
    "SCMP_CMP_NE": seccomp.NE,
    "SCMP_CMP_LT": seccomp.LT,
    "SCMP_CMP_LE": seccomp.LE,
    "SCMP_CMP_GE": seccomp.GE,
    "SCMP_CMP_GT": seccomp.GT,
    "SCMP_CMP_MASKED_EQ": seccomp.MASKED_EQ,
}
ACTIONS = {
    "SCMP_ACT_ALLOW": seccomp.ALLOW,
    "SCMP_ACT_LOG": seccomp.LOG,
    "SCMP_ACT_TRAP": seccomp.TRAP,
    "SCMP_ACT_KILL": seccomp.KILL,
    "SCMP_ACT_KILL_THREAD": seccomp.KILL,
    "SCMP_ACT_KILL_PROCESS": seccomp.KILL_PROCESS,
}


def action(name, errno):
    if name == "SCMP_ACT_ERRNO":
        return seccomp.ERRNO(errno)
    if name == "SCMP_ACT_TRACE":
        return seccomp.TRACE(errno)
    return ACTIONS[name]


def has_number(name):
    return seccomp.resolve_syscall(seccomp.Arch(), name) >= 0


profile = json.load(sys.stdin)
built = seccomp.SyscallFilter(action(profile["default"], profile["defaultErrno"]))
for rule in profile["syscalls"]:
    if action(rule["action"], rule["errno"]) == action(profile["default"], profile["defaultErrno"]):
        continue  # says what the default says: the library refuses it
    arguments = [
        seccomp.Arg(index, OPERATORS[op], int(value), int(second))
        for index, op, value, second in rule["args"]
    ]
    # Calls of other architectures, and of kernels newer than the library, have no number.
    for name in filter(has_number, rule["names"]):
        built.add_rule_exactly(action(rule["action"], rule["errno"]), name, *arguments)
with tempfile.TemporaryFile() as output:
    built.export_bpf(output)
    output.flush()
    os.lseek(output.fileno(), 0, os.SEEK_SET)
    sys.stdout.buffer.write(output.read())
