#!/bin/bash
# prove.sh: has Frama-C prove the contracts (ACSL) of the sources that have some.
#
#   prove.sh --list      the units: a source, its header, or both, have contracts
#   prove.sh UNIT        proves one; says `N of N goals`, or which are unproved
#
# A unit is proved as its X.c with all that it includes (a header alone: as itself),
# with the goals that keep its run time free of undefined behaviour (-wp-rte).
# What was proved before is remembered under build/prove, by what the goal says.
# PROVE_SECONDS bounds each prover on each goal, PROVE_JOBS how many run at once.
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=${BUILD:-$root/build}
build=$(mkdir -p "$build/prove" && cd "$build/prove" && pwd)
cd "$root"

annotated() {
	grep -rlE '^[[:space:]]*(//@|/\*@)' --include='*.[ch]' "$@" 2> /dev/null || true
}

units() {
	annotated abi core kernel lib rt os srv drv iis | sed 's/\.[ch]$//' | LC_ALL=C sort -u
}

# What a contract must not do: assume what it should prove.
refuse_assumptions() {
	! grep -nE '\b(admit (requires|ensures|.*invariant)|admit .*;|axiom [a-zA-Z_]+.*:)' "$1".[ch] || {
		echo 'a contract assumes what it should prove'
		exit 1
	}
}

# Why3 must know the provers; asked once, in a file of its own.
export WHY3CONFIG=$build/why3.conf
know_provers() {
	local new=$build/why3.$$.conf

	[[ -s $WHY3CONFIG ]] && return
	WHY3CONFIG=$new why3 config detect > /dev/null 2>&1
	mv "$new" "$WHY3CONFIG"
}

prove() {
	local unit=$1 source=$1.c name out proved total
	name=${unit//\//-}
	out=$build/$name.out

	refuse_assumptions "$unit"
	know_provers
	if [[ ! -e $source ]]; then
		source=$build/$name.c
		printf '#include "%s.h"\n' "$unit" > "$source"
	fi
	frama-c -machdep gcc_x86_64 -c11 -cpp-extra-args="-std=c17 -I. -I$build/../gen" \
		-wp -wp-rte -wp-split -wp-split-depth 4 -wp-prover cvc4,z3 \
		-wp-timeout "${PROVE_SECONDS:-60}" -wp-par "${PROVE_JOBS:-$(nproc)}" \
		-wp-cache update -wp-cache-dir "$build/cache" "$source" > "$out" 2>&1 ||
		{ cat "$out"; exit 1; }
	read -r proved total < <(sed -nE 's/^\[wp\] Proved goals: +([0-9]+) \/ ([0-9]+)$/\1 \2/p' "$out") || true
	if grep -qE 'Memory model hypotheses|annot-error|Missing RTE' "$out" || ((${total:-0} == 0)); then
		cat "$out"
		exit 1
	fi
	printf '%d of %d goals\n' "$proved" "$total"
	((proved == total)) && return
	grep -E '^\[wp\] \[.*\] Goal ' "$out" | grep -v ' : Valid' || true
	# What a busy machine had no time for may be tried again.
	find "$build/cache" -name '*.json' -exec grep -LE '"valid"' {} + | xargs -r rm -f
	exit 1
}

case ${1:-} in
--list) units ;;
'' | -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
*) prove "$1" ;;
esac
