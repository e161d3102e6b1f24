/** What QEMU's configure script is told, with reasons; docs/qemu.md has the figures. */

/** Debian's packages have the firmware; our build brings none. */
export const FIRMWARE_DIRECTORY = '/usr/share/qemu';
/** The PC's firmware, which q35 starts with, is another package's. */
const FIRMWARE_PATH = `${FIRMWARE_DIRECTORY}:/usr/share/seabios`;

const OPTIONS: readonly string[] = [
  '--target-list=x86_64-softmmu',
  '--disable-user',
  '--disable-tools',
  '--disable-install-blobs',
  '--with-git-submodules=ignore', // nothing is fetched
  // Only what is named below: each library is mapped and relocated in every start.
  '--without-default-features',
  '--without-default-devices',
  '--with-devices-x86_64=wardian',
  '--audio-drv-list=',
  '--enable-tcg',
  '--enable-kvm',
  '--enable-seccomp',
  '--enable-slirp',
  '--enable-virtfs',
  '--enable-attr', // virtfs needs both
  '--enable-cap-ng',
  '--enable-vhost-user',
  '--enable-fdt=system',
  '--enable-coroutine-pool', // a request to a disk takes a coroutine: made once, used again
  '--enable-trace-backends=nop', // the trace points cost a load and a branch each, and their tables memory
  '--disable-plugins', // hooks in the translator
  '--disable-debug-info',
  '--enable-stack-protector', // a hostile guest is what this program faces
  '--prefix=/usr',
  `--firmwarepath=${FIRMWARE_PATH}`,
  '--with-pkgversion=wardian',
];

/** Of compiler and linker. */
const COMPILER_FLAGS: readonly string[] = ['-O2'];
const LINKER_FLAGS: readonly string[] = [
  '-Wl,--as-needed',
  // All symbols are bound at the start, and the table of them is read-only from then on.
  '-Wl,-z,relro,-z,now',
  // 42,000 addresses to correct at the start take 16 KB instead of 1 MB.
  '-Wl,-z,pack-relative-relocs',
];

/** `base` holds source and build; it must not be found in the result, or two builds would differ. */
export function configureOptions(base: string): string[] {
  const flags = [...COMPILER_FLAGS, `-ffile-prefix-map=${base}=.`];
  return [
    ...OPTIONS,
    `--extra-cflags=${flags.join(' ')}`,
    `--extra-ldflags=${LINKER_FLAGS.join(' ')}`,
  ];
}
