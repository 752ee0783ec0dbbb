#!/bin/bash
# run.sh: runs what `./tess test` has built, and counts. Every test says `ok NAME`
# or `not ok NAME` and, if it failed, what came out; the last line is
# `N passed, N failed`. A test is
#
#   host   one case of a *_test.c (cmocka), or a whole *_test.sh
#   fuzz   one *_fuzz.c that survived so many inputs
#   model  one *.pml, searched by Spin, or one of its broken variants, found out
#   prove  the contracts of one source and its header (doc/design/checking.md)
#   boot   one case of a test/boot/*.test at one number of processors
#          (test/boot/README.md has the format), or a whole test/boot/*.sh
#
# As many run at once as there are processors. How long each took, the slowest
# first, is in test/times of the build.
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=${BUILD:-$root/build}
export CAPNPC_TESS=$build/host/capnpc-tess
readonly default_budget=30
cd "$root"

# shellcheck disable=SC1091
. test/boot/case.sh

# -- jobs ---------------------------------------------------------------------
# A job is a function and its arguments; it prints test lines.

# indent FILE: the end of a failed test's output.
indent() {
	tail -n 40 "$1" | sed 's/^/    /'
}

# report NAME STATUS FILE
report() {
	if (($2 == 0)); then
		printf 'ok %s\n' "$1"
	else
		printf 'not ok %s\n' "$1"
		indent "$3"
	fi
}

# A test that tells cases apart speaks TAP. One that fails in none of them has
# died, and counts as failed itself.
host_job() {
	local program=$1 name=$2 out=$3.out status=0 failed

	CMOCKA_MESSAGE_OUTPUT=TAP UBSAN_OPTIONS=print_stacktrace=1 BUILD=$build \
		timeout 300 "$program" > "$out" 2>&1 < /dev/null || status=$?
	if ! grep -qE '^(not )?ok [0-9]' "$out"; then
		report "$name" $status "$out"
		return
	fi
	sed -nE "s|^((not )?ok) [0-9]+ -? ?(.*)|\1 $name: \3|p" "$out"
	failed=$(grep -cE '^not ok [0-9]' "$out" || true)
	if ((status != 0 && failed == 0)); then
		report "$name: ended with status $status" 1 "$out"
	elif ((failed)); then
		indent "$out"
	fi
}

fuzz_job() {
	local program=$1 name=$2 out=$3.out status=0
	local corpus=$build/fuzz/corpus/$name
	local -a seeds=()

	mkdir -p "$corpus"
	[[ -d test/seeds/$name ]] && seeds=("test/seeds/$name")
	"$program" -runs="$runs" -timeout=20 -artifact_prefix="$build/fuzz/" \
		"$corpus" "${seeds[@]}" > "$out" 2>&1 < /dev/null || status=$?
	report "$name: $runs inputs" $status "$out"
}

script_job() {
	local out=$3.out status=0

	BUILD=$build timeout 900 "$1" > "$out" 2>&1 < /dev/null || status=$?
	report "$2" $status "$out"
}

# model_job SOURCE NAME SCRATCH [GUARD]: that Spin finds nothing wrong and every process
# of the model can end; or, with the guard left out (-DGUARD), that it does find it.
model_job() {
	local source=$root/$1 name=$2 dir=$3.dir out=$3.out guard=${4-} found status=0

	mkdir -p "$dir"
	(cd "$dir" && spin -a ${guard:+"-D$guard"} "$source" && gcc -w -DSAFETY -o pan pan.c &&
		timeout 300 ./pan -m1000000) > "$out" 2>&1 || status=$?
	found=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' "$out")
	if [[ -z $guard ]]; then
		((status == 0)) && [[ $found == 0 ]] || status=1
		grep -qE 'max search depth|not completed|-end-' "$out" && status=1
	else
		[[ $found == [1-9]* ]] && status=0 || status=1
	fi
	rm -rf "$dir"
	report "$name" $status "$out"
}

# One of the provers at a time, for other tests run beside it.
prove_job() {
	local out=$3.out status=0

	PROVE_JOBS=1 "$root/tools/prove.sh" "$1" > "$out" 2>&1 < /dev/null || status=$?
	report "$2: $(grep -m1 -E '^[0-9]+ of [0-9]+ goals( .*)?$' "$out" || echo broken)" $status "$out"
}

# -- which --------------------------------------------------------------------

