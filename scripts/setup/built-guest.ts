import path from 'node:path';
import {
  KERNEL_PARAMETERS,
  type KernelKind,
  kernelRecipe,
} from '../../guest/kernel/build-kernel.ts';
import { type BuildResult, findBuild } from '../guest/build-results.ts';
import { listRecipes } from '../guest/recipes.ts';

/** What `wardian guest build` made of this checkout's recipes, as the manifest tells it. */

export interface MiniKernel {
  readonly kernel: string;
  readonly kernelRelease: string;
  readonly parameters: readonly string[];
  readonly sha256: string;
}

export interface BuiltQemu {
  readonly path: string;
  /** Of the firmware that the machine starts with. */
  readonly firmwareDirectory: string;
  readonly version: string;
  readonly sha256: string;
}

const ROOT = path.resolve(import.meta.dirname, '../..');

/** The kernels that were built, by the accelerator that they are for. */
export function findKernels(buildDirectory: string): Partial<Record<KernelKind, MiniKernel>> {
  const kernels: Partial<Record<KernelKind, MiniKernel>> = {};
  for (const kind of ['tcg', 'kvm'] as const) {
    const result = findBuild(buildDirectory, kernelRecipe(ROOT, kind));
    if (result !== undefined) kernels[kind] = describeKernel(result, kind);
  }
  return kernels;
}

function describeKernel(result: BuildResult, kind: KernelKind): MiniKernel {
  return {
    kernel: readText(result.files, 'kernel'),
    kernelRelease: readText(result.facts, 'kernelRelease'),
    parameters: KERNEL_PARAMETERS[kind],
    sha256: readText(result.sha256, 'kernel'),
  };
}

/** The QEMU that was built. */
export function findQemu(buildDirectory: string): BuiltQemu | undefined {
  const recipe = listRecipes(ROOT).find(({ what }) => what === 'qemu')?.recipe;
  const result = recipe === undefined ? undefined : findBuild(buildDirectory, recipe);
  if (result === undefined) return undefined;
  return {
    path: readText(result.files, 'qemu'),
    firmwareDirectory: readText(result.facts, 'firmwareDirectory'),
    version: readText(result.facts, 'version'),
    sha256: readText(result.sha256, 'qemu'),
  };
}

function readText(record: Readonly<Record<string, unknown>>, key: string): string {
  const value = record[key];
  if (typeof value === 'string') return value;
  throw new Error(`result.json of a build has no ${key}: ${JSON.stringify(record)}`);
}
