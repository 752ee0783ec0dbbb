#!/bin/bash
# trace_test.sh: the trace, from the exokernel's port to the replay. A run is
# recorded; stock `capnp` decodes every message of it; `./tess trace` says who called
# what; the program does the same again against its recorded answers. A recording
# that was changed is told from a good one; damage of any kind is refused in words.
# The tools are the ones with sanitizers: what these find ends with 99.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=${BUILD:-$PWD/build}
program=$build/test/boot/native/traced
show=$build/test/tools/trace/show
replay=$build/test/tools/trace/replay
readonly damages=60
export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99:print_stacktrace=1 LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

complain() {
	printf '%s\n' "$*"
	failures=$((failures + 1))
}

# record FILE ARGUMENT...: what the guest says goes to $scratch/said.
record() {
	local file=$1
	shift
	./tess run --built --timeout 60 --log --trace "$file" "$@" \
		< /dev/null > "$scratch/said" 2> "$scratch/log" && return
	complain "recording with $*: ended with $?"
	cat "$scratch/said" "$scratch/log"
}

# decode FILE: by stock capnp, into $scratch/decoded.
decode() {
	capnp decode abi/trace.capnp TraceEvent < "$1" > "$scratch/decoded" ||
		complain "capnp decode refuses the recording"
}

# has WHAT REGEX: the decoded or shown text does.
has() {
	grep -qzE -- "$2" "$scratch/$1" || complain "$1: nothing like: $2"
}

# replayed WHAT STATUS REGEX FILE [PROGRAM] [OPTION]...
replayed() {
	local what=$1 wanted=$2 pattern=$3 file=$4 status=0
	shift 4
	timeout 60 "$replay" "${@:2}" "$file" "${1:-$program}" > "$scratch/out" 2>&1 || status=$?
	((status == wanted)) && grep -qE -- "$pattern" "$scratch/out" && return
	complain "$what: ended with $status, not $wanted, or not like: $pattern"
	cat "$scratch/out"
}