wanted() {
	local pattern

	((${#patterns[@]})) || return 0
	for pattern in "${patterns[@]}"; do
		[[ $1 == *$pattern* ]] && return 0
	done
	return 1
}

# plan FUNCTION PROGRAM NAME [ARGUMENT]...
plan() {
	wanted "$3" || return 0
	jobs+=("$(printf '%q ' "$@")")
}

plan_host() {
	local source name

	while read -r source; do
		name=${source%.c}
		plan host_job "$build/test/$name" "${name%_test}"
	done < <(find core kernel lib os tools test/sim -name '*_test.c' 2> /dev/null | LC_ALL=C sort)
	while read -r source; do
		plan script_job "$source" "${source%_test.sh}"
	done < <(find core lib tools -name '*_test.sh' 2> /dev/null | LC_ALL=C sort)
}

plan_fuzz() {
	local source name

	while read -r source; do
		name=${source%.c}
		plan fuzz_job "$build/fuzz/$name" "$name"
	done < <(find core kernel lib tools -name '*_fuzz.c' 2> /dev/null | LC_ALL=C sort)
}

# The guards are in the model's opening comment, one a line.
plan_model() {
	local source name guard

	while read -r source; do
		name=model/$(basename "$source" .pml)
		plan model_job "$source" "$name"
		while read -r guard; do
			plan model_job "$source" "$name: $guard is found out" "$guard"
		done < <(sed -nE 's/^ \*   -D([A-Z_]+) .*/\1/p' "$source")
	done < <(find core kernel lib -name '*.pml' | LC_ALL=C sort)
}

plan_prove() {
	local unit

	while read -r unit; do
		plan prove_job "$unit" "prove/${unit#core/}"
	done < <(tools/prove.sh --list)
}

plan_boot() {
	local file index case cpus

	for file in test/boot/*.test; do
		[[ -e $file ]] || continue
		index=0
		while IFS='|' read -r case cpus; do
			for n in $cpus; do
				plan boot_job "$file" "boot/$(basename "$file" .test): $case (--smp $n)" $index "$n"
			done
			index=$((index + 1))
		done < <(boot_cases "$file")
	done
	for file in test/boot/*_test.sh; do
		[[ -e $file ]] && plan script_job "$file" "boot/$(basename "$file" _test.sh)"
	done
	return 0
}

# -- running ------------------------------------------------------------------

declare -A running=() began=()

# Microseconds, of the wall clock.
now() {
	printf '%s\n' "${EPOCHREALTIME/[.,]/}"
}

finish_one() {
	local pid status=0 took

	wait -n -p pid "${!running[@]}" || status=$?
	took=$(($(now) - ${began[$pid]%% *}))
	printf '%4d.%03d s %s\n' $((took / 1000000)) $((took / 1000 % 1000)) "${began[$pid]#* }" \
		>> "$scratch/times"
	((status == 0)) || printf 'not ok %s (the runner itself failed)\n' "${running[$pid]}" \
		>> "${running[$pid]}"
	cat "${running[$pid]}"
	cat "${running[$pid]}" >> "$scratch/all"
	unset "running[$pid]" "began[$pid]"
}

# Arguments of a job: program, name, scratch path, and what else it was planned with.
start() {
	local slot=$1 function program name
	local -a words rest

	eval "words=($2)"
	function=${words[0]} program=${words[1]} name=${words[2]} rest=("${words[@]:3}")
	"$function" "$program" "$name" "$scratch/$slot" "${rest[@]}" > "$scratch/$slot" 2>&1 &
	running[$!]=$scratch/$slot
	began[$!]="$(now) $name"
}

main() {
	local job slot=0 passed failed kinds=()

	patterns=() jobs=() runs=100000
	while (($#)); do
		case $1 in
		--host | --fuzz | --model | --prove | --boot) kinds+=("${1#--}") ;;
		--runs)
			[[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: --runs: needs a number" >&2; exit 2; }
			runs=$2
			shift
			;;
		-*) echo "run.sh: $1: no such option" >&2; exit 2 ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
	((${#kinds[@]})) || kinds=(host fuzz model prove boot)
	scratch=$build/test/run.$$
	mkdir -p "$scratch"
	trap 'rm -rf "$scratch"' EXIT
	: > "$scratch/all"
	: > "$scratch/times"

	for kind in "${kinds[@]}"; do
		"plan_$kind"
	done
	((${#jobs[@]})) || echo "no test has that in its name: ${patterns[*]}" >&2
	for job in "${jobs[@]}"; do
		((${#running[@]} < $(nproc))) || finish_one
		start $((slot += 1)) "$job"
	done
	while ((${#running[@]})); do finish_one; done
	sort -rn "$scratch/times" > "$build/test/times"

	passed=$(grep -c '^ok ' "$scratch/all" || true)
	failed=$(grep -c '^not ok ' "$scratch/all" || true)
	((passed + failed)) || failed=1
	printf '%d passed, %d failed\n' "$passed" "$failed"
	((failed == 0))
}

main "$@"
