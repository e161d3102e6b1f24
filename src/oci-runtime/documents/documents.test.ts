import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatSpec, parseSpec } from '../../oci/runtime-spec/parse.ts';
import { translateSpec } from '../../oci/translate/translate-spec.ts';
import { buildDefaultSpec } from './default-spec.ts';
import { describeFeatures } from './features.ts';

const POLICY = { id: 'box', layers: [], folder: 'box/rootfs', stdin: true };

describe('the specification to begin with', () => {
  for (const isRootless of [false, true]) {
    it(`runs as it is${isRootless ? ', without root too' : ''}`, () => {
      const spec = parseSpec(formatSpec(buildDefaultSpec({ isRootless })));
      const guest = translateSpec(spec, POLICY);
      assert.deepEqual(guest.process.args, ['sh']);
      assert.ok(guest.rootfs.readOnly && guest.process.terminal);
      assert.equal(
        spec.linux?.namespaces?.some(({ type }) => type === 'network'),
        !isRootless,
      );
    });
  }
});

describe('the features', () => {
  const features = describeFeatures('1.2.3') as {
    ociVersionMin: string;
    ociVersionMax: string;
    mountOptions: string[];
    linux: { capabilities: string[]; seccomp: { actions: string[] }; namespaces: string[] };
  };
  /** A specification with the parts that a feature is about. */
  const pid = { namespaces: [{ type: 'pid' }] };
  const translate = ({ linux = {}, ...changes }: { linux?: object; [key: string]: unknown }) =>
    translateSpec(
      parseSpec(
        JSON.stringify({
          ociVersion: features.ociVersionMax,
          process: { cwd: '/', args: ['true'] },
          ...changes,
          linux: { ...pid, ...linux },
        }),
      ),
      POLICY,
    );

  it('are true of versions, namespaces, capabilities and seccomp actions', () => {
    translate({ ociVersion: features.ociVersionMin });
    translate({ linux: { namespaces: features.linux.namespaces.map((type) => ({ type })) } });
    const capabilities = { bounding: features.linux.capabilities };
    translate({ process: { cwd: '/', args: ['true'], capabilities } });
    for (const defaultAction of features.linux.seccomp.actions) {
      translate({ linux: { seccomp: { defaultAction, syscalls: [] } } });
    }
  });

  it('are true of mount options', () => {
    const [mount] = translate({
      mounts: [{ destination: '/x', type: 'tmpfs', options: ['nosuid', 'unheard-of'] }],
    }).mounts;
    assert.equal(mount?.data, 'unheard-of');
    assert.ok(features.mountOptions.includes('nosuid') && features.mountOptions.includes('rro'));
    assert.deepEqual(features.mountOptions, [...new Set(features.mountOptions)].sort());
  });
});
