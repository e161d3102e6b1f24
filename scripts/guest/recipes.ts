import { type KernelKind, kernelRecipe } from '../../guest/kernel/build-kernel.ts';
import { qemuRecipe } from '../../guest/qemu/build-qemu.ts';
import type { Recipe } from './recipe.ts';

/** What can be asked for. */
export const WHAT = ['kernel', 'qemu', 'all'] as const;
export type What = (typeof WHAT)[number];

const KINDS: readonly KernelKind[] = ['tcg', 'kvm'];

/** Everything that this checkout can build, by what it is. */
export function listRecipes(root: string): { what: Exclude<What, 'all'>; recipe: Recipe }[] {
  const kernels = KINDS.map((kind) => ({
    what: 'kernel' as const,
    recipe: kernelRecipe(root, kind),
  }));
  return [...kernels, { what: 'qemu', recipe: qemuRecipe(root) }];
}

/** The recipes behind an operand; `accelerator` chooses among kernels. */
export function chooseRecipes(root: string, what: What, accelerator: KernelKind | 'all'): Recipe[] {
  const others = KINDS.filter((kind) => accelerator !== 'all' && kind !== accelerator);
  return listRecipes(root)
    .filter((entry) => what === 'all' || entry.what === what)
    .map(({ recipe }) => recipe)
    .filter(({ name }) => !others.some((kind) => name === `kernel-${kind}`));
}
