import type { Report } from '../support/progress.ts';
import type { LoggedOptions } from './run-logged.ts';

/** Where a source comes from; both ways apt verifies what it fetched by the archive's signature. */
export type SourcePackage =
  /** A source package, with Debian's own patches applied. */
  | { readonly package: string; readonly kind: 'source' }
  /** An ordinary package that carries a tar archive of the source. */
  | {
      readonly package: string;
      readonly kind: 'archive';
      /** Of the tar archive inside the package. */
      readonly archive: string;
      /** What need not be unpacked: patterns of tar, relative to the archive's root. */
      readonly exclude?: readonly string[];
    };

/**
 * Builds a program of the guest's from a Debian source package. For somebody who adds one:
 *
 *   export function qemuRecipe(root: string): Recipe           // guest/<what>/build-<what>.ts
 *
 * says where the source comes from, what else decides about the result, and how to get from the patched tree to the
 * files. Everything else `buildRecipe` does: one build of a thing at a time (others wait and then find it), source verified by apt,
 * patches of a folder applied in the order of their names, output in a log, an interrupted build taken up where it was
 * (the tree stays, so `make` and `ninja` go on), result.json written last, the tree removed.
 * The result lies in `<buildDirectory>/<name>-<16 hex>/`, readable by everybody. scripts/guest/main.ts lists the recipes.
 */
export interface Recipe {
  /** "qemu": the beginning of the folder's name. */
  readonly name: string;
  readonly source: SourcePackage;
  /** A folder of *.patch files, made with `-p1`; it need not be there. */
  readonly patches: string;
  /** Texts that decide what is built: configuration, flags, a number to raise when the steps change. Patches count anyway. */
  readonly ingredients: readonly string[];
  /** Free space that a build takes beside the source archive. */
  readonly diskBytes: number;
  /** Configures and compiles in `tree.source` or `tree.work`, puts files into `tree.output`, and says what the result holds. */
  build(tree: BuildTree): Promise<BuiltFiles>;
}

export interface BuildTree {
  /** The source, unpacked and patched. */
  readonly source: string;
  /** An empty folder beside it, for builds outside of the source. */
  readonly work: string;
  /** What is put here becomes the result's folder. */
  readonly output: string;
  /** For SOURCE_DATE_EPOCH and the like: the date of Debian's source package, in seconds. */
  readonly sourceDateSeconds: number;
  readonly jobs: number;
  readonly report: Report;
  /** Runs a program with its output in the log; `onLine` sees every line. */
  run(argv: readonly string[], options?: LoggedOptions): Promise<void>;
}

/** Paths are relative to the output folder; the rest is copied to result.json as it is. */
export interface BuiltFiles {
  readonly files: Readonly<Record<string, string>>;
  readonly facts?: Readonly<Record<string, unknown>>;
}
