import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DOCKER_PROGRAMS, Docker } from '../support/engines/docker.ts';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';

const PROGRAMS = [...DOCKER_PROGRAMS, 'curl'];
const onlyOurs = !isOurRuntime && 'about virtual machines';
/** Answers on port 80 with a page. */
const SERVER = 'mkdir /www; echo "$PAGE" > /www/index.html; exec httpd -f -p 80 -h /www';
/** Until a server of the guest listens. */
const SERVER_TIMEOUT_MS = 30_000;
const NETWORK = 'names';
/** Answers every question at the bridge's end with one address. */
const NAME_SERVER = `
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('172.31.7.1', 53))
print('ready', flush=True)
while True:
    question, client = server.recvfrom(512)
    end = question.index(0, 12) + 5
    answer = b'\\xc0\\x0c\\x00\\x01\\x00\\x01\\x00\\x00\\x00\\x3c\\x00\\x04\\x0a\\x14\\x1e\\x28'
    count = 1 if question[end - 3] == 1 else 0
    server.sendto(question[:2] + b'\\x81\\x80\\x00\\x01\\x00' + bytes([count]) + b'\\x00\\x00\\x00\\x00'
                  + question[12:end] + answer * count, client)
`;

describe('a network of Docker', { skip: reasonToSkipEngine(PROGRAMS) }, () => {
  let room: EngineRoom;
  let docker: Docker;
  before(async () => {
    room = await EngineRoom.open();
    docker = await Docker.open(room);
    const options = ['--opt', 'com.docker.network.driver.mtu=1400', '--subnet', '172.31.7.0/24'];
    await docker.succeed(['network', 'create', ...options, NETWORK]);
  });
  after(async () => {
    await docker?.clear();
    await docker?.succeed(['network', 'rm', NETWORK]);
    await room?.close();
  });

  async function serve(page: string, ...flags: string[]): Promise<string> {
    const name = `c${randomBytes(4).toString('hex')}`;
    const head = ['run', '--detach', '--name', name, '--env', `PAGE=${page}`];
    await docker.succeed([...head, ...flags, IMAGE, 'sh', '-c', SERVER]);
    return name;
  }

  const inNetwork = (...command: string[]) =>
    docker.succeed(['run', '--rm', '--network', NETWORK, IMAGE, ...command]);

  it('tells the names of its containers', async () => {
    const name = await serve('named', '--network', NETWORK, '--network-alias', 'alias');
    const address = await docker.inspect(
      name,
      `{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}`,
    );
    assert.match(address, /^172\.31\.7\./);
    const answer = await inNetwork('nslookup', name);
    assert.match(answer, new RegExp(`Server:\\s+127\\.0\\.0\\.11[\\s\\S]*Address: ${address}`));
    await waitForServer(`http://${address}/`);
    assert.equal(await inNetwork('wget', '-q', '-O-', `http://${name}/`), 'named');
    assert.equal(await inNetwork('wget', '-q', '-O-', 'http://alias/'), 'named');
  });

  it('passes on questions that Docker cannot answer', async () => {
    const server = room.start(['python3', '-c', NAME_SERVER]);
    await once(server.stdout as Readable, 'data');
    const flags = ['--network', NETWORK, '--dns', '172.31.7.1'];
    const script = 'nslookup else.where; ping -c 1 172.31.7.1';
    const answer = await docker.succeed(['run', '--rm', ...flags, IMAGE, 'sh', '-c', script]);
    assert.match(answer, /Server:\s+127\.0\.0\.11[\s\S]*Address: 10\.20\.30\.40/);
    assert.match(answer, /1 packets received/);
    server.kill('SIGKILL');
  });

  it('has its MTU, gateway and hardware address inside', async () => {
    const name = await serve('', '--network', NETWORK);
    const template = '{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}';
    const address = await docker.inspect(name, template);
    const seen = await docker.succeed(['exec', name, 'ip', 'addr', 'show', 'eth0']);
    assert.match(seen, new RegExp(`mtu 1400 [\\s\\S]*link/ether ${address} `));
    const routes = await docker.succeed(['exec', name, 'ip', 'route']);
    assert.match(routes, /default via 172\.31\.7\.1 dev eth0/);
  });

  it('publishes ports of its containers', async () => {
    await serve('published', '--network', NETWORK, '--publish', '127.0.0.1:8082:80');
    assert.equal(await waitForServer('http://127.0.0.1:8082/'), 'published');
  });

  it('may be one of two', { skip: onlyOurs }, async () => {
    const name = `c${randomBytes(4).toString('hex')}`;
    const command = ['sh', '-c', 'ip -o -4 addr'];
    await docker.succeed(['create', '--name', name, '--network', NETWORK, IMAGE, ...command]);
    await docker.succeed(['network', 'connect', 'bridge', name]);
    const seen = await docker.succeed(['start', '--attach', name]);
    assert.match(seen, /eth\d\s+inet 172\.31\.7\.\d+\/24/);
    assert.match(seen, /eth\d\s+inet 172\.17\.0\.\d+\/16/);
  });

  async function waitForServer(url: string): Promise<string> {
    for (const deadline = Date.now() + SERVER_TIMEOUT_MS; ; await delay(50)) {
      const answer = await room.run(['curl', '--silent', '--show-error', '--max-time', '5', url]);
      if (answer.exitCode === 0) return answer.stdout.trim();
      assert.ok(Date.now() < deadline, `${url} does not answer: ${answer.stderr}`);
    }
  }
});
