import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { WardianError } from '../util/errors.ts';
import type { LoadedConfiguration } from './configuration.ts';
import { loadConfiguration } from './load-configuration.ts';

const PLENTY = 8 * 2 ** 30;

describe('the configuration', () => {
  let folder: string;
  let systemPath: string;
  let userPath: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'wardian-configuration-'));
    systemPath = path.join(folder, 'system.toml');
    userPath = path.join(folder, 'wardian/config.toml');
    mkdirSync(path.dirname(userPath));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function load(variables: Record<string, string> = {}, availableBytes = PLENTY) {
    const environment = { XDG_CONFIG_HOME: folder, ...variables };
    return loadConfiguration({ environment, systemPath, availableBytes });
  }

  function sourceOf({ settings }: LoadedConfiguration, key: string): string {
    return settings.find((setting) => setting.key === key)?.source ?? '';
  }

  async function fail(text: string): Promise<WardianError> {
    writeFileSync(userPath, text);
    const error = await load().catch((thrown: unknown) => thrown as WardianError);
    assert.ok('code' in error, `this was accepted: ${text}`);
    assert.equal(error.code, 'CONFIG_INVALID');
    return error;
  }

  it('needs no file', async () => {
    const loaded = await load();
    assert.deepEqual(loaded.values, {
      pool: { size: 1, memoryBytes: 256 * 2 ** 20, refillDelayMs: 200 },
      guest: 'auto',
      network: { model: 'tcfilter' },
      idleTimeoutMs: 30_000,
    });
    assert.deepEqual(
      loaded.settings.map(({ key, value }) => `${key}=${value}`),
      [
        'pool.size=1',
        'pool.memory=256m',
        'pool.refill=200ms',
        'guest=auto',
        'network.model=tcfilter',
        'idle_timeout=30s',
      ],
    );
    assert.ok(loaded.settings.every(({ source }) => source === 'default'));
  });

  it('has no pool where memory is short, unless somebody wants one', async () => {
    const scarce = await load({}, 2 ** 30);
    assert.equal(scarce.values.pool.size, 0);
    assert.match(sourceOf(scarce, 'pool.size'), /less than 2 GiB to spare/);
    assert.equal((await load({ WARDIAN_POOL_SIZE: '3' }, 2 ** 30)).values.pool.size, 3);
  });

  it('takes variables before the user’s file, and that before the administrator’s', async () => {
    writeFileSync(systemPath, 'idle_timeout = "1m"\n[pool]\nsize = 2\nmemory = "1g"\n');
    writeFileSync(
      userPath,
      '# mine\npool.memory = "512MiB"\nguest = "distro"\npool.refill = "1.5s"\nnetwork.model = "macvtap"\n',
    );
    const loaded = await load({ WARDIAN_GUEST: 'mini', WARDIAN_POOL_MEMORY: '' });
    assert.deepEqual(loaded.values, {
      pool: { size: 2, memoryBytes: 512 * 2 ** 20, refillDelayMs: 1_500 },
      guest: 'mini',
      network: { model: 'macvtap' },
      idleTimeoutMs: 60_000,
    });
    assert.equal(sourceOf(loaded, 'guest'), 'WARDIAN_GUEST');
    assert.equal(sourceOf(loaded, 'pool.memory'), `${userPath}, line 2`);
    assert.equal(sourceOf(loaded, 'pool.size'), `${systemPath}, line 3`);
    assert.equal(sourceOf(loaded, 'idle_timeout'), `${systemPath}, line 1`);
  });

  it('looks in the home folder where no other place is named', async () => {
    mkdirSync(path.join(folder, '.config/wardian'), { recursive: true });
    writeFileSync(path.join(folder, '.config/wardian/config.toml'), 'pool.size = 4');
    const environment = { HOME: folder, XDG_CONFIG_HOME: 'relative' };
    const { values } = await loadConfiguration({ environment, systemPath, availableBytes: PLENTY });
    assert.equal(values.pool.size, 4);
  });

  it('says what was probably meant by a setting that there is not, and where', async () => {
    const misspelt = await fail('[pool]\n\nsise = 2\n');
    assert.equal(misspelt.message, `${userPath}, line 3: there is no setting pool.sise`);
    assert.match(misspelt.hint ?? '', /did you mean pool\.size\?/);
    const misplaced = await fail('size = 2');
    assert.match(misplaced.message, /line 1: there is no setting size$/);
    assert.match(misplaced.hint ?? '', /did you mean pool\.size\?/);
    assert.match((await fail('[cellar]\nwine = 1')).hint ?? '', /the settings are pool\.size, /);
    assert.match((await fail('pool = 3')).message, /line 1: there is no setting pool$/);
    assert.match((await fail('__proto__.size = 3')).message, /there is no setting __proto__/);
  });

  it('takes one of three words for the guest, or none', async () => {
    assert.equal((await load()).values.guest, 'auto');
    assert.equal((await load({ WARDIAN_GUEST: '' })).values.guest, 'auto');
    assert.equal((await load({ WARDIAN_GUEST: 'mini' })).values.guest, 'mini');
    await assert.rejects(load({ WARDIAN_GUEST: 'maxi' }), {
      code: 'CONFIG_INVALID',
      hint: /"auto", "distro" or "mini"/,
    });
  });

  it('refuses values of another kind or range, and says which would do', async () => {
    const cases: [string, RegExp, RegExp][] = [
      ['pool.size = "2"', /line 1: pool\.size is "2"$/, /whole number from 0 to 32/],
      ['pool.size = -1', /pool\.size is -1$/, /whole number/],
      ['pool.size = 1.5', /pool\.size is 1\.5$/, /whole number/],
      ['pool.size = 99', /pool\.size is 99$/, /0 to 32/],
      ['pool = { size = true }', /line 1: pool\.size is true$/, /whole number/],
      ['[pool]\nmemory = 512', /line 2: pool\.memory is 512$/, /a size with a unit/],
      ['pool.memory = "512q"', /pool\.memory is "512q"$/, /such as "256m"/],
      ['pool.refill = "soon"', /pool\.refill is "soon"$/, /such as "200ms"/],
      ['pool.refill = "2h"', /pool\.refill is "2h"$/, /at most an hour/],
      ['guest = "debian"', /guest is "debian"$/, /"auto", "distro" or "mini"/],
      ['guest = ["mini"]', /guest is \["mini"\]$/, /"auto"/],
      ['network.model = "bridge"', /network\.model is "bridge"$/, /"tcfilter" or "macvtap"/],
      ['idle_timeout = "1ms"', /idle_timeout is "1ms"$/, /from "100ms"/],
      ['idle_timeout = 1979-05-27', /idle_timeout is /, /a time/],
    ];
    for (const [text, message, hint] of cases) {
      const error = await fail(text);
      assert.match(error.message, message, text);
      assert.match(error.hint ?? '', hint, text);
    }
  });

  it('says where a file is no TOML', async () => {
    const error = await fail('guest = "mini"\npool.size == 2\n');
    assert.match(error.message, /config\.toml, line 2: \S/);
    assert.match(error.hint ?? '', /must be TOML/);
    assert.match((await fail('guest = "mini"\nguest = "auto"')).message, /line 2/);
    assert.match((await fail(`#${'x'.repeat(300_000)}`)).message, /longer than/);
  });

  it('finds a mistake in the administrator’s file though the user’s decides', async () => {
    writeFileSync(systemPath, 'pool.size = "many"');
    writeFileSync(userPath, 'pool.size = 1');
    await assert.rejects(load(), { code: 'CONFIG_INVALID', message: /system\.toml, line 1/ });
  });

  it('refuses variables that mean nothing', async () => {
    for (const [name, value] of [
      ['WARDIAN_POOL_SIZE', 'two'],
      ['WARDIAN_POOL_MEMORY', 'much'],
      ['WARDIAN_POOL_REFILL', '200'],
      ['WARDIAN_GUEST', 'other'],
      ['WARDIAN_IDLE_TIMEOUT_MS', '30s'],
      ['WARDIAN_IDLE_TIMEOUT_MS', '99'],
    ] as const) {
      await assert.rejects(load({ [name]: value }), {
        code: 'CONFIG_INVALID',
        message: `${name} is ${JSON.stringify(value)}`,
      });
    }
    assert.equal((await load({ WARDIAN_IDLE_TIMEOUT_MS: '100' })).values.idleTimeoutMs, 100);
  });

  it('says so when a file cannot be read', {
    skip: isRoot() && 'root may read any file',
  }, async () => {
    writeFileSync(userPath, '');
    chmodSync(userPath, 0);
    await assert.rejects(load(), { code: 'HOST_PERMISSION' });
  });

  it('says so when a folder stands in its place', async () => {
    mkdirSync(userPath);
    await assert.rejects(load(), { code: 'HOST_PERMISSION', message: /cannot read/ });
  });
});

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
