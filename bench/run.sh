#!/bin/bash
# run.sh: what `./tess bench` runs once all is built: measures Tessera and, beside
# it, Debian's Linux with the same binaries on the same machine, in the same run.
#
#   bench/run.sh [--json] [--runs N]
#
# Instructions come from QEMU's -icount shift=0, where the TSC counts them. Those
# runs go side by side, for load does not change what they count. Wall times come
# from runs without it, one at a time. bench/README.md says what the rows mean.
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=${BUILD:-$root/build}
cd "$root"

readonly budget=60 # seconds, for one boot
readonly busybox=build/deb/busybox-static/bin/busybox
readonly vmlinuz=build/deb/linux/vmlinuz
readonly linux_options="console=ttyS0 quiet mitigations=off init_on_alloc=0 apparmor=0 \
audit=0 randomize_kstack_offset=off hardened_usercopy=off lsm=capability preempt=none panic=-1"

# One machine for both. Without erms, as with it glibc copies by `rep movsb`, of
# which -icount counts every byte.
readonly cpu=max,-erms memory=512M

# NAME UNIT TARGET TITLE. A row of unit insns has a wall time as well.
readonly rows=(
	"getpid            insns         80 getpid"
	"fork_wait         insns      60000 fork, exit, wait"
	"fork_exec         insns     120000 fork, exec, exit, wait"
	"fault_anon        insns       1500 page fault, fresh"
	"boot_insns        insns   20000000 machine started to the shell's first instruction"
	"boot_wall_s       s            0.5 QEMU started to the prompt, seconds"
	"boot_memory_bytes bytes    4194304 memory taken at the IIS's start, bytes"
	"touch_in_order    insns          - memory touched in order, each page"
	"fault_cow         insns          - page fault, copy on write"
	"fork_exec_libc    insns          - fork, exec of a glibc program, exit, wait"
	"pipe_pingpong     insns          - pipe ping-pong, two processes"
	"pipe_4k           insns          - 4 KiB through a pipe"
	"signal_self       insns          - signal to self"
	"file_read         insns          - open, read 4 KiB, close"
	"stat_deep         insns          - stat, four components deep"
	"file_create       insns          - create, write 4 KiB, close, unlink"
)

# The capability core's: NAME UNIT SEL4 REACH AIM TITLE. SEL4 is what seL4's own
# suite gives for version 16 (issue 3), not measured here. More is better where AIM
# is above REACH. A row of unit ratio has no wall time.
readonly core_rows=(
	"cap_call          insns      97    250    150 call on an object of the exokernel"
	"cap_call_batch16  insns       -    110     60 the same, 16 entries a cap_enter, each"
	"ipc_call          insns     427    600    426 call and return, two address spaces"
	"ipc_call_4w       insns     476    650    475 the same, 4 words there and back"
	"notify_wake       insns     948    948    500 signal to a waiting thread, until it runs"
	"cap_copy          insns       -    250    120 a capability with the call, and its release"
	"revoke_ratio      ratio       -   1.05   1.00 revoking what 1,000 domains hold against 1"
	"smp_ipc_scaling   ratio       -    1.9    2.0 two pairs on two CPUs against one on one"
	"kernel_text_bytes bytes   77824 163840 131072 exokernel text and read-only data, bytes"
)

say() {
	printf 'bench: %3d s  %s\n' "$SECONDS" "$*" >&2
}

die() {
	printf 'bench: %s\n' "$*" >&2
	exit 2
}

options() {
	json=0 runs=5
	while (($#)); do
		case $1 in
		--json) json=1 ;;
		--runs)
			[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--runs: needs a number"
			runs=$2
			shift
			;;
		*) die "$1: no such option (--json, --runs N)" ;;
		esac
		shift
	done
}

# -- what is booted -----------------------------------------------------------

