#!/bin/bash
# usage_test.sh: what whoever uses the tools wrongly is told: one line that names what
# is wrong, status 2, and no machine is started.
set -uo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=${BUILD:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# told REGEX COMMAND...
told() {
	local pattern=$1 status=0
	shift
	timeout 20 "$@" > "$scratch/out" 2>&1 < /dev/null || status=$?
	((status == 2)) && [[ $(wc -l < "$scratch/out") == 1 ]] &&
		grep -qE -- "$pattern" "$scratch/out" && return
	echo "$*: ended with $status, not 2, or said other than: $pattern"
	cat "$scratch/out"
	failures=$((failures + 1))
}

# with_manifest SED-EXPRESSION: sys/linux.capnp, altered.
with_manifest() {
	sed "$1" sys/linux.capnp > "$scratch/bad.capnp"
}

missing=$scratch/missing
echo "no program" > "$scratch/text"

told '^tess: walk: no such verb' ./tess walk
told '^tess: --fast: no such option' ./tess run --fast
told '^tess: --exec: needs a value' ./tess run --exec
told '^tess: --smp 0: not a number of processors' ./tess run --built --smp 0
told '^tess: --timeout soon: not a number of seconds' ./tess run --built --timeout soon
told '^tess: --mem much: not a size' ./tess run --built --mem much
for option in kernel iis module initrd bundle manifest add; do
	told "^tess: $missing: no such file" ./tess run --built --$option "$missing"
done
told "^mkbundle: $scratch/text: no native program: file header cut short" \
	./tess run --built --iis "$scratch/text"
with_manifest 's/source = "timer"/source = "time"/'
told "^$scratch/bad.capnp: libos.grants\[1\].source: the initial init system holds nothing" \
	./tess run --built --manifest "$scratch/bad.capnp"
for name in self thread inspector modules initrd; do
	with_manifest "s/name = \"timer\"/name = \"$name\"/"
	told "libos.grants\[1\].name: a name that every libOS is given" \
		./tess run --built --manifest "$scratch/bad.capnp"
done
told "^tess: $missing: no such file" ./tess trace --built --iis "$missing"
told '^tess: trace --show: needs a recording' ./tess trace --show
told '^tess: trace --replay: needs a recording and a program' ./tess trace --replay "$missing"
told "^tess: prove: core/nothing: no unit with contracts: core/captable " \
	./tess prove core/nothing
told '^run.sh: --runs: needs a number' test/run.sh --fuzz --runs
told '^chaos.sh: --chaos, --seed and --smp need a number each' test/chaos.sh --chaos

((failures == 0))
