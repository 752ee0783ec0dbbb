#!/bin/bash
# profile.sh: where the instructions of one of the capability core's rows go.
#
#   bench/profile.sh [--inlined] [--path | --instructions] ROW
#
# ROW is one of bench/native/caps.c. Prints, for one operation, how many
# instructions each function executed: of both processes and of the exokernel.
#   --inlined       a function that was inlined counts as one of its own
#   --path          the same in the order they ran: a line for each stay in a function
#   --instructions  every instruction of one turn, in order, disassembled
#
# QEMU logs each instruction's address (-singlestep -d exec). The program runs its
# batch of 8 turns, then of 24, between calls of profile_mark(); what the second
# has more is 16 turns and nothing else, and that by 16 is what is told. The loop's
# own instructions (two a turn) are in it, and not in the row.
set -euo pipefail
export LC_ALL=C

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=${BUILD:-$root/build}
cd "$root"
readonly kernel=$build/kernel/tessera.elf program=$build/bench/native/caps

die() {
	printf 'profile: %s\n' "$*" >&2
	exit 2
}

options() {
	show=functions inlined=0 row=
	while (($#)); do
		case $1 in
		--path | --instructions) show=${1#--} ;;
		--inlined) inlined=1 ;;
		-*) die "$1: no such option (--inlined, --path, --instructions)" ;;
		*) row=$1 ;;
		esac
		shift
	done
	[[ $row ]] || die "which row of bench/native/caps.c?"
}

# address_of ELF SYMBOL: 16 digits.
address_of() {
	nm --defined-only "$1" | awk -v name="$2" '$3 == name { print $1 }'
}

# Reads QEMU's log: "Trace 0: HOST [CS_BASE/PC/...". Writes "PC TIMES" for one turn
# to FILE counts, and the PCs of one turn in order to FILE path: from one
# instruction that every turn executes once to the next time it does. The gate
# runs at its window address, and has its symbols at another.
read_log() {
	awk -F/ -v mark="$(address_of "$program.debug" profile_mark)" \
		-v gate="$(address_of "$kernel" gate_start)" -v dir="$dir" '
	$1 !~ /^Trace/ { next }
	$2 == mark { marks++ }
	marks == 1 || marks == 2 {
		pc = $2
		if (pc ~ /^ffffff0000000/)
			pc = substr(gate, 1, 13) substr(pc, 14)
		if (marks == 1)
			order[n++] = pc
		times[marks, pc]++
		seen[pc] = 1
	}
	END {
		for (pc in seen)
			if (times[2, pc] > times[1, pc])
				print pc, (times[2, pc] - times[1, pc]) / 16 > (dir "/counts")
		for (i = 0; i < n && !first; i++)
			if (times[1, order[i]] == 8 && times[2, order[i]] == 24)
				first = order[i]
		for (i = 0; i < n && turn < 4; i++) {
			turn += order[i] == first
			if (turn == 3)
				print order[i] > (dir "/path")
		}
	}'
}

run() {
	mkfifo "$dir/log"
	read_log < "$dir/log" &
	echo "profile $row" | ./tess run --built --iis "$program" --icount --timeout 300 \
		--qemu "-singlestep -d exec,nochain -D $dir/log" > "$dir/said"
	wait $!
	grep -q '^profiled' "$dir/said" || die "$(cat "$dir/said")"
	each=$(awk '$1 == "profiled" { print $3 / 16 }' "$dir/said")
}

# "PC FUNCTION" for every PC in counts, to FILE functions: sorted by address, a
# PC belongs to the last symbol before it.
find_functions() {
	{
		nm --defined-only "$kernel" "$program.debug" | awk '$2 ~ /[tTwW]/ { print $1, 0, $3 }'
		awk '{ print $1, 1 }' "$dir/counts"
	} | sort | awk '$2 == 0 { name = $3 } $2 == 1 { print $1, name }' > "$dir/functions"
}

# names_inside ELF PATTERN: "PC FUNCTION" for the PCs that match: of the functions
# that were inlined there the innermost.
names_inside() {
	awk -v pattern="$2" '$1 ~ pattern { print "0x" $1 }' "$dir/counts" |
		addr2line -a -f -i -e "$1" | awk '/^0x/ {
			pc = substr($1, 3)
			getline name
			if (name != "??")
				print pc, name
		}'
}

# Later lines of the file win.
find_inlined() {
	names_inside "$kernel" '^ffffffff' >> "$dir/functions"
	names_inside "$program.debug" '^00000000' >> "$dir/functions"
}

show_functions() {
	awk -v each="$each" 'NR == FNR { name[$1] = $2; next }
		{ count[name[$1]] += $2 / each; all += $2 / each }
		END {
			for (f in count)
				printf "%9.1f  %5.1f %%  %s\n", count[f], 100 * count[f] / all, f
			printf "%9.1f  100.0 %%  in all\n", all
		}' "$dir/functions" "$dir/counts" | sort -k1,1nr -k4
}

show_path() {
	awk 'NR == FNR { name[$1] = $2; next }
		name[$1] != last && n { printf "%6d  %s\n", n, last; n = 0 }
		{ last = name[$1]; n++ }
		END { printf "%6d  %s\n", n, last }' "$dir/functions" "$dir/path"
}

show_instructions() {
	objdump -d --no-show-raw-insn "$kernel" "$program.debug" |
		awk -F'\t' '/^ *[0-9a-f]+:\t/ {
			at = $1; gsub(/[ :]/, "", at)
			printf "%s%s %s\n", substr("0000000000000000", length(at) + 1), at, $2
		}' > "$dir/code"
	awk 'FILENAME ~ /functions$/ { name[$1] = $2; next }
		FILENAME ~ /code$/ { pc = $1; sub(/^[^ ]* /, ""); code[pc] = $0; next }
		name[$1] != last { last = name[$1]; print last ":" }
		{ printf "%6d  %s  %s\n", ++n, $1, code[$1] }' \
		"$dir/functions" "$dir/code" "$dir/path"
}

options "$@"
./tess build
make -s SETUP=done BUILD="$build" "$program" >&2
mkdir -p "$build/bench"
dir=$(mktemp -d "$build/bench/profile.XXXXXX")
trap 'rm -rf "$dir"' EXIT
run
find_functions
((!inlined)) || find_inlined
"show_$show"
