import type { Cleanup } from '../../src/util/cleanup.ts';

/** A container engine to compare with: commands as argument vectors, each a complete program start. */
export interface Peer {
  readonly name: string;
  /** Runs `true` in a new container and leaves nothing behind. */
  run(id: string): readonly string[];
  /** Leaves a container running that does nothing. */
  start(id: string): readonly string[];
  /** Runs `true` in a container that was started. */
  exec(id: string): readonly string[];
  /** Ends and removes a container that was started: commands in their order. */
  remove(id: string): readonly (readonly string[])[];
}

/** What peers are set up with. What they keep goes below `directory`, and their states below /run. */
export interface PeerSetup {
  readonly directory: string;
  /** Control group (below the root of each hierarchy) for containers. */
  readonly controlGroup: string;
  /** Where CONTAINERS_CONF of all commands points to. */
  readonly containersConfiguration: string;
  readonly image: PeerImage;
}

/** The same small root filesystem for all, in the forms in which engines take one. */
export interface PeerImage {
  /** The root filesystem as a folder. */
  readonly rootfs: string;
  /** An OCI layout with the tag `latest`; undefined when umoci is not installed. */
  readonly layout: string | undefined;
}

export interface PeerKind {
  readonly name: string;
  /** Programs that it needs, and the Debian packages which bring them. */
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  open(setup: PeerSetup, cleanup: Cleanup): Promise<Peer>;
}
