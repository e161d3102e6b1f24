import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { QmpClient } from './qmp-client.ts';

/** The other end of a monitor: what was written to it, and a way to answer. */
class FakeMonitor extends Duplex {
  readonly requests: { execute: string; id: number; arguments?: unknown }[] = [];

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    for (const line of bytes.toString().trim().split('\n')) this.requests.push(JSON.parse(line));
    done();
  }

  say(...messages: unknown[]): void {
    this.push(messages.map((message) => `${JSON.stringify(message)}\r\n`).join(''));
  }
}

describe('the QMP client', () => {
  it('sends commands before QEMU has said a word', async () => {
    const monitor = new FakeMonitor();
    const client = new QmpClient(monitor);
    const answer = client.execute('query-status', { a: 1 });
    await Promise.resolve();
    assert.deepEqual(
      monitor.requests.map(({ execute, id }) => [execute, id]),
      [
        ['qmp_capabilities', 1],
        ['query-status', 2],
      ],
    );
    assert.equal(client.greeted, false);
    monitor.say({ QMP: {} }, { return: {}, id: 1 }, { return: { status: 'running' }, id: 2 });
    assert.deepEqual(await answer, { status: 'running' });
    assert.equal(client.greeted, true);
    client.close();
  });

  it('puts together what arrives in pieces', async () => {
    const monitor = new FakeMonitor();
    const client = new QmpClient(monitor);
    const answer = client.execute('stop');
    for (const byte of '{"return": {"text": "ü"}, "id": 2}\n') monitor.push(byte);
    assert.deepEqual(await answer, { text: 'ü' });
    client.close();
  });

  it('quotes what QEMU refuses', async () => {
    const monitor = new FakeMonitor();
    const client = new QmpClient(monitor);
    const answer = client.execute('device_add');
    monitor.say({ error: { class: 'GenericError', desc: 'no such bus' }, id: 2 });
    await assert.rejects(answer, /QEMU refused device_add: no such bus/);
    client.close();
  });

  it('hands out events and ignores those it does not know', async () => {
    const monitor = new FakeMonitor();
    const client = new QmpClient(monitor);
    const waiting = client.waitFor('the end', ({ event }) => event === 'SHUTDOWN', 1_000);
    monitor.say({ event: 'RTC_CHANGE', data: null }, { event: 'SHUTDOWN', data: { reason: 'x' } });
    assert.deepEqual(await waiting, { event: 'SHUTDOWN', reason: 'x' });
    client.close();
  });

  it('gives up on an answer that does not come', async () => {
    const client = new QmpClient(new FakeMonitor());
    await assert.rejects(client.execute('stop', undefined, 5), { code: 'HYPERVISOR_FAILED' });
    client.close();
  });

  it('fails what is open when QEMU goes', async () => {
    const monitor = new FakeMonitor();
    const client = new QmpClient(monitor);
    const answer = client.execute('stop');
    const event = client.waitFor('an event', () => true, 1_000);
    monitor.destroy();
    await assert.rejects(answer, /before it answered stop/);
    await assert.rejects(event, { code: 'HYPERVISOR_FAILED' });
    await assert.rejects(client.execute('cont'), /QEMU has ended/);
  });

  for (const [name, bytes] of [
    ['a line without end', 'x'.repeat(1024 * 1024 + 1)],
    ['what is not JSON', 'hello\n'],
    ['what is not an object', '[1]\n'],
  ] as const) {
    it(`hangs up on ${name}`, async () => {
      const monitor = new FakeMonitor();
      const client = new QmpClient(monitor);
      const answer = client.execute('stop');
      monitor.push(bytes);
      await assert.rejects(answer, /not its protocol/);
      await client.closed;
    });
  }
});
