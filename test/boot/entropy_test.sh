#!/bin/bash
# entropy_test.sh: no two boots give the same random bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."

boot() {
	timeout 60 ./tess run --built --exec 'head -c 16 /dev/urandom | hexdump -C'
}

first=$(boot)
second=$(boot)
[[ -n $first && $first != "$second" ]]
