#!/bin/sh
# First stage of the set-up: what must be there before our TypeScript can run. Then scripts/setup/main.ts.
#   scripts/setup.sh            everything
#   scripts/setup.sh --build    only what lies in the checkout
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."

fail() {
  echo "wardian: set-up failed: $1" >&2
  echo "  hint: $2" >&2
  exit 125
}

node --eval 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' ||
  fail "Node $(node --version) is too old" "install Node 20 or newer: https://nodejs.org"

# One set-up at a time in a checkout. The lock is on the folder itself, so that whoever may read it may wait;
# it goes with the last process that holds descriptor 9, however that ends.
exec 9<.
if ! flock --nonblock 9; then
  echo 'wardian: set-up: waiting for another one to finish' >&2
  flock 9
fi

# npm keeps a copy of the lock file beside what it installed.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  command -v npm >/dev/null || fail 'npm is missing' 'it comes with Node; on Debian: sudo apt-get install npm'
  echo 'wardian: set-up: npm packages ...' >&2
  npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >&2 ||
    fail 'npm could not install the packages' 'check that the npm registry can be reached'
  touch "$installed"
fi

# Node marks what it inherits close-on-exec: a sandboxer that outlives us does not keep the lock.
exec node --import tsx scripts/setup/main.ts "$@"
