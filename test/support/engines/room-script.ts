const CONTROL_GROUPS = '/sys/fs/cgroup';
/** What stays in a room until the test that made it ends, however it does: their pipe ends then. No container runs just this. */
export const KEEPER = ['cat', '-u', '-'];

/**
 * First half, in the host's namespaces: the room gets a control group of its own in every hierarchy of version 1, so
 * that its namespace shows engines an empty tree, and whatever they leave there is seen from outside. A group of a
 * cpuset takes no process before it has processors.
 */
const OUTSIDE = `
for group in ${CONTROL_GROUPS}/*/; do
  [ -e "$group/cgroup.controllers" ] && continue
  mkdir "$group$1" || exit 1
  if [ -e "$group/cpuset.cpus" ]; then
    cat "$group/cpuset.cpus" > "$group$1/cpuset.cpus"
    cat "$group/cpuset.mems" > "$group$1/cpuset.mems"
    echo 1 > "$group$1/cgroup.clone_children"
  fi
  echo 0 > "$group$1/cgroup.procs" || exit 1
done
exec unshare --mount --propagation private --pid --net --ipc --cgroup --mount-proc --fork --kill-child \\
  -- sh -c "$2" room`;

/**
 * Second half, within: hierarchies mounted anew from the room's own group on, no version 2 beside them when it has
 * controllers (crun refuses such a mixture), a /run and a /dev/shm for the engines' locks and sockets, and a first process that
 * reaps orphans at once.
 */
const INSIDE = `
set -e
for place in ${CONTROL_GROUPS}/*/; do
  place=\${place%/}
  name=\${place##*/}
  if [ -e "$place/cgroup.controllers" ]; then
    grep -q . "$place/cgroup.controllers" && umount "$place"
    continue
  fi
  [ "$name" = systemd ] && name=none,name=systemd
  umount "$place"
  mount -t cgroup -o "$name" cgroup "$place"
done
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 shm /dev/shm
mkdir /run/lock
ip link set lo up
exec catatonit -- sh -c 'echo ready; exec ${KEEPER.join(' ')}'`;

/** Command of a room whose control groups have this name; it prints "ready" and then stays. */
export function buildRoomCommand(name: string): [string, ...string[]] {
  return ['sh', '-c', OUTSIDE, 'room', name, INSIDE];
}

/** Command that runs `argv` in the room with this first process (its pid as the host sees it). */
export function buildEnterCommand(pid: number, argv: readonly string[]): [string, ...string[]] {
  const namespaces = ['--mount', '--pid', '--net', '--ipc', '--cgroup'];
  // nsenter keeps a working directory of the old mounts, which runtimes cannot name.
  const script = ['sh', '-c', 'cd / && exec "$@"', 'room'];
  return ['nsenter', '--target', String(pid), ...namespaces, '--', ...script, ...argv];
}
