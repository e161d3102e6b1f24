import path from 'node:path';
import { readAvailableMemory } from '../host/memory-use.ts';
import { WardianError } from '../util/errors.ts';
import type { EffectiveSetting, LoadedConfiguration } from './configuration.ts';
import { type FileValue, readConfigurationFile } from './read-file.ts';
import {
  GUEST,
  IDLE_TIMEOUT,
  NETWORK_MODEL,
  POOL_MEMORY,
  POOL_REFILL,
  POOL_SIZE,
  SETTINGS,
  type Setting,
} from './settings.ts';

export interface ConfigurationSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The administrator's file. */
  readonly systemPath?: string;
  /** Of the host now (MemAvailable); asked for when absent. */
  readonly availableBytes?: number;
}

const SYSTEM_PATH = '/etc/wardian/config.toml';
const MEBIBYTE = 2 ** 20;
/** With less than this a host is better off without a pool, unless somebody decides otherwise. */
const POOL_NEEDS_BYTES = 2048 * MEBIBYTE;
/** A person starts one container after the other; a member has some 80 MB with Debian's kernel and QEMU. */
const DEFAULT_POOL_SIZE = 1;
const DEFAULT_POOL_MEMORY_BYTES = 256 * MEBIBYTE;
const DEFAULT_REFILL_DELAY_MS = 200;
/** A start costs a person's patience, waiting costs 40 MB. */
const DEFAULT_IDLE_MS = 30_000;

/**
 * What is in force: a variable before the user's file, that before the administrator's, that before what is built in.
 * A variable that is empty counts as absent. Throws CONFIG_INVALID for anything that means nothing.
 */
export async function loadConfiguration(
  sources: ConfigurationSources,
): Promise<LoadedConfiguration> {
  const { environment, systemPath = SYSTEM_PATH } = sources;
  const files = [await readConfigurationFile(systemPath)];
  const userPath = findUserPath(environment);
  if (userPath !== undefined) files.unshift(await readConfigurationFile(userPath));
  const reader = new SettingReader(environment, files);
  const availableBytes = sources.availableBytes ?? (await readAvailableMemory());
  const isScarce = availableBytes < POOL_NEEDS_BYTES;
  const values = {
    pool: {
      size: isScarce
        ? reader.read(POOL_SIZE, 0, 'default: the host has less than 2 GiB to spare')
        : reader.read(POOL_SIZE, DEFAULT_POOL_SIZE),
      memoryBytes: reader.read(POOL_MEMORY, DEFAULT_POOL_MEMORY_BYTES),
      refillDelayMs: reader.read(POOL_REFILL, DEFAULT_REFILL_DELAY_MS),
    },
    guest: reader.read(GUEST, 'auto'),
    network: { model: reader.read(NETWORK_MODEL, 'tcfilter') },
    idleTimeoutMs: reader.read(IDLE_TIMEOUT, DEFAULT_IDLE_MS),
  };
  return { values, settings: reader.settings };
}

/** Below XDG_CONFIG_HOME; a relative one is ignored, as that specification demands. */
function findUserPath(environment: ConfigurationSources['environment']): string | undefined {
  const { XDG_CONFIG_HOME: base, HOME: home } = environment;
  if (base !== undefined && path.isAbsolute(base)) return path.join(base, 'wardian/config.toml');
  return home === undefined ? undefined : path.join(home, '.config/wardian/config.toml');
}

/** Reads settings one by one, and notes where each came from. */
class SettingReader {
  readonly settings: EffectiveSetting[] = [];
  readonly #environment: ConfigurationSources['environment'];
  readonly #files: readonly ReadonlyMap<string, FileValue>[];

  constructor(
    environment: ConfigurationSources['environment'],
    files: readonly ReadonlyMap<string, FileValue>[],
  ) {
    this.#environment = environment;
    this.#files = files;
    // A mistake counts though somebody else has the last word: it would wait for the day when that one is gone.
    for (const file of files) {
      for (const [key, value] of file) checkFileValue(key, value);
    }
  }

  read<T>(setting: Setting<T>, preset: T, presetSource = 'default'): T {
    const { key } = setting;
    const { value, source } = this.#find(setting) ?? { value: preset, source: presetSource };
    this.settings.push({ key, value: setting.format(value), source });
    return value;
  }

  #find<T>(setting: Setting<T>): { value: T; source: string } | undefined {
    const text = this.#environment[setting.variable];
    if (text !== undefined && text !== '') {
      const value = setting.parseVariable(text);
      if (value === undefined) throw invalid(setting, setting.variable, text);
      return { value, source: setting.variable };
    }
    for (const file of this.#files) {
      const found = file.get(setting.key);
      const value = found && setting.parse(found.value);
      if (found !== undefined && value !== undefined) return { value, source: found.place };
    }
    return undefined;
  }
}

function checkFileValue(key: string, { value, place }: FileValue): void {
  const setting = SETTINGS.find((one) => one.key === key);
  if (setting === undefined || setting.parse(value) !== undefined) return;
  throw invalid(setting, place, value);
}

function invalid(
  setting: Pick<Setting<unknown>, 'key' | 'variable' | 'expectation'>,
  place: string,
  value: unknown,
): WardianError {
  const shown = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part));
  const name = place === setting.variable ? place : `${place}: ${setting.key}`;
  return new WardianError('CONFIG_INVALID', `${name} is ${shown.slice(0, 80)}`, {
    hint: `give ${setting.expectation}`,
  });
}
