#!/bin/bash
# linux_test.sh [NAME]...: libOS linux against Linux. Each test/boot/linux/abi_*.c
# prints a line per check; the host's own Linux says what the lines are to be, and
# how the program is to end. A line that differs is a failure. All programs of one
# C library run in one boot, on one and on two processors. With names (such as
# signals), only these; `known` is run only so: what is known to differ.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=${BUILD:-$PWD/build}
programs=$build/test/boot/linux
readonly seconds_each=20 seconds_all=100
scratch=$(mktemp -d)
place=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)
trap 'rm -rf "$scratch" "$place"' EXIT
failures=0

# names: of the areas that are to be tested.
names() {
	local source name

	for source in test/boot/linux/abi_*.c; do
		name=${source##*/abi_}
		name=${name%.c}
		[[ $name != *_musl ]] || continue
		if (($#)); then
			[[ " $* " != *" $name "* ]] || echo "$name"
		elif [[ $name != known ]]; then
			echo "$name"
		fi
	done
}

# The same script for both sides: $1 is where the programs are, $2 a directory
# for each to work in, then their names.
cat > "$scratch/all.sh" <<'END'
programs=$1 place=$2
shift 2
export LC_ALL=C
for name; do
	mkdir "$place/$name"
	cd "$place/$name"
	echo "== $name"
	timeout SECONDS "$programs/$name" < /dev/null
	echo "== $name: status $?"
done
END
sed -i "s/SECONDS/$seconds_each/" "$scratch/all.sh"

# split FILE DIRECTORY: one file per program.
split() {
	mkdir -p "$2"
	awk -v to="$2" '/^== / && NF == 2 { name = $2 } name { print > (to "/" name) }' "$1"
}

# guest SUFFIX CPUS: all programs there, then what came out against Linux.
guest() {
	local suffix=$1 cpus=$2 base=$scratch/$1.$2 status=0 name
	local -a adds=() all=()

	for name in "${areas[@]}"; do
		all+=("abi_$name$suffix")
		adds+=(--add "$programs/abi_$name$suffix:/abi/")
	done
	./tess run --built --smp "$cpus" --timeout $seconds_all --log --add "$scratch/all.sh:/all.sh" \
		"${adds[@]}" --exec "sh /all.sh /abi /tmp ${all[*]}" \
		< /dev/null > "$base.out" 2> "$base.log" || status=$?
	split "$base.out" "$base"
	for name in "${all[@]}"; do
		touch "$base/$name"
		diff --text -U 2 --label "Linux: $name" --label "Tessera, $cpus CPUs: $name" \
			"$scratch/linux/$name" "$base/$name" || failures=$((failures + 1))
	done
	((status == 0)) && ! grep -q 'process .* ended' "$base.log" && return
	printf 'the machine: status %d\n' $status
	tail -n 20 "$base.log"
	failures=$((failures + 1))
}

mapfile -t areas < <(names "$@")
natively=()
for name in "${areas[@]}"; do
	natively+=("abi_$name" "abi_${name}_musl")
done
sh "$scratch/all.sh" "$programs" "$place" "${natively[@]}" > "$scratch/linux.out"
split "$scratch/linux.out" "$scratch/linux"
for suffix in '' _musl; do
	for cpus in 1 2; do
		guest "$suffix" $cpus
	done
done
printf '%d programs, %d lines each time, %d differ\n' "${#natively[@]}" \
	"$(grep -vc '^==' "$scratch/linux.out")" $failures
((failures == 0))