# write_probe FILE: first.S over busybox's entry point, in an archive that holds
# it. What stands there is the same in every static glibc program (the ABI's first
# steps of _start), and nowhere else.
write_probe() {
	local entry='\x31\xed\x49\x89\xd1\x5e\x48\x89\xe2\x48\x83\xe4\xf0\x50\x54' at

	at=$(LC_ALL=C grep -obUaP "$entry" "$1" | cut -d: -f1) || true
	[[ $at =~ ^[0-9]+$ ]] || die "$1: not one entry point, but: ${at:-none}"
	dd if="$scratch/first.bin" of="$1" bs=1 seek="$at" conv=notrunc status=none
}

# A QEMU that notes when it started.
write_wrapper() {
	mkdir "$scratch/bin"
	cat > "$scratch/bin/qemu-system-x86_64" <<END
#!/bin/bash
echo "\$EPOCHREALTIME" > '$scratch/started'
exec '$(command -v qemu-system-x86_64)' "\$@"
END
	chmod +x "$scratch/bin/qemu-system-x86_64"
}

prepare() {
	scratch=$build/bench/run.$$
	mkdir -p "$scratch/bench"
	trap 'rm -rf "$scratch"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	gcc -c bench/first.S -o "$scratch/first.o"
	objcopy -O binary -j .text "$scratch/first.o" "$scratch/first.bin"
	gcc -O2 -static -nostdlib bench/nothing.c -o "$scratch/bench/nothing"
	cp "$build/bench/guest/rows" "$build/bench/guest/nothing_libc" "$scratch/bench"

	"$build/host/mkinitrd" "$scratch/rows.cpio" -a "$scratch/bench" /bench
	"$build/host/mkinitrd" "$scratch/shell.cpio" -a "$busybox" /bin/busybox
	cp "$scratch/shell.cpio" "$scratch/first.cpio"
	cp "$build/initrd.cpio" "$scratch/first.initrd"
	write_probe "$scratch/first.cpio"
	write_probe "$scratch/first.initrd"
	write_wrapper
	# For stdin: nothing comes, not even an end, that would interrupt the guest.
	exec {idle}<> <(:)
}

# -- booting ------------------------------------------------------------------
# Each takes WHAT to boot (rows, first or shell) and the UNIT to measure in (insns
# or wall). Its stdin and stdout are the guest's console.

tessera() {
	local -a run=(./tess run --built --tcg --mem "$memory" --timeout "$budget" --log
		--qemu "-cpu $cpu")

	[[ $2 == insns ]] && run+=(--icount)
	case $1 in
	rows) run+=(--add "$scratch/bench:/bench" --exec "exec /bench/rows $2") ;;
	first) run+=(--initrd "$scratch/first.initrd") ;;
	esac
	"${run[@]}" 2> "$scratch/tessera.$1.$2.log"
}

# core UNIT WHAT [OPTION]...: bench/native/caps, told WHAT to measure.
core() {
	local unit=$1 what=$2
	local -a run=(./tess run --built --tcg --mem "$memory" --timeout "$budget"
		--iis "$build/bench/native/caps" --qemu "-cpu $cpu")

	"${run[@]}" "${@:3}" < <(echo "$what") > "$scratch/core.$unit" 2> "$scratch/core.$unit.log"
}

# The machine of `tess run`. It ends by panicking for want of PID 1, which with
# -no-reboot is QEMU's end.
linux() {
	local init=/bin/busybox argument=sh
	local -a count=()

	[[ $2 == insns ]] && count=(-icount "shift=0,sleep=off")
	[[ $1 == rows ]] && init=/bench/rows argument=$2
	timeout --foreground --kill-after=2 "$budget" \
		qemu-system-x86_64 -machine q35 -accel tcg -cpu "$cpu" -smp 1 -m "$memory" \
		-bios qboot.rom -display none -no-reboot -nodefaults "${count[@]}" \
		-kernel "$vmlinuz" -initrd "$scratch/$1.cpio" \
		-append "$linux_options rdinit=$init -- $argument" \
		-chardev stdio,id=console,signal=off -serial chardev:console \
		2> "$scratch/linux.$1.$2.log"
}

