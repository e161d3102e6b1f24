#!/bin/sh
# Tests the launcher from outside: `launcher/check.sh <path of the launcher>`.
set -eu
launcher=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

expect() { # what, wanted, got
  if [ "$2" = "$3" ]; then
    echo "ok   $1"
  else
    echo "FAIL $1: wanted '$2', got '$3'"
    failures=$((failures + 1))
  fi
}

run() { # options and program; the report goes to $work/report
  "$launcher" run "$@" 3>"$work/report"
}

status_of() { # a field of /proc/self/status as the program sees it
  field=$1
  shift
  run "$@" -- /bin/sed -n "s/^$field:[[:space:]]*//p" /proc/self/status
}

expect 'no_new_privs is set' 1 "$(status_of NoNewPrivs)"
expect 'readiness is one byte' R "$(cat "$work/report")"
expect 'core dumps are off' 0 "$(run -- /bin/sh -c 'ulimit -c')"
expect 'the environment is empty' '' "$(run -- /usr/bin/env)"
expect 'the program leads a session' yes "$(run -- /bin/sh -c 'read -r pid _ _ _ _ sid _ < /proc/self/stat; [ "$pid" = "$sid" ] && echo yes')"

(exec 7</dev/null 8</dev/null && run --keep 8 -- /bin/sh -c 'ls /proc/$$/fd' >"$work/fds")
expect 'other descriptors are closed' '0 1 2 8' "$(tr '\n' ' ' <"$work/fds" | sed 's/ $//')"

run --socket 10="$work/a.sock" --socket 11="$work/b.sock" -- /bin/sh -c 'ls -l /proc/$$/fd' >"$work/sockets"
expect 'sockets are at their numbers' 2 "$(grep -c ' 1[01] -> socket:' "$work/sockets")"
expect 'sockets are on disk' yes "$([ -S "$work/a.sock" ] && [ -S "$work/b.sock" ] && echo yes)"

long="$work/$(printf 'd%.0s' $(seq 120))"
mkdir "$long"
run --socket 10="$long/agent.sock" -- /bin/true
expect 'a long path can be listened on' yes "$([ -S "$long/agent.sock" ] && echo yes)"

run --file-limit 4096 -- /bin/sh -c "head -c 100000 /dev/zero >$work/big; :" 2>/dev/null
expect 'files are bounded' 4096 "$(wc -c <"$work/big")"

expect 'a missing program is reported' 125 "$(run -- /nonexistent 2>/dev/null || echo $?)"
expect 'with its name' 'Rlauncher: /nonexistent: No such file or directory' "$(cat "$work/report")"
expect 'options are checked' 125 "$(run --keep 99999999999999999999 -- /bin/true || echo $?)"
expect 'a socket in the way is reported' 125 "$(run --socket 10="$work/a.sock" -- /bin/true || echo $?)"

# A fork is asked for on a stem's socket; this one shows what it was asked for, and answers with its first argument.
cat >"$work/stem" <<'END'
use Socket;
socket(S, PF_UNIX, SOCK_STREAM, 0);
bind(S, sockaddr_un("$ARGV[1].new")) or die;
listen(S, 1);
rename("$ARGV[1].new", $ARGV[1]);
accept(C, S);
recv(C, $request, 4096, 0);
my ($version, $flags, $uid, $gid, $share, $count, @rest) = unpack("L6 l32 Z256", $request);
print join(" ", $version, $flags, $uid, $gid, $share, @rest[0 .. $count - 1], $rest[32], length $request), "\n";
send(C, $ARGV[0], 0);
END
ask() { # the stem's answer, then options of `fork`
  answer=$1
  shift
  rm -f "$work"/stem.sock "$work"/fork.sock
  /usr/bin/perl "$work/stem" "$answer" "$work/stem.sock" >"$work/asked" &
  while [ ! -S "$work/stem.sock" ]; do sleep 0.01; done
  "$launcher" fork --control "$work/stem.sock" --socket 11="$work/fork.sock" "$@" 3>"$work/report" </dev/null && wait
}
ask "ok 4242
" --keep 7 --isolate --user 70 --group 71 --title /run/m1 7</dev/null
expect 'a fork is asked for' '2 1 70 71 0 1 11 7 /run/m1 408' "$(cat "$work/asked")"
expect 'its pid is reported' 4242 "$(cat "$work/report")"
expect 'its socket is on disk' yes "$([ -S "$work/fork.sock" ] && echo yes)"
expect 'a refusal fails' 125 "$(ask 'error: the machine is not stopped' || echo $?)"
expect 'with its reason' 'launcher: the stem answered: error: the machine is not stopped' "$(cat "$work/report")"
expect 'silence fails' 125 "$(ask '' || echo $?)"
rm "$work/fork.sock"
expect 'a stem that is gone fails' 125 "$("$launcher" fork --control "$work/stem.sock" --socket 11="$work/fork.sock" 3>"$work/report" || echo $?)"
expect 'with its reason' 'launcher: cannot ask the stem for a fork: Connection refused' "$(cat "$work/report")"
expect 'a fork needs a stem' 125 "$("$launcher" fork 3>/dev/null || echo $?)"
expect 'a program is needed to run' 125 "$(run --keep 9 || echo $?)"

