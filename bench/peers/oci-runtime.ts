import path from 'node:path';
import { findVersion } from '../machine.ts';
import { buildBundleConfig, writeBundle } from './bundle.ts';
import type { Peer, PeerKind, PeerSetup } from './peer.ts';

/** A plain OCI runtime, used without an engine. */
export interface Runtime {
  readonly program: string;
  readonly title: string;
  /** Between the program and the verb. */
  readonly globalArguments: readonly string[];
}

export const crun = describeKind({ program: 'crun', title: 'crun', globalArguments: [] });
export const runc = describeKind({ program: 'runc', title: 'runc', globalArguments: [] });
/** gVisor: a kernel in user space, so the nearest relative. ptrace is its platform where there is no KVM. */
export const runsc = describeKind({
  program: 'runsc',
  title: 'gVisor (runsc, ptrace)',
  globalArguments: ['--platform=ptrace', '--network=none', '--ignore-cgroups'],
});

function describeKind(runtime: Runtime): PeerKind {
  const { program, title } = runtime;
  return {
    name: title,
    programs: [program],
    packages: [program],
    open: (setup) => openRuntime(runtime, setup),
  };
}

async function openRuntime(runtime: Runtime, setup: PeerSetup): Promise<Peer> {
  const { program, title, globalArguments } = runtime;
  const bundles = {
    once: path.join(setup.directory, `${program}-once`),
    idle: path.join(setup.directory, `${program}-idle`),
  };
  const { rootfs } = setup.image;
  const group = `/${setup.controlGroup}/${program}`;
  await writeBundle(
    bundles.once,
    buildBundleConfig({ rootfs, args: ['true'], cgroupsPath: `${group}-once` }),
  );
  await writeBundle(
    bundles.idle,
    buildBundleConfig({ rootfs, args: ['sleep', '100000'], cgroupsPath: `${group}-idle` }),
  );
  const version = await findVersion([program, '--version']);
  const command = [program, '--root', `/run/bench-${program}`, ...globalArguments];
  return { name: `${title} ${version}`, ...buildRuntimeCommands(command, bundles) };
}

/** `command`: the runtime with its global arguments. */
export function buildRuntimeCommands(
  command: readonly string[],
  bundles: { readonly once: string; readonly idle: string },
): Omit<Peer, 'name'> {
  return {
    run: (id) => [...command, 'run', '--bundle', bundles.once, id],
    start: (id) => [...command, 'run', '--detach', '--bundle', bundles.idle, id],
    exec: (id) => [...command, 'exec', id, 'true'],
    remove: (id) => [[...command, 'delete', '--force', id]],
  };
}
