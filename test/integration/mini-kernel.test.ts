import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { loadGuestManifest } from '../../scripts/setup/guest.ts';
import { findDirectories } from '../../src/host/directories.ts';
import {
  type Answers,
  openWorkshop,
  probeKernel,
  TOOLS,
  type Workshop,
} from './mini-kernel/machine.ts';

const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
const kernels = loadGuestManifest(cache)?.mini?.kernels ?? {};
const missingTools = TOOLS.filter((tool) => !isInstalled(tool));
/** The probe asks more than this; fewer answers mean that it did not run to its end. */
const FEWEST_CHECKS = 130;

for (const kind of ['tcg', 'kvm'] as const) {
  const built = kernels[kind];
  describe(`mini-OS kernel for ${kind}`, { skip: reasonToSkip(kind) }, () => {
    let workshop: Workshop;
    let answers: Answers;

    before(async () => {
      workshop = openWorkshop();
      assert.ok(built !== undefined);
      answers = await probeKernel(workshop, built);
    });
    after(() => workshop.close());

    it('boots, and ends by itself', () => {
      assert.equal(answers.told.get('end'), 'reached', answers.console);
      assert.equal(answers.told.get('release'), built?.kernelRelease);
      assert.match(answers.told.get('release') ?? '', new RegExp(`-wardian-${kind}$`));
    });

    it('has all that containers need', () => {
      const failed = [...answers.checks].filter(([, text]) => text !== 'ok');
      assert.deepEqual(failed, []);
      assert.ok(answers.checks.size > FEWEST_CHECKS, `${answers.checks.size} checks`);
    });

    it('has the controllers of cgroup version 2', () => {
      const controllers = answers.told.get('controllers')?.split(' ').sort();
      assert.deepEqual(controllers, ['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids']);
    });

    it('knows virtiofs, and lets nobody but root load programs', () => {
      assert.equal(answers.told.get('filesystems'), 'virtiofs');
      assert.equal(answers.told.get('bpf'), '2');
    });

    it(kind === 'kvm' ? 'defends itself' : 'has no detours that do nothing here', () => {
      const defence = [answers.told.get('meltdown'), answers.told.get('spectre_v2')].join('; ');
      assert.match(
        defence,
        kind === 'kvm' ? /^Mitigation: PTI; Mitigation: Retpolines/ : /^Vulnerable; Vulnerable/,
      );
    });

    it('is small', () => {
      assert.ok(statSync(built?.kernel ?? '').size < 40 * 2 ** 20);
    });
  });
}

function reasonToSkip(kind: 'tcg' | 'kvm'): string | false {
  if (kernels[kind] === undefined) {
    return `it is not built: ./wardian guest build kernel --accelerator ${kind}`;
  }
  return missingTools.length > 0 && `not installed: ${missingTools.join(', ')}`;
}

function isInstalled(tool: string): boolean {
  try {
    execFileSync('which', [tool], { env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } });
    return true;
  } catch {
    return false; // it exits with 1
  }
}
