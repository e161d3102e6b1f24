import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSpec, parseSpec } from './parse.ts';

const MINIMAL = { ociVersion: '1.2.0', process: { cwd: '/', args: ['true'] } };

/** Everything that is read, once. */
const FULL = `{
  "ociVersion": "1.0.2-dev", "unknown": {"ignored": [1]},
  "root": {"path": "rootfs", "readonly": true}, "hostname": "box", "domainname": "example.org",
  "process": {
    "terminal": true, "consoleSize": {"height": 24, "width": 80}, "cwd": "/work",
    "user": {"uid": 1000, "gid": 100, "umask": 18, "additionalGids": [5, 6]},
    "args": ["sh", "-c", "echo a\\nb"], "env": ["A=1"],
    "capabilities": {"bounding": ["CAP_CHOWN"], "effective": null},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 18446744073709551615}],
    "noNewPrivileges": true, "oomScoreAdj": -5
  },
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]}],
  "annotations": {"org.example": ""},
  "linux": {
    "namespaces": [{"type": "pid"}, {"type": "network", "path": "/proc/1/ns/net"}],
    "sysctl": {"net.ipv4.ip_forward": "1"}, "maskedPaths": ["/proc/kcore"],
    "devices": [{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229, "fileMode": 438}],
    "resources": {
      "memory": {"limit": 9223372036854771712, "swap": -1}, "cpu": {"shares": 512, "cpus": "0-1"},
      "pids": {"limit": 100}, "unified": {"memory.high": "1000"}
    },
    "seccomp": {
      "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"],
      "syscalls": [{
        "names": ["clone"], "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": 18446744073709551614, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
      }]
    }
  }
}`;

function without(path: string): string {
  return JSON.stringify({ ...MINIMAL, [path]: undefined });
}

test('reads a full specification and drops what it does not know', () => {
  const spec = parseSpec(FULL);
  assert.equal(spec.process?.rlimits?.[0]?.hard, 18446744073709551615n);
  assert.equal(spec.linux?.resources?.memory?.limit, 9223372036854771712n);
  assert.equal(spec.linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value, 18446744073709551614n);
  assert.equal(spec.process?.args?.[2], 'echo a\nb');
  assert.equal('unknown' in spec, false);
  assert.deepEqual(spec.process?.capabilities, { bounding: ['CAP_CHOWN'] });
});

test('reads back what it writes', () => {
  const spec = parseSpec(FULL);
  assert.deepEqual(parseSpec(formatSpec(spec)), spec);
});

test('names the place and the value of what is wrong', () => {
  const cases: [object, RegExp][] = [
    [{ ociVersion: '2.0.0' }, /^ociVersion is "2\.0\.0", not a version 1\.x\.y$/],
    [{ root: [] }, /^root is a list, not an object$/],
    [{ hostname: 'a b' }, /^hostname is "a b", not a host name$/],
    [{ hostname: 'a'.repeat(65) }, /^hostname is 65 characters long/],
    [{ process: { cwd: 'here' } }, /^process\.cwd is "here", not an absolute path$/],
    [{ process: { args: [] } }, /^process\.cwd is missing$/],
    [{ process: { cwd: '/', args: ['a\0b'] } }, /^process\.args\[0\] contains a NUL/],
    [{ process: { cwd: '/\u0007' } }, /^process\.cwd contains a control character: "\/\\u0007"$/],
    [{ process: { cwd: '/', user: { uid: -1 } } }, /^process\.user\.uid is -1, not a whole number/],
    [{ process: { cwd: '/', oomScoreAdj: 1001 } }, /^process\.oomScoreAdj is 1001, not/],
    [
      { process: { cwd: '/', rlimits: [{ type: 5, soft: 1, hard: 1 }] } },
      /^process\.rlimits\[0\]\.type is 5, not a string$/,
    ],
    [
      { process: { cwd: '/', rlimits: [{ type: 'RLIMIT_CPU', soft: 1.5, hard: 1 }] } },
      /^process\.rlimits\[0\]\.soft is 1\.5, not a whole number/,
    ],
    [{ mounts: [{ destination: '' }] }, /^mounts\[0\]\.destination is "", not a path$/],
    [{ mounts: Array(4097).fill({ destination: '/' }) }, /^mounts has 4097 entries; at most 4096/],
    [
      { linux: { namespaces: [{ type: 'net' }] } },
      /namespaces\[0\]\.type is "net", not one of pid/,
    ],
    [{ linux: { sysctl: { '../x': '1' } } }, /^linux\.sysctl \(name\) is "\.\.\/x", not the name/],
    [{ linux: { sysctl: { a: 1 } } }, /^linux\.sysctl\["a"\] is 1, not a string$/],
    [{ linux: { seccomp: {} } }, /^linux\.seccomp\.defaultAction is missing$/],
    [
      { linux: { seccomp: { defaultAction: 'ALLOW' } } },
      /^linux\.seccomp\.defaultAction is "ALLOW", not one of SCMP_ACT_ALLOW/,
    ],
    [{ linux: { devices: [{ type: 'c', path: 'dev' }] } }, /^linux\.devices\[0\]\.path is "dev"/],
  ];
  for (const [part, message] of cases) {
    const json = JSON.stringify({ ...MINIMAL, ...part });
    assert.throws(() => parseSpec(json), { code: 'SPEC_INVALID', message }, json.slice(0, 200));
  }
});

test('refuses texts that are no specification at all', () => {
  for (const json of ['', '[]', 'null', '"x"', '{', without('ociVersion'), ' '.repeat(5_000_000)]) {
    assert.throws(() => parseSpec(json), { code: 'SPEC_INVALID' }, json.slice(0, 40));
  }
});

test('survives the loss or change of any single character', () => {
  for (let offset = 0; offset < FULL.length; offset++) {
    for (const replacement of ['', '\0', '"', '9', '}']) {
      const json = FULL.slice(0, offset) + replacement + FULL.slice(offset + 1);
      try {
        parseSpec(json);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'SPEC_INVALID', `${error} at ${offset}`);
      }
    }
  }
});
