import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

const PROGRAMS = [...PODMAN_PROGRAMS, 'curl'];
/** Answers on port 80 with a page. */
const SERVER = 'mkdir /www; echo "$PAGE" > /www/index.html; exec httpd -f -p 80 -h /www';
/** Until a server of the guest listens. */
const SERVER_TIMEOUT_MS = 30_000;

describe('the network of a container of podman', { skip: reasonToSkipEngine(PROGRAMS) }, () => {
  let room: EngineRoom;
  let podman: Podman;
  before(async () => {
    room = await EngineRoom.open();
    podman = await Podman.open(room);
  });
  after(async () => {
    await podman?.clear();
    await podman?.succeed(['network', 'prune', '--force']);
    await room?.close();
  });

  /** Starts a server with this page; returns its name. */
  async function serve(page: string, ...flags: string[]): Promise<string> {
    const name = `c${randomBytes(4).toString('hex')}`;
    const head = ['run', '--detach', '--name', name, '--env', `PAGE=${page}`];
    await podman.succeed([...head, ...flags, IMAGE, 'sh', '-c', SERVER]);
    return name;
  }

  async function fetchPage(url: string): Promise<string> {
    for (const deadline = Date.now() + SERVER_TIMEOUT_MS; ; await delay(50)) {
      const answer = await room.run(['curl', '--silent', '--show-error', '--max-time', '5', url]);
      if (answer.exitCode === 0) return answer.stdout.trim();
      assert.ok(Date.now() < deadline, `${url} does not answer: ${answer.stderr}`);
    }
  }

  const addressOf = (name: string, key = 'IPAddress') =>
    podman.inspect(name, `{{range .NetworkSettings.Networks}}{{.${key}}}{{end}}`);

  it('is the one that podman made, inside and outside', async () => {
    const name = await serve('hello');
    const address = await addressOf(name);
    const seen = await podman.succeed(['exec', name, 'ip', 'addr', 'show', 'eth0']);
    assert.match(seen, new RegExp(`inet ${address}/16 `));
    assert.match(seen, new RegExp(`link/ether ${await addressOf(name, 'MacAddress')} `));
    const routes = await podman.succeed(['exec', name, 'ip', 'route']);
    const gateway = await addressOf(name, 'Gateway');
    assert.match(routes, new RegExp(`default via ${gateway} dev eth0`));
    await podman.succeed(['exec', name, 'ping', '-c', '2', gateway]);
    assert.equal(await fetchPage(`http://${address}/`), 'hello');
  });

  it('has the ports that are published', async () => {
    await serve('published', '--publish', '8080:80');
    assert.equal(await fetchPage('http://127.0.0.1:8080/'), 'published');
  });

  it('connects containers of one bridge, in machines of their own', async () => {
    const address = await addressOf(await serve('neighbour'));
    await fetchPage(`http://${address}/`);
    const url = `http://${address}/`;
    assert.equal(
      await podman.succeed(['run', '--rm', IMAGE, 'wget', '-q', '-O-', url]),
      'neighbour',
    );
  });

  it('has IPv6, and the MTU of the bridge', async () => {
    await podman.succeed([
      'network',
      'create',
      '--ipv6',
      '--subnet',
      'fd77::/64',
      '--opt',
      'mtu=1400',
      'six',
    ]);
    const name = await serve('six', '--network', 'six');
    const address = await addressOf(name, 'GlobalIPv6Address');
    const gateway = await addressOf(name, 'IPv6Gateway');
    const seen = await podman.succeed(['exec', name, 'ip', 'addr', 'show', 'eth0']);
    assert.match(seen, /mtu 1400/);
    assert.match(seen, new RegExp(`inet6 ${address}/64 `));
    await podman.succeed(['exec', name, 'ping', '-6', '-c', '2', gateway]);
    assert.equal(await fetchPage(`http://[${address}]/`), 'six');
    // As much as fits unfragmented: 1400 bytes less the headers of IPv6 and ICMPv6.
    await podman.succeed(['exec', name, 'ping', '-6', '-c', '1', '-s', '1352', gateway]);
  });

  it('is nothing but a loopback where there is none', async () => {
    const seen = await podman.succeed(['run', '--rm', '--network', 'none', IMAGE, 'ip', 'addr']);
    assert.match(seen, /inet 127\.0\.0\.1\/8/);
    assert.equal(seen.includes('eth0'), false);
  });

  it('goes with the container, and comes back when it is started again', async () => {
    const name = await serve('again');
    await fetchPage(`http://${await addressOf(name)}/`);
    await podman.succeed(['restart', '--time', '0', name]);
    assert.equal(await fetchPage(`http://${await addressOf(name)}/`), 'again');
  });

  it('is shared, with the machine, by a container that joins it', async () => {
    const name = await serve('mine');
    await fetchPage(`http://${await addressOf(name)}/`);
    const flags = ['--rm', '--network', `container:${name}`];
    const page = await podman.succeed([
      'run',
      ...flags,
      IMAGE,
      'wget',
      '-qO-',
      'http://127.0.0.1/',
    ]);
    assert.equal(page, 'mine');
  });

  it('cannot be the host’s, nor that of another machine', async () => {
    const host = await podman.run(['run', '--rm', '--network', 'host', IMAGE, 'true']);
    assert.match(host.stderr, /the container asks for the host's own network/);
    await room.succeed(['ip', 'netns', 'add', 'both']);
    const pair = ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other'];
    await room.succeed(['ip', '-n', 'both', ...pair]);
    await room.succeed(['ip', '-n', 'both', 'link', 'set', 'eth0', 'up']);
    const flags = ['--network', 'ns:/run/netns/both'];
    await podman.succeed(['run', '--detach', '--name', 'first', ...flags, IMAGE, 'sleep', '600']);
    const second = await podman.run(['run', '--rm', ...flags, IMAGE, 'true']);
    assert.match(second.stderr, /another virtual machine is connected to this network namespace/);
    await podman.succeed(['rm', '--force', '--time', '0', 'first']);
    assert.equal((await room.succeed(['ip', '-n', 'both', 'link'])).includes('wardian0'), false);
    await room.succeed(['ip', 'netns', 'delete', 'both']);
  });
});
