#!/bin/bash
# prove.sh: has Frama-C prove the contracts (ACSL) of the sources that have some.
#
#   prove.sh --list      the units: a source, its header, or both, have contracts
#   prove.sh UNIT        proves one; says how many goals of how many
#
# A unit is proved as its X.c with all that it includes (a header alone: as itself):
# every function of its own that has a contract, with the goals that keep its run
# free of undefined behaviour (-wp-rte), and every lemma. What was proved before is
# remembered in build/prove, by what the goal says. PROVE_SECONDS bounds a prover's
# time for a goal that is not proved at once, PROVE_JOBS how many run at once.
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=$(realpath -m "${BUILD:-$root/build}")
mine=$build/prove
mkdir -p "$mine"
cd "$root"

usage() {
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
	exit 2
}

list() {
	grep -rlE '^[[:space:]]*(//@|/\*@)' --include='*.[ch]' abi core drv iis kernel lib os rt srv \
		2> /dev/null | sed 's/\.[ch]$//' | LC_ALL=C sort -u
}

sources() {
	find "$1.c" "$1.h" 2> /dev/null || true
}

# contracted UNIT: the functions that a contract precedes. Contracts and functions
# begin in the first column.
contracted() {
	sources "$1" | xargs awk '
		/^(\/\*@|\/\/@)/ { annotation = 1 }
		annotation && /requires|assigns|ensures/ { contract = 1 }
		annotation && (/\*\// || /^\/\/@/) { annotation = 0; next }
		!annotation && contract && match($0, /^[a-z].*[ *][a-z_0-9]+\(/) {
			sub(/\(.*/, ""); sub(/.*[ *]/, ""); print; contract = 0
		}' | LC_ALL=C sort -u
}

# defined UNIT: all functions.
defined() {
	sources "$1" | xargs awk '
		match($0, /^[a-z][^;=]*[ *][a-z_0-9]+\(/) { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
		/^{/ && name { print name; name = "" }
		/;$/ { name = "" }' | LC_ALL=C sort -u
}

# A contract may not assume what it should prove.
refuse_assumptions() {
	if sources "$1" | xargs grep -nE '\badmit (requires|ensures|.*invariant|[^ ]*;)|\baxiom [a-zA-Z_]+.*:'; then
		echo 'a contract assumes what it should prove'
		return 1
	fi
}

# Why3 has to be told once which provers there are; in a file of our own.
export WHY3CONFIG=$mine/why3.conf
know_provers() {
	[[ -s $WHY3CONFIG ]] && return
	WHY3CONFIG=$mine/why3.$$ why3 config detect > /dev/null 2>&1
	mv "$mine/why3.$$" "$WHY3CONFIG"
}

# A goal that is provable is proved in seconds or hardly ever, and waiting for one that
# is not is what costs most: so each has few. Only if something is left is all tried
# again with more (what was proved is remembered). cvc4 is asked first, and proves all
# but a few lemmas about memory; those are z3's.
# prove_goals OUTPUT SOURCE OPTION...
prove_goals() {
	local seconds=10 proved_before=$proved total_before=$total

	run_wp "$@" || return 1
	((proved < total)) || return 0
	proved=$proved_before total=$total_before seconds=${PROVE_SECONDS:-60}
	run_wp "$@"
}

# run_wp OUTPUT SOURCE OPTION...: adds to the output, and to `proved` and `total`.
run_wp() {
	local out=$1 source=$2 this_proved=0 this_total=0
	shift 2

	frama-c -machdep gcc_x86_64 -c11 -cpp-extra-args="-std=c17 -I. -I$build/gen" \
		-wp -wp-rte -wp-split -wp-split-depth 4 -wp-prover cvc4,z3 \
		-wp-timeout "$seconds" -wp-par "${PROVE_JOBS:-$(nproc)}" \
		-wp-cache update -wp-cache-dir "$mine/cache" "$@" "$source" > "$out" 2>&1 || return 1
	! grep -E 'Memory model hypotheses|annot-error' "$out" || return 1
	read -r this_proved this_total < <(
		sed -nE 's/^\[wp\] Proved goals: +([0-9]+) \/ ([0-9]+)$/\1 \2/p' "$out") || true
	((proved += this_proved, total += this_total)) || true
}

prove() {
	local unit=$1 source=$1.c name=${1//\//-} proved=0 total=0 functions without
	local out=$mine/$name.out

	refuse_assumptions "$unit"
	know_provers
	if [[ ! -e $source ]]; then
		source=$mine/$name.c
		printf '#include "%s.h"\n' "$unit" > "$source"
	fi
	functions=$(contracted "$unit" | paste -sd,)
	without=$(comm -13 <(contracted "$unit") <(defined "$unit") | wc -l)
	if ! { [[ -n $functions ]] && prove_goals "$out" "$source" -wp-fct "$functions" &&
		prove_goals "$out.lemmas" "$source" -wp-prop @lemma; } || ((total == 0)); then
		cat "$out" "$out.lemmas" 2> /dev/null
		exit 1
	fi
	printf '%d of %d goals' $proved $total
	((without)) && printf ' (%d functions without a contract)' "$without"
	echo
	((proved < total)) || return 0
	cat "$out" "$out.lemmas" | grep -E '^\[wp\] \[.*\] Goal ' | grep -v ' : Valid' || true
	# What a busy machine had no time for is to be tried again.
	grep -rLE '"valid"' "$mine/cache" | xargs -r rm -f
	exit 1
}

case ${1:-} in
--list) list ;;
'' | -*) usage ;;
*) prove "$1" ;;
esac
