#!/bin/sh
# Tests the stub from outside, without a sandboxer of ours: `stub/check.sh <path of the stub>`.
# test/stub/ has what takes a real connection.
set -eu
stub=$1
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

# Starts the stub with a socket as descriptor 3, tells it what $1 says, and prints what it reports and its exit code.
# With $2 a sandboxer listens that sends this, once something was asked of it, and hangs up.
cat >"$work/drive" <<'END'
use Socket;
use IO::Handle;
$| = 1;
$SIG{PIPE} = 'IGNORE';
my ($folder, $say, $send, @stub) = @ARGV;
socketpair(my $ours, my $its, PF_UNIX, SOCK_STREAM, 0) or die;
socket(my $server, PF_UNIX, SOCK_STREAM, 0);
unlink "$folder/s.sock";
bind($server, sockaddr_un("$folder/s.sock")) or die;
listen($server, 1);
my $pid = fork();
if ($pid == 0) {
  use POSIX;
  my $fd = fileno($its);
  POSIX::dup2($fd, 30); POSIX::dup2(30, 3);
  exec(@stub, "--socket", "$folder/s.sock", "--container", "c0") or exit 99;
}
close $its;
print scalar <$ours>;
syswrite $ours, $say;
if ($say eq "go\n" && $send ne "") {
  accept(my $client, $server) or die;
  sysread $client, my $request, 4096;
  print substr($request, 10), "\n";
  syswrite $client, eval qq("$send");
}
close $ours if $say eq "";
waitpid $pid, 0;
print $? >> 8, " ", $? & 127, "\n";
END
drive() { # what it is told, what the sandboxer sends, stub and options
  timeout 20 perl "$work/drive" "$work" "$@" 2>"$work/stderr" </dev/null
}
report() { printf '{\\"response\\":{\\"exitCode\\":%d}}' "$1"; }

expect 'it waits for go, and dies with whoever started it' 'ready 125 0' "$(drive '' '' "$stub" | tr '\n' ' ' | sed 's/ $//')"
expect 'anything else than go ends it' 'ready 125 0' "$(drive 'no
' '' "$stub" | tr '\n' ' ' | sed 's/ $//')"
expect 'options are checked' 'error: cannot use the option --exec: Invalid argument' "$(drive '' '' "$stub" --exec 'a/b' | head -n 1)"
expect 'a missing namespace is named' 'error: cannot join the namespace /nonexistent: No such file or directory' "$(drive '' '' "$stub" --ipc-namespace /nonexistent | head -n 1)"
expect 'a line stays a line' 'error: cannot join the namespace /a?b: No such file or directory' "$(drive '' '' "$stub" --ipc-namespace '/a
b' | head -n 1)"

answer="\\x00\\x00\\x00\\x1c\\x00\\x00\\x00\\x01\\x02\\x00$(report 42)"
drive 'go
' "$answer" "$stub" >"$work/out"
expect 'it attaches as the owner' '{"method":"attach","request":{"container":"c0","stdin":true,"owner":true,"from":"start"}}' "$(sed -n 2p "$work/out" | cut -c1-89)"
expect 'it ends with the exit code of the process' '42 0' "$(tail -n 1 "$work/out")"

output="\\x00\\x00\\x00\\x0e\\x00\\x00\\x00\\x01\\x03\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00hello"
expect 'output comes first' yes "$(drive 'go
' "$output$answer" "$stub" | grep -q hello && echo yes)"
expect 'it needs its control socket' 125 "$("$stub" --socket /s --container c0 3>&- 2>/dev/null </dev/null || echo $?)"

if [ "$(id -u)" = 0 ]; then
  mkdir "$work/share" "$work/root"
  expect 'a missing source is named' "error: cannot share $work/gone: No such file or directory" \
    "$(drive '' '' "$stub" --share "$work/share" --folder f --rootfs "$work/root" --bind "b=$work/gone" | head -n 1)"
  expect 'a share leaves nothing on the host' '' "$(ls "$work/share")"
else
  echo 'skip shares: only root mounts'
fi

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
