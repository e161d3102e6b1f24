/**
 * Every way in which Wardian fails on purpose. This table is the manual of failures
 * (docs/errors.md is made from it): a code, the exit code a command line gives for it, what it means, and what
 * the reader can do about it when the error itself brings no better hint.
 *
 * `user` errors are mended by whoever typed the command; `host` errors by whoever owns the machine;
 * `system` errors are Wardian's or the guest's fault.
 */
export const ERROR_CODES = {
  USAGE: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a flag or argument is wrong',
    remedy: 'see the flags of the command: wardian help COMMAND',
  },
  NAME_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a name or id has characters it may not have',
    remedy: 'use letters, digits, "_", "." and "-", beginning with a letter or digit',
  },
  NAME_IN_USE: {
    kind: 'user',
    exitCode: 125,
    meaning: 'another container has this name',
    remedy: 'choose another name, or remove the container that has it: wardian rm NAME',
  },
  CONTAINER_NOT_FOUND: {
    kind: 'user',
    exitCode: 125,
    meaning: 'no container has this name or id',
    remedy: 'list all containers: wardian ps -a',
  },
  CONTAINER_NOT_RUNNING: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the container has stopped',
    remedy: 'list what runs: wardian ps; what the container wrote: wardian logs',
  },
  CONTAINER_RUNNING: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the container still runs',
    remedy: 'stop it first: wardian stop, or wardian rm -f',
  },
  COMMAND_NOT_FOUND: {
    kind: 'user',
    exitCode: 127,
    meaning: 'the command is not in the image',
    remedy: 'check the spelling, the PATH of the image and what it holds',
  },
  COMMAND_NOT_EXECUTABLE: {
    kind: 'user',
    exitCode: 126,
    meaning: 'the command is there but cannot be run',
    remedy: 'check its mode, its owner, and for a script the interpreter in its first line',
  },
  USER_NOT_FOUND: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the user or group is not in the image',
    remedy: "give a name from the image's /etc/passwd or /etc/group, or a number",
  },
  IMAGE_NOT_FOUND: {
    kind: 'user',
    exitCode: 125,
    meaning: 'no image has this name or id',
    remedy: 'list images: wardian images; take one in: wardian load -i ARCHIVE',
  },
  IMAGE_IN_USE: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a container still uses the image',
    remedy: 'remove its containers first, or all together: wardian rmi -f',
  },
  IMAGE_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the image or archive is damaged or not an OCI image',
    remedy: 'make or fetch the image again',
  },
  IMAGE_UNSUPPORTED: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the image uses something Wardian does not read',
    remedy: 'make the image without that feature',
  },
  SPEC_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the container specification is malformed',
    remedy: 'correct the value that the message names',
  },
  SPEC_UNSUPPORTED: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the specification asks for what a VM cannot mean',
    remedy: 'leave out what the message names',
  },
  NETWORK_UNSUPPORTED: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the container is given a network that its virtual machine cannot have',
    remedy: 'choose another kind of network; docs/network.md says which there are',
  },
  HOOK_FAILED: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a program that the specification names as a hook failed',
    remedy: 'see what the hook wrote, and run it by hand with the state on its standard input',
  },
  CONFIG_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a configuration file or variable is wrong',
    remedy: 'correct or unset what the message names',
  },
  PATH_NOT_FOUND: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a file named on the command line is not there',
    remedy: 'check the spelling of the path',
  },
  HOST_SETUP_MISSING: {
    kind: 'host',
    exitCode: 125,
    meaning: 'a package or a built file is missing',
    remedy: 'see what is missing, and how to get it: ./wardian check',
  },
  HOST_PERMISSION: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the host does not permit what is needed',
    remedy: 'see what this user may do here: wardian check',
  },
  HOST_NO_SPACE: {
    kind: 'host',
    exitCode: 125,
    meaning: 'a disk is full',
    remedy: 'free some space on that disk; wardian template prune and wardian rmi do',
  },
  HOST_NO_MEMORY: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the host has too little free memory',
    remedy: 'stop something, or ask for less with --memory',
  },
  NETWORK_FAILED: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the network of a container could not be brought to its virtual machine',
    remedy:
      'see what the host lacks: wardian check; docs/network.md says what is done to the network',
  },
  KSM_MISSING: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the kernel has no same-page merging',
    remedy:
      'use a kernel with CONFIG_KSM, as distributions have it; in a container, look on the host',
  },
  HYPERVISOR_MISSING: {
    kind: 'host',
    exitCode: 125,
    meaning: 'QEMU is not installed',
    remedy: 'apt-get install --no-install-recommends qemu-system-x86',
  },
  HYPERVISOR_FAILED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'QEMU did not start, or died',
    remedy: 'try again; if it stays so, see what this host can do: wardian check',
  },
  ACCELERATOR_UNUSABLE: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the accelerator that was asked for does not work',
    remedy: 'unset WARDIAN_ACCEL to let guests run without it',
  },
  TEMPLATE_FAILED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'a template could not be made or is damaged',
    remedy:
      'make all templates anew: wardian template prune --all; or do without: wardian run --no-template',
  },
  AGENT_TIMEOUT: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest agent did not answer in time',
    remedy:
      'the guest hangs or the host is overloaded: try again, or remove the container: wardian rm -f',
  },
  AGENT_PROTOCOL: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest sent something that is not the protocol',
    remedy:
      'the guest cannot be trusted any more, and its machine is ended: start the container anew',
  },
  AGENT_VERSION: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest agent speaks another protocol version',
    remedy:
      'bring host and guest to one version: run ./wardian in the checkout, which builds what is old',
  },
  AGENT_FAILED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest could not carry out a request',
    remedy: 'check the flags of the command against what the image holds',
  },
  SANDBOX_DIED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the virtual machine ended unexpectedly',
    remedy: 'see the reason in wardian inspect, then start the container anew',
  },
  SANDBOXER_UNREACHABLE: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the sandboxer did not start or does not answer',
    remedy: 'run the command again; containers go on meanwhile',
  },
  STATE_CORRUPT: {
    kind: 'system',
    exitCode: 125,
    meaning: 'a state file on disk is damaged',
    remedy: 'remove the file that the message names; what it described is made again',
  },
  CANCELLED: {
    kind: 'user',
    exitCode: 130,
    meaning: 'the operation was cancelled',
    remedy: 'run the command again when you want it done',
  },
  INTERNAL: {
    kind: 'system',
    exitCode: 125,
    meaning: 'a bug in Wardian',
    remedy: 'this is a bug of wardian; --debug shows where it happened',
  },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
