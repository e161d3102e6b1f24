import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { createId } from '../../host/random-id.ts';
import type { RunRequest } from '../../sandboxer/api.ts';
import { type ClientOptions, SandboxerClient } from '../../sandboxer/client.ts';
import {
  createFakeEnvironment,
  type FakeEnvironment,
} from '../../sandboxer/testing/fake-environment.ts';
import { startProcess } from './start-process.ts';

let fake: FakeEnvironment | undefined;

afterEach(() => {
  fake?.close();
  fake = undefined;
});

test('a start that met a sandboxer of another version is made with one of ours, once', async () => {
  fake = createFakeEnvironment({ FAKE_VERSION: '0.0.9' });
  (await SandboxerClient.connect({ ...fake.options, version: '0.0.9' })).close();
  const environment = { ...fake.options.environment, FAKE_VERSION: '0.1.0' };
  const options: ClientOptions = { ...fake.options, environment };
  const id = createId();
  const client = await SandboxerClient.connectAtOnce(options);
  const response = await startProcess({
    client,
    connect: () => SandboxerClient.connect(options),
    start: (current) => current.call('run', { id, image: 'busybox' } as RunRequest),
    find: async () => undefined,
  });
  assert.equal(response.id, id);
  assert.equal(fake.read('starts'), 'xx');
  assert.equal(fake.read('calls').split('"method":"run"').length - 1, 1);
});