# Guest memory: what is saved comes back, and cannot be written any more.
size=1048576
memory() { # arguments of `memory`; leaves the memory open as descriptor 9
  mkfifo "$work/hold" "$work/answer"
  "$launcher" memory "$@" <"$work/hold" 3>"$work/answer" &
  holder=$!
  exec 6>"$work/hold"
  read -r fd sum <"$work/answer"
  exec 9<>"/proc/$holder/fd/$fd"
  exec 6>&-
  wait "$holder"
  rm "$work/hold" "$work/answer"
}
memory create $size
printf hello | dd of=/proc/self/fd/9 bs=1 seek=131072 conv=notrunc status=none
"$launcher" memory save 9 "$work/memory" 3>"$work/saved"
read -r _ saved <"$work/saved"
exec 9<&-
expect 'the file is sparse' yes "$([ "$(du -k "$work/memory" | cut -f1)" -le 64 ] && echo yes)"
memory load "$work/memory" $size
expect 'the checksum is the same' "$saved" "$sum"
expect 'the content is the same' hello "$(dd if=/proc/self/fd/9 bs=1 skip=131072 count=5 status=none)"
expect 'loaded memory is sealed' refused "$(printf x | dd of=/proc/self/fd/9 conv=notrunc status=none 2>/dev/null || echo refused)"
exec 9<&-
printf damaged | dd of="$work/memory" bs=1 seek=131072 conv=notrunc status=none
memory load "$work/memory" $size
expect 'damage changes the checksum' yes "$([ "$sum" != "$saved" ] && echo yes)"
exec 9<&-
expect 'a wrong size is refused' 125 "$("$launcher" memory load "$work/memory" 65536 3>/dev/null </dev/null || echo $?)"
expect 'the clock is plausible' yes "$("$launcher" clock 3>&1 | grep -Eq '^[0-9]{6,7}$' && echo yes)"

# As the machine is isolated: root becomes another user, everyone else stays who they are in a user namespace of their own.
if [ "$("$launcher" isolation 3>&1 2>/dev/null)" = ok ]; then
  if [ "$(id -u)" = 0 ]; then
    wanted='1879048192 1879048192'
    set -- --user 1879048192 --group 1879048192
  else
    wanted="$(id -u) $(id -g)"
    set --
  fi
  for visible in /usr /bin /lib /lib64 /sbin /etc/ld.so.cache; do set -- "$@" --visible "$visible"; done
  jail() { run --isolate $jail_options -- "$@"; }
  jail_options=$*
  expect 'user and group are as wanted' "$wanted" "$(jail /bin/sh -c 'echo $(id -u) $(id -g)')"
  expect 'only what is visible exists' 'bin etc lib lib64 proc sbin usr' "$(jail /bin/ls / | tr '\n' ' ' | sed 's/ $//')"
  expect 'nothing can be written' refused "$(jail /bin/sh -c 'touch /x /usr/x' 2>/dev/null || echo refused)"
  expect 'nothing can be mounted' refused "$(jail /bin/mount -t tmpfs none /usr 2>/dev/null || echo refused)"
  expect 'only its own descriptors are left of /proc' 'self fd' "$(jail /bin/sh -c 'echo $(ls /proc) $(ls /proc/self)')"
  echo seen >"$work/seen"
  expect 'inherited descriptors open by name' seen "$(jail /bin/cat /proc/self/fd/0 <"$work/seen")"
  # The folder is a tree of mounts of its own: nothing is above it, and what the kernel would obey elsewhere it ignores.
  mkdir -p "$work/shared/below"
  echo "x" >"$work/outside"
  expect 'a share is at its number' 'below' "$(jail_options="$jail_options --share 7=$work/shared" jail /bin/ls /proc/self/fd/7)"
  expect 'and at its place' 'below' "$(jail_options="$jail_options --share 7=$work/shared" jail /bin/ls /share)"
  expect 'nothing leads out of it' no "$(jail_options="$jail_options --share 7=$work/shared" jail /bin/sh -c 'cd /proc/self/fd/7/.. && [ -e outside ] && echo yes || echo no')"
  expect 'it is read-only' refused "$(jail_options="$jail_options --share 7=$work/shared" jail /bin/sh -c 'touch /share/x' 2>/dev/null || echo refused)"
  # Loopback answers on any host, and is down in a network of one's own.
  cat >"$work/reach" <<'END'
