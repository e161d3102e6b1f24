"""Builds a filter with libseccomp and writes its program, for comparison with ours.

Reads JSON {default, syscalls: [{names, action, errno, args: [[index, op, value, valueTwo]]}]} from standard
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


def action(name, errno):
    if name == "SCMP_ACT_ERRNO":
        return seccomp.ERRNO(errno)
    return {"SCMP_ACT_ALLOW": seccomp.ALLOW, "SCMP_ACT_LOG": seccomp.LOG}[name]


profile = json.load(sys.stdin)
built = seccomp.SyscallFilter(action(profile["default"], 1))
for rule in profile["syscalls"]:
    arguments = [
        seccomp.Arg(index, OPERATORS[op], int(value), int(second))
        for index, op, value, second in rule["args"]
    ]
    for name in rule["names"]:
        built.add_rule_exactly(action(rule["action"], rule["errno"]), name, *arguments)
with tempfile.TemporaryFile() as output:
    built.export_bpf(output)
    output.flush()
    os.lseek(output.fileno(), 0, os.SEEK_SET)
    sys.stdout.buffer.write(output.read())
