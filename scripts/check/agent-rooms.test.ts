import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { checkAgentRooms } from './agent-rooms.ts';

/** What the check says about a tree of these files. */
function check(files: Record<string, string>): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'wardian-includes-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    }
    return checkAgentRooms(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const EMPTY = { 'base/a.h': '', 'system/a.h': '', 'container/a.h': '' };

test('includes that go down, and within a room, are fine, and main.c and tests include what they like', () => {
  const files = {
    'container/b.c': '#include "container/a.h"\n\n#include "system/a.h"\n#include <sched.h>\n',
    'base/messages.h': '#include "agent.pb.h"\n',
    'main.c': '#include "container/a.h"\n',
    'test/unit-test.c': '#include "support.h"\n',
  };
  assert.deepEqual(check({ ...EMPTY, ...files }), []);
});

test('includes that go up or sideways are told with their line', () => {
  const files = {
    'rootfs/b.c': '\n#include "system/a.h"\n',
    'system/b.c': '// why\n#include "container/a.h"\n',
  };
  assert.deepEqual(check({ ...EMPTY, ...files }), [
    'rootfs/b.c:2: rootfs/ must not include from system/ (that goes sideways)',
    'system/b.c:2: system/ must not include from container/ (that goes up)',
  ]);
});

test('includes of what is not there, and rooms that the table does not know, are told', () => {
  const files = { 'attic/b.c': '#include "base/a.h"\n', 'system/b.c': '#include "a.h"\n' };
  assert.deepEqual(check({ ...EMPTY, ...files }), [
    'attic/b.c:1: attic/ is not a room',
    'system/b.c:1: a.h is not a file of the agent',
  ]);
});

test('files that include each other are told, a header and its source being one', () => {
  const files = {
    'base/b.h': '',
    'base/b.c': '#include "base/b.h"\n#include "base/c.h"\n',
    'base/c.h': '',
    'base/c.c': '#include "base/c.h"\n#include "base/b.h"\n',
  };
  assert.deepEqual(check({ ...EMPTY, ...files }), ['base/b -> base/c -> base/b is a circle']);
});

test('a file that is too long is told', () => {
  assert.deepEqual(check({ ...EMPTY, 'base/b.c': ';\n'.repeat(501) }), [
    'base/b.c: 501 lines, more than 500',
  ]);
});
