import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { assertRefused, type BadCommand } from '../support/bad-command.ts';
import { archive, FILE, PLAIN } from '../support/damaged-archive.ts';
import { assertNothingLeft } from '../support/nothing-left.ts';
import {
  addBlob,
  addImage,
  addIndex,
  makeArchive,
  makeLayer,
  makeTar,
  type TestFiles,
  type TestLayer,
} from '../support/oci-layout.ts';
import { TestHost } from '../support/test-host.ts';

/** A layer whose blob is not what its media type or its diff id say. */
function falseLayer(blob: Buffer, compression: 'gzip' | 'zstd'): TestLayer {
  const layer = makeLayer(makeTar([FILE]));
  return { ...layer, blob, mediaType: layer.mediaType.replace('gzip', compression) };
}

function hostile(...entries: Parameters<typeof makeTar>[0]): Buffer {
  return archive(makeLayer(makeTar(entries)));
}

function damageBlob(files: TestFiles, layer: TestLayer): void {
  const [name] = [...files].find(([, data]) => data.equals(layer.blob)) ?? [''];
  files.set(name, Buffer.from(layer.blob.map((byte, index) => (index === 40 ? byte ^ 1 : byte))));
}

const GZIPPED = gzipSync(makeTar([{ name: 'random', content: Buffer.alloc(99_000, 'abcdefg') }]));
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const DAMAGED_HINT = /hint: .*damaged/;

/** Archives that are damaged or mean harm. All come on standard input. */
const ARCHIVES: readonly Omit<BadCommand, 'command'>[] = [
  {
    name: 'nothing',
    stdin: Buffer.alloc(0),
    message: /neither an OCI layout nor a docker archive/,
  },
  { name: 'noise', stdin: Buffer.alloc(9000, 'noise'), message: /not a tar archive/ },
  {
    name: 'an archive that is cut',
    stdin: archive(PLAIN).subarray(0, 2700),
    message: /ends within/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'gzip that is cut',
    stdin: archive(falseLayer(GZIPPED.subarray(0, GZIPPED.length / 2), 'gzip')),
    message: /damaged or truncated gzip data/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'zstd that is none',
    stdin: archive(falseLayer(Buffer.concat([ZSTD_MAGIC, Buffer.alloc(99, 'x')]), 'zstd')),
    message: /damaged or truncated zstd data/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'a blob that is not what its digest says',
    stdin: archive(PLAIN, (files) => damageBlob(files, PLAIN)),
    message: /sha256|digest/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'a layer that is not what its diff id says',
    stdin: archive({ ...PLAIN, diffId: makeLayer(makeTar([])).diffId }),
    message: /diff|digest|content/i,
  },
  {
    name: 'an index that is not JSON',
    stdin: archive(PLAIN, (files) => files.set('index.json', Buffer.from('{"a":'))),
    message: /index\.json is not JSON/,
  },
  {
    name: 'an index of something else',
    stdin: archive(PLAIN, (files) => files.set('index.json', Buffer.from('[1,2]'))),
    message: /index\.json/,
  },
  {
    name: 'a configuration of something else',
    stdin: (() => {
      const files: TestFiles = new Map();
      const image = addImage(files, { layers: [PLAIN] });
      const config = addBlob(files, Buffer.from('"x"'), 'application/vnd.oci.image.config.v1+json');
      const manifest = JSON.parse(String(files.get(`blobs/sha256/${image.digest.slice(7)}`)));
      const changed = Buffer.from(JSON.stringify({ ...manifest, config }));
      addIndex(files, [addBlob(files, changed, image.mediaType)]);
      return makeArchive(files);
    })(),
    message: /config/,
  },
  {
    name: 'a path that climbs out',
    stdin: hostile({ name: '../../../../tmp/wardian-evil', content: 'evil' }),
    message: /leads out of its folder/,
  },
  {
    name: 'a hard link that climbs out',
    stdin: hostile({ name: 'shadow', type: '1', linkName: '../../etc/shadow' }),
    message: /leads out of its folder/,
  },
  {
    name: 'a hard link to nothing',
    stdin: hostile({ name: 'link', type: '1', linkName: 'none' }),
    message: /link/,
  },
  {
    name: 'a file that says it is huge',
    stdin: hostile({ name: 'huge', content: 'small', size: 2 ** 32 }),
    message: /ends within|damaged/,
  },
  {
    name: 'a bomb',
    stdin: archive(falseLayer(makeBomb(), 'gzip')),
    message: /expands to more than 500 times its size/,
    hint: /hint: it may be made to fill your disk/,
  },
];

/** A megabyte that unpacks to one file of more than a gigabyte of zeros. */
function makeBomb(): Buffer {
  const part = Buffer.alloc(64 * 2 ** 20);
  const parts = 20;
  const header = makeTar([{ name: 'zeros', size: parts * part.length }]).subarray(0, 512);
  return Buffer.concat([gzipSync(header), ...Array<Buffer>(parts).fill(gzipSync(part))]);
}

describe('archives that are damaged or hostile', () => {
  let host: TestHost;
  before(() => {
    host = new TestHost();
  });
  after(() => host.close());

  for (const entry of ARCHIVES) {
    it(entry.name, async () => {
      const result = await host.wardian(['load', '-q'], { stdin: entry.stdin ?? '' });
      assertRefused(result, { ...entry, command: [] });
      assert.equal(await host.succeed(['images', '-q']), '');
      assertNothingLeft(host);
    });
  }

  it('a file behind a symbolic link stays in the image', async () => {
    const evil = hostile(
      { name: 'out', type: '2', linkName: '/tmp' },
      { name: 'out/wardian-evil', content: 'evil' },
    );
    await host.wardian(['load', '-q'], { stdin: evil });
    assert.throws(() => execFileSync('ls', ['/tmp/wardian-evil'], { stdio: 'pipe' }));
  });
});