# -- measuring ----------------------------------------------------------------

declare -A figure # [SYSTEM.NAME.UNIT]; UNIT wall, in ns, beside insns
failed=0

# missing SYSTEM WHAT LOG: what should be there is not.
missing() {
	say "${1^} did not tell $2; the end of its log:"
	tail -n 5 "$3" >&2 || true
	failed=1
}

# take_rows SYSTEM UNIT: from what bench/guest/rows.c printed.
take_rows() {
	local word name value reason got=0

	while read -r word name value reason; do
		[[ $word == row ]] || continue
		got=$((got + 1))
		if [[ $value == n/a ]]; then
			say "${1^} cannot do $name: $reason"
		else
			figure[$1.$name.$2]=$value
		fi
	done < <(tr -d '\r' < "$scratch/$1.rows.$2")
	((got == guest_rows)) || missing "$1" "$((guest_rows - got)) of $guest_rows rows" \
		"$scratch/$1.rows.$2.log"
}

# take_core UNIT: from what bench/native/caps.c printed.
take_core() {
	local word name ticks ns row

	while read -r word name ticks ns; do
		[[ $word == row ]] || continue
		if [[ $ticks == n/a ]]; then
			say "$name: $ns"
		elif [[ $1 == insns ]]; then
			figure[tessera.$name.insns]=$ticks
		else
			figure[tessera.$name.wall]=$ns
		fi
	done < <(tr -d '\r' < "$scratch/core.$1")
	for row in "${core_rows[@]}"; do
		read -r name word _ <<< "$row"
		[[ $word != insns || ${figure[tessera.$name.$1]:-} ]] ||
			missing tessera "$name ($1)" "$scratch/core.$1.log"
	done
}

# What revoking takes with many holders, over what it takes with one.
take_revoke() {
	local one=${figure[tessera.revoke_1.insns]:-} many=${figure[tessera.revoke_1000.insns]:-}

	if [[ $one && $many ]]; then
		figure[tessera.revoke_ratio.ratio]=$(awk "BEGIN { printf \"%.3f\", $many / $one }")
	else
		missing tessera revoke_ratio "$scratch/core.insns.log"
	fi
}

