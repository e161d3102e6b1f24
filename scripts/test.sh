#!/bin/sh
# The test command: a set-up when one is needed, then scripts/test/main.ts.
#   scripts/test.sh                 all stages
#   scripts/test.sh unit            style, types, house rules, unit tests (TypeScript and C)
#   scripts/test.sh integration     tests with real virtual machines
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."

scripts/setup.sh

# Node would read these certificates at every one of its many starts.
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
  export WARDIAN_NODE_EXTRA_CA_CERTS="$NODE_EXTRA_CA_CERTS"
  unset NODE_EXTRA_CA_CERTS
fi
exec node --import tsx scripts/test/main.ts "$@"