# invert FILE OFFSET: the bits of one byte.
invert() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((byte ^ 255)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# changed STRING OFFSET: the recording, a byte inverted so far into that string.
changed() {
	local at
	at=$(grep -abo -m 1 -F -- "$1" "$scratch/good" | head -n 1 | cut -d: -f1 || true)
	[[ -n $at ]] || { complain "the recording does not hold $1"; return; }
	cp "$scratch/good" "$scratch/changed"
	invert "$scratch/changed" $((at + $2))
}

# -- recorded and decoded

# Instructions are counted: however busy this machine is, the guest's time is its own.
record "$scratch/good" --icount --iis "$program"
decode "$scratch/good"
has decoded 'completion = \(\s+entry = \(\s+number = 0,\s+ring = program,\s+op = call,\s+method = 0,'
has decoded 'type = "memory pool",'
has decoded 'status = ok,.*results = "\\000[^"]+",\s+caps = \[[0-9]+\],\s+duration = [1-9][0-9]+ '
has decoded 'accepted = \(.*later = true,\s+status = timeout,'
has decoded 'op = release,'
has decoded 'op = \(?77\)?,.*status = invalid,'
has decoded 'status = noCap,'
has decoded 'params = "[^"]*traced: ok'
has decoded 'start = \(.*image = \('
has decoded 'end = \(\s*code = 0,\s+reason = 0,'
has decoded 'woken = timeout'

"$show" --all "$scratch/good" > "$scratch/shown" || complain "the recording is not shown"
events=$(grep -c '^( sequence = ' "$scratch/decoded")
((events > 40)) || complain "only $events events"
((events == $(wc -l < "$scratch/shown"))) || complain "capnp and we count differently"
has shown 'NONE pid 1 thread 1  MemoryPool.allocate\(pages = 4\) on cap [0-9a-f]+ -> ok \(object = cap [0-9a-f]+\)  [0-9.]+ us'
has shown 'Timer.sleep, asked in #[0-9]+ -> ok  [0-9.]+ [um]s'
has shown 'Timer.now\(\) on cap dead -> no such capability'
has shown 'exits, code 0'
slept=$(sed -n 's/.*Timer.sleep, asked in.*-> ok  \([0-9]*\)[.0-9]* us.*/\1/p' "$scratch/shown")
((${slept:-0} >= 400 && slept <= 1100)) || complain "a sleep of a millisecond took ${slept:-no} us"

# Linux under its libOS, and two processors
record "$scratch/linux" --smp 2 --exec 'ls / | head -n 1'
decode "$scratch/linux"
has decoded 'libos = "linux",.*ring = module,'
"$show" "$scratch/linux" > "$scratch/shown" || complain "the boot of Linux is not shown"
has shown 'Libos.become\(argument = 0.*\) on cap [0-9a-f]+ -> not yet'
has shown 'Console.write\(data = "bin'
has shown 'Power.off\(status = 0\)'

# What stands at the port is none of ours: nothing is written there.
./tess run --built --timeout 60 --iis "$program" --qemu "-chardev file,id=t,path=$scratch/other
	-device isa-debugcon,chardev=t,iobase=0x4e9,readback=0x55" < /dev/null > "$scratch/said"
[[ ! -s $scratch/other ]] || complain "the exokernel writes to a port that is not its own"

# -- replayed

replayed "the good recording" 0 '^replayed [1-9][0-9] calls, identical; then it exits, code 0$' \
	"$scratch/good"
if grep -q 'does not let one process trace another' "$scratch/out"; then
	echo "no ptrace here: not replayed"
	exit $((failures == 0 ? 0 : 1))
fi
record "$scratch/two" --smp 2 --iis "$program"
replayed "recorded on two processors" 0 'identical; then it exits, code 0$' "$scratch/two"
./tess trace --replay "$scratch/two" "$program" > "$scratch/out" ||
	complain "./tess trace --replay ended with $?"
record "$scratch/objects" --iis "$build/test/boot/native/memory_space"
replayed "address spaces" 0 'calls, identical; then it turns the machine off, status 0$' \
	"$scratch/objects" "$build/test/boot/native/memory_space"
record "$scratch/ipc" --iis "$build/test/boot/native/ipc"
replayed "endpoints" 0 'calls, identical; then it turns the machine off, status 0$' \
	"$scratch/ipc" "$build/test/boot/native/ipc"

# The IIS reads the bundle: the recording does not have it, --object does.
printf 'no program\n' > "$scratch/file"
: > "$scratch/nothing"
"$build/host/mkbundle" --unchecked "$scratch/bundle" "$build/iis/iis.elf" \
	"manifest=$build/manifest-linux.bin"
./tess run --built --timeout 60 --trace "$scratch/iis" --bundle "$scratch/bundle" \
	< /dev/null > "$scratch/said" && complain "the IIS does without an initrd"
replayed "the IIS" 0 'identical; then it turns the machine off, status 1$' \
	"$scratch/iis" "$build/iis/iis.elf" --object "bundle=$scratch/bundle"
replayed "the IIS without the bundle" 2 'maps memory whose content the recording does not have' \
	"$scratch/iis" "$build/iis/iis.elf"
replayed "the IIS with another bundle" 1 'then a difference' \
	"$scratch/iis" "$build/iis/iis.elf" --object "bundle=$build/bundle-linux.img"
replayed "the IIS with a short bundle" 2 'from page 0 of memory that has 1' \
	"$scratch/iis" "$build/iis/iis.elf" --object "bundle=$scratch/file"

# -- told from a changed one

changed 'traced: ok' 9
replayed "another param" 1 'the program asks for something else' "$scratch/changed"
grep -q 'recorded: .*Console.write(data = "traced: o\\x94\\n")' "$scratch/out" &&
	grep -q 'replayed: Console.write(data = "traced: ok\\n")' "$scratch/out" ||
	complain "both sides of a difference are not shown: $(cat "$scratch/out")"
changed $'\xfe\xca\x0d\x60' 0
replayed "another result" 1 'replayed: Console.write\(data = "traced:[0-9]+: data.size' \
	"$scratch/changed"
replayed "another program" 2 'this is not the program that was recorded' "$scratch/good" \
	"$build/test/boot/native/ipc"
replayed "no program" 2 'no program' "$scratch/good" "$scratch/file"
record "$scratch/copies" --iis "$build/test/boot/native/hello_service"
replayed "who makes copies of itself" 0 'identical; then it turns the machine off, status 0$' \
	"$scratch/copies" "$build/test/boot/native/hello_service"
replayed "a copy" 2 'it was not started at its beginning' \
	"$scratch/copies" "$build/test/boot/native/hello_service" --pid 2
replayed "no such process" 2 'no native program with PID 7' "$scratch/good" "$program" --pid 7
replayed "no such object" 2 'no memory object of that name' "$scratch/good" "$program" \
	--object "x=$scratch/file"

# -- damaged

size=$(stat -c %s "$scratch/good")
for cut in 1 7 8 100 $((size / 2)) $((size - 1)); do
	head -c "$cut" "$scratch/good" > "$scratch/changed"
	replayed "cut to $cut bytes" 2 'the recording is cut short' "$scratch/changed"
done
# Where each message begins.
mapfile -t starts < <(od -An -v -tu4 -w8 "$scratch/good" |
	awk 'left == 0 { print (NR - 1) * 8; left = $2; next } { left-- }')
head -c "${starts[-2]}" "$scratch/good" > "$scratch/changed" # the last ones: cap_enter, end
replayed "without its end" 2 'the recording ends here; the program goes on' "$scratch/changed"
{ head -c "${starts[5]}" "$scratch/good"; tail -c +$((starts[6] + 1)) "$scratch/good"; } \
	> "$scratch/changed"
replayed "without an event" 2 'event 5, byte [0-9]+: an event is missing' "$scratch/changed"
replayed "nothing" 2 'no native program with PID 1' "$scratch/nothing"
replayed "text" 2 'this is no recording' "$program"
replayed "no file" 2 'No such file' "$scratch/missing"

RANDOM=${SEED:=$$}
for ((i = 0; i < damages; i++)); do
	cp "$scratch/good" "$scratch/changed"
	for ((j = 0; j < 1 + i % 3; j++)); do
		invert "$scratch/changed" $(((RANDOM << 15 | RANDOM) % size))
	done
	status=0
	timeout 30 "$replay" "$scratch/changed" "$program" > "$scratch/out" 2>&1 || status=$?
	((status <= 2)) && [[ -s $scratch/out ]] || {
		complain "damage $i of seed $SEED: the replay ended with $status"
		tail -n 20 "$scratch/out"
	}
	status=0
	"$show" --all "$scratch/changed" > /dev/null 2> "$scratch/out" || status=$?
	((status <= 1)) || complain "damage $i of seed $SEED: showing it ended with $status"
done

((failures == 0)) || exit 1