# The best run of two pairs over the best of one: what else runs on this machine can
# only slow one down. Runs count in which each pair kept to a CPU of its own; they
# must be most of them.
take_scaling() {
	local runs stayed best middle

	read -r runs stayed best middle < <(tr -d '\r' < "$scratch/core.scaling" | awk '
		$1 != "scaling" { next }
		{ runs++ }
		$4 == "stayed" && $2 > 0 {
			stayed++
			if ($2 > one) one = $2
			if ($3 > two) two = $3
			print $3 / $2 | "sort -n"
		}
		END {
			close("sort -n")
			print "best", runs + 0, stayed + 0, one ? two / one : 0
		}' | awk '
		$1 == "best" { runs = $2; stayed = $3; best = $4; next }
		{ ratio[++n] = $1 }
		END { printf "%d %d %.2f %.2f\n", runs, stayed, best, ratio[int((n + 1) / 2)] }')
	say "smp_ipc_scaling: $stayed of $runs runs kept to their CPUs; median of all ratios: $middle"
	if ((2 * stayed > runs)); then
		figure[tessera.smp_ipc_scaling.ratio]=$best
	else
		missing tessera smp_ipc_scaling "$scratch/core.scaling.log"
	fi
}

# take_first SYSTEM: the TSC that first.S printed, a letter for each nibble.
take_first() {
	local letters

	letters=$(tr -d '\r' < "$scratch/$1.first.insns" | grep -oaE '^[a-p]{16}$' | tr a-p 0-9a-f) || {
		missing "$1" boot_insns "$scratch/$1.first.insns.log"
		return
	}
	figure[$1.boot_insns.insns]=$((16#$letters))
}

# boot_to_prompt SYSTEM: seconds from QEMU's start, on stdout.
boot_to_prompt() {
	local keys screen text found=0

	rm -f "$scratch/keys"
	mkfifo "$scratch/keys"
	exec {keys}<> "$scratch/keys"
	exec {screen}< <(PATH=$scratch/bin:$PATH "$1" shell wall < "$scratch/keys")
	while ((!found)) && IFS= read -r -d '#' -t "$budget" -u "$screen" text; do
		[[ $text == *'/ ' ]] && found=1
	done
	echo "$EPOCHREALTIME" > "$scratch/prompted"
	((found)) && printf 'exit\n' >&"$keys"
	cat <&"$screen" > /dev/null
	exec {keys}>&- {screen}<&-
	((found)) && paste "$scratch/prompted" "$scratch/started" |
		awk '{ printf "%.3f\n", $1 - $2 }'
}

# The median of the numbers on stdin, one a line.
median() {
	sort -n | awk '{ v[NR] = $1 }
		END { printf "%.3f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

measure_instructions() {
	local what system

	for what in rows first; do
		say "counting instructions, Tessera and Linux: $what"
		tessera $what insns <&"$idle" > "$scratch/tessera.$what.insns" &
		linux $what insns <&"$idle" > "$scratch/linux.$what.insns" || true
		wait $! || true
	done
	say "counting instructions: the capability core"
	core insns all --icount || true
	take_core insns
	take_revoke
	for system in linux tessera; do
		take_rows $system insns
		take_first $system
	done
}

# Both CPUs need a processor to themselves all the time.
measure_scaling() {
	local busy

	(($(nproc) >= 2)) || {
		say "smp_ipc_scaling: needs two processors"
		return
	}
	busy=$(cut -d' ' -f1 /proc/loadavg)
	say "wall time: two pairs on two CPUs (load average before: $busy)"
	core scaling scaling --smp 2 || true
	take_scaling
}

measure_wall() {
	local system run

	say "wall time: the capability core"
	core wall all || true
	take_core wall
	measure_scaling
	for system in tessera linux; do
		say "wall time, ${system^}: rows"
		$system rows wall <&"$idle" > "$scratch/$system.rows.wall" || true
		take_rows $system wall
		: > "$scratch/seconds"
		for ((run = 1; run <= runs; run++)); do
			say "wall time, ${system^}: boot $run of $runs"
			boot_to_prompt $system >> "$scratch/seconds" || {
				missing $system boot_wall_s "$scratch/$system.shell.wall.log"
				break
			}
		done
		((run <= runs)) || figure[$system.boot_wall_s.s]=$(median < "$scratch/seconds")
	done
}

measure_sizes() {
	local log=$scratch/tessera.first.insns.log bytes

	figure[tessera.kernel_text_bytes.bytes]=$(size "$build/kernel/tessera.elf" |
		awk 'NR == 2 { print $1 }')
	bytes=$(sed -nE "s/^tessera: ([0-9]+) bytes of memory taken at the IIS's start.*/\1/p" "$log")
	if [[ $bytes ]]; then
		figure[tessera.boot_memory_bytes.bytes]=$bytes
	else
		missing tessera boot_memory_bytes "$log"
	fi
}

# -- telling ------------------------------------------------------------------

# group NUMBER: thousands apart; what is no number stays.
group() {
	sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<< "${1:--}"
}

readonly line='%-50s %12s %14s %6s %12s %-6s %14s %14s\n'

print_row() {
	local name unit target title ours theirs ratio='' verdict=''

	read -r name unit target title <<< "$1"
	ours=${figure[tessera.$name.$unit]:-} theirs=${figure[linux.$name.$unit]:-}
	[[ $ours && $theirs ]] &&
		ratio=$(awk "BEGIN { if ($ours > 0) printf \"%.1f\", $theirs / $ours }")
	[[ $target != - && $ours ]] &&
		verdict=$(awk "BEGIN { print $ours <= $target ? \"met\" : \"missed\" }")
	# shellcheck disable=SC2059
	printf "$line" "$title" "$(group "$ours")" "$(group "$theirs")" "${ratio:--}" \
		"$(group "$target")" "$verdict" "$(group "${figure[tessera.$name.wall]:-}")" \
		"$(group "${figure[linux.$name.wall]:-}")"
}

# verdict VALUE REACH AIM: on stdout.
verdict() {
	awk -v value="$1" -v reach="$2" -v aim="$3" 'BEGIN {
		if (aim > reach) { value = -value; reach = -reach; aim = -aim }
		print value <= aim ? "at aim" : value <= reach ? "reached" : "missed" }'
}

readonly core_line='%-50s %12s %14s %12s %12s %-8s %14s\n'

print_core_row() {
	local name unit sel4 reach aim title value

	read -r name unit sel4 reach aim title <<< "$1"
	value=${figure[tessera.$name.$unit]:-}
	# shellcheck disable=SC2059
	printf "$core_line" "$title" "$(group "$value")" "$(group "$sel4")" "$(group "$reach")" \
		"$(group "$aim")" "$([[ ! $value ]] || verdict "$value" "$reach" "$aim")" \
		"$(group "${figure[tessera.$name.wall]:-}")"
}

print_table() {
	local row

	# shellcheck disable=SC2059
	printf "\n$line" '' Tessera Linux ratio 'at most' '' 'Tessera, ns' 'Linux, ns'
	for row in "${rows[@]}"; do print_row "$row"; done
	# shellcheck disable=SC2059
	printf "\n$core_line" 'Capability core' Tessera 'seL4 16 *' reach aim '' 'Tessera, ns'
	for row in "${core_rows[@]}"; do print_core_row "$row"; done
	printf '%s\n' '* measured elsewhere, by its own suite'
	printf '\n%s\n' "Instructions, but where a unit is named; ratio: Linux's to Tessera's; ns: wall time, QEMU's TCG."
}

# json_system SYSTEM NAME UNIT: what is known, without the braces.
json_system() {
	local value=${figure[$1.$2.$3]:-null} insns=null wall=${figure[$1.$2.wall]:-null}

	[[ $3 == insns ]] && insns=$value
	[[ $3 == s && $value != null ]] && wall=$(awk "BEGIN { printf \"%.0f\", $value * 1e9 }")
	printf '"insns": %s, "wall_ns": %s, "value": %s' "$insns" "$wall" "$value"
}

# json_peer UNIT VALUE: of a figure that is not ours.
json_peer() {
	local insns=null

	[[ $1 == insns ]] && insns=$2
	printf '"insns": %s, "wall_ns": null, "value": %s' "$insns" "$2"
}

print_json() {
	local row name unit target sel4 aim separator='{'

	for row in "${rows[@]}"; do
		read -r name unit target _ <<< "$row"
		printf '%s\n  "%s": {%s, "unit": "%s", "target": %s, "peer": {"name": "Linux", %s}}' \
			"$separator" "$name" "$(json_system tessera "$name" "$unit")" "$unit" \
			"${target/#-/null}" "$(json_system linux "$name" "$unit")"
		separator=,
	done
	for row in "${core_rows[@]}"; do
		read -r name unit sel4 target aim _ <<< "$row"
		printf ',\n  "%s": {%s, "unit": "%s", "target": %s, "aim": %s, "peer": {%s}}' \
			"$name" "$(json_system tessera "$name" "$unit")" "$unit" "$target" "$aim" \
			"\"name\": \"seL4 16, measured elsewhere\", $(json_peer "$unit" "${sel4/#-/null}")"
	done
	printf '\n}\n'
}

main() {
	options "$@"
	guest_rows=$(grep -cE '^	\{"[a-z0-9_]+", ' bench/guest/rows.c)
	prepare
	measure_instructions
	measure_wall
	measure_sizes
	if ((json)); then print_json; else print_table; fi
	exit $failed
}

main "$@"