use Socket;
socket(S, PF_INET, SOCK_DGRAM, 0);
print connect(S, sockaddr_in(9, inet_aton("127.0.0.1"))) ? "some" : "none";
END
  expect 'the host has a network' some "$(run -- /usr/bin/perl - <"$work/reach")"
  expect 'the machine has none' none "$(jail /usr/bin/perl - <"$work/reach")"
  score='exec 4</proc/self/oom_score_adj; exec "$0" run --keep 4 --oom-score 600 --isolate "$@" -- /bin/cat /proc/self/fd/4'
  expect 'it is the first to go when memory runs out' 600 "$(sh -c "$score" "$launcher" $jail_options 3>"$work/report")"
  if [ "$(id -u)" = 0 ]; then
    jail_options="$jail_options --share 7=$work/shared --share-writable"
    jail /bin/sh -c 'echo kept >/share/kept && chown 4711 /share/kept && mknod /share/node c 1 3 && chmod 4755 /share/kept'
    expect 'who owns what it shares may give files to others' '4711 4755' "$(stat -c '%u %a' "$work/shared/kept")"
    expect 'and make devices' 'character special file' "$(stat -c %F "$work/shared/node")"
    expect 'which it cannot open' refused "$(jail /bin/sh -c 'echo x >/share/node' 2>/dev/null || echo refused)"
    expect 'nor run what is shared' refused "$(cp /bin/true "$work/shared/true" && jail /share/true 2>/dev/null || echo refused)"
    expect 'nor mount' refused "$(jail /bin/mount -t tmpfs none /share 2>/dev/null || echo refused)"

    unshare -m --propagation private sh -c 'mount -t tmpfs elsewhere "$0" && mkdir "$0/there" && mount --make-shared "$0" && echo && exec sleep 60' \
      "$work/shared" >"$work/told" &
    other=$!
    while [ ! -s "$work/told" ]; do sleep 0.01; done
    jail_options="$jail_options --share-namespace /proc/$other/ns/mnt"
    expect 'a share may be in another mount namespace' there "$(jail /bin/ls /share)"
    mkfifo "$work/go"
    jail /bin/sh -c 'echo ready >&2; read -r _ && ls /share/there' <"$work/go" >"$work/seen" 2>"$work/ready" &
    exec 6>"$work/go"
    while [ ! -s "$work/ready" ]; do sleep 0.01; done
    nsenter -m -t "$other" sh -c 'mount -t tmpfs later "$0/there" && touch "$0/there/later"' "$work/shared"
    echo >&6
    wait $!
    expect 'where what is mounted later is seen' later "$(cat "$work/seen")"
    exec 6>&-
    kill "$other"
  fi
else
  echo "skip isolation: $("$launcher" isolation 3>&1 2>/dev/null)"
fi

# What belongs to another network namespace, or to a cgroup: only root may.
if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ] && unshare -n true 2>/dev/null; then
  unshare -n sh -c 'ip tuntap add tap7 mode tap && echo && exec sleep 60' >"$work/net" &
  net=$!
  while [ ! -s "$work/net" ] && kill -0 "$net" 2>/dev/null; do sleep 0.01; done
  expect 'a tap of another namespace is at its number' tap7 \
    "$(run --tap 200=tap7@/proc/$net/ns/net -- /bin/sed -n 's/^iff:[[:space:]]*//p' /proc/self/fdinfo/200)"
  expect 'the program stays in its own' "$(readlink /proc/self/ns/net)" \
    "$(run --tap 200=tap7@/proc/$net/ns/net -- /bin/readlink /proc/self/ns/net)"
  expect 'a namespace that is gone is reported' 125 "$(run --tap 200=tap7@/proc/$net/ns/none -- /bin/true 2>/dev/null || echo $?)"
  expect 'with its reason' 'Rlauncher: cannot open the machine'\''s taps: No such file or directory' "$(cat "$work/report")"
  kill "$net"
fi
for cgroup in /sys/fs/cgroup/pids /sys/fs/cgroup; do
  [ -w "$cgroup/cgroup.procs" ] && mkdir "$cgroup/launcher-check-$$" 2>/dev/null || continue
  cgroup="$cgroup/launcher-check-$$"
  expect 'the cgroup is joined' 1 "$(run --cgroup "$cgroup" -- /bin/grep -c "/launcher-check-$$\$" /proc/self/cgroup)"
  rmdir "$cgroup"
  expect 'one that is gone is reported' 125 "$(run --cgroup "$cgroup" -- /bin/true 2>/dev/null || echo $?)"
  break
done

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
