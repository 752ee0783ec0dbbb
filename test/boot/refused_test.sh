#!/bin/bash
# refused_test.sh: what the boot loader hands over, damaged. The IIS must say in
# one line what is wrong and turn the machine off with status 1; damage that does
# not matter may boot; nothing may panic or hang. The machine is handover.capnp
# with its module; host fuzzing does the same to each reader by the million.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=${BUILD:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

module=$build/test/boot/modules/handover.mod
manifest=$scratch/manifest
initrd=$scratch/initrd
bundle=$scratch/bundle
capnp eval -I. test/boot/handover.capnp system --output=flat > "$manifest"
"$build/host/mkinitrd" "$initrd" -a "$module" /boot/linux.mod

make_bundle() {
	"$build/host/mkbundle" --unchecked "$bundle" "$build/iis/iis.elf" "$@"
}

# boot: the guest's words in $said, its status in $status.
boot() {
	status=0
	said=$(./tess run --built --log --bundle "$bundle" --timeout 20 2> "$scratch/log") ||
		status=$?
}

complain() {
	printf '%s: status %s, said: %s\n' "$1" "$status" "$said"
	tail -n 3 "$scratch/log"
	failures=$((failures + 1))
}

# refused WHAT LINE: the bundle is, with just this line.
refused() {
	boot
	[[ $status == 1 && $said == "iis: $2" ]] || complain "$1"
}

# contained WHAT: it is refused, or boots, or its module is ended.
contained() {
	boot
	case "$status $said" in
	"1 iis: "* | "0 handover: ok") return ;;
	"255 ") grep -q '^tessera: process 1 (probe) ended: ' "$scratch/log" && return ;;
	esac
	complain "$1"
}

# invert FILE OFFSET COUNT: each bit of these bytes.
invert() {
	local byte at
	for ((at = $2; at < $2 + $3; at++)); do
		byte=$(od -An -tu1 -j "$at" -N 1 "$1")
		# shellcheck disable=SC2059
		printf "\\x$(printf %02x $((byte ^ 255)))" |
			dd of="$1" bs=1 seek="$at" conv=notrunc status=none
	done
}

# with_manifest SED-EXPRESSION: the good manifest, altered before it is compiled.
with_manifest() {
	sed "$1" test/boot/handover.capnp > "$scratch/altered.capnp"
	capnp eval -I. "$scratch/altered.capnp" system --output=flat > "$scratch/altered"
	make_bundle manifest="$scratch/altered" initrd="$initrd"
}

# with_module: $scratch/module instead of the good one.
with_module() {
	"$build/host/mkinitrd" "$scratch/altered" -a "$scratch/module" /boot/linux.mod
	make_bundle manifest="$manifest" initrd="$scratch/altered"
}

make_bundle manifest="$manifest" initrd="$initrd"
boot
[[ $status == 0 && $said == "handover: ok" ]] || complain "the good bundle"

# -- the manifest

with_manifest 's/id = "probe"/id = "Probe"/'
refused "an id" "manifest: libos.id: not 1 to 31 characters of a-z, 0-9 and -"
with_manifest 's/source = "libos"/source = "disk"/'
refused "a source" "manifest: libos.grants[2].source: the initial init system holds nothing by that name"
with_manifest 's/arguments = \["none"\]/arguments = []/'
refused "arguments" "manifest: program.arguments: missing"
with_manifest 's|"/boot/linux.mod"|"/boot/other.mod"|'
refused "a module that is not there" "/boot/other.mod: not a file in the initrd"
with_manifest 's/id = "probe"/id = "probe", memoryPages = 0xffffffffff/'
refused "too much memory" "probe: the libOS was not loaded: out of memory"
: > "$scratch/altered"
make_bundle manifest="$scratch/altered" initrd="$initrd"
refused "no manifest at all" "manifest: name: missing"
head -c 64 /dev/urandom > "$scratch/altered"
printf '\377\377\377\377' | dd of="$scratch/altered" conv=notrunc status=none
make_bundle manifest="$scratch/altered" initrd="$initrd"
refused "noise for a manifest" "manifest: message: not a well-formed Cap'n Proto message"

# -- the module: every eight bytes of its headers inverted, and cut short

cp "$module" "$scratch/module"
size=$(stat -c %s "$module")
headers=$((64 + 56 * $(od -An -tu2 -j 56 -N 2 "$module")))
for ((at = 0; at < headers; at += 8)); do
	invert "$scratch/module" "$at" 8
	with_module
	contained "module, bytes $at to $((at + 7))"
	invert "$scratch/module" "$at" 8
done
for cut in 1 63 64 4096 $((size / 2)); do
	head -c "$cut" "$module" > "$scratch/module"
	with_module
	refused "a module of $cut bytes" "probe: the libOS was not loaded: $(
		((cut < 4096)) && echo "invalid argument" || echo malformed)"
done

# -- the archive

for cut in 1 109 4096; do
	head -c "$cut" "$initrd" > "$scratch/altered"
	make_bundle manifest="$manifest" initrd="$scratch/altered"
	boot
	[[ $status == 1 && $said == "iis: initrd: "* ]] || complain "an initrd of $cut bytes"
done
for ((at = 0; at < 120; at += 8)); do
	cp "$initrd" "$scratch/altered"
	invert "$scratch/altered" "$at" 8
	make_bundle manifest="$manifest" initrd="$scratch/altered"
	contained "initrd, bytes $at to $((at + 7))"
done

# -- the bundle

make_bundle manifest="$manifest"
refused "no initrd" "initrd: not in the bundle"
make_bundle initrd="$initrd"
refused "no manifest" "manifest: not in the bundle"
make_bundle manifest="$manifest" initrd="$initrd" initrd="$initrd"
refused "two of one name" "bundle: two blobs of one name"
make_bundle manifest="$manifest" initrd="$initrd"
cp "$bundle" "$scratch/good"
size=$(stat -c %s "$bundle")
directory=$(od -An -tu8 -j $((size - 16)) -N 8 "$bundle")
for ((at = directory; at < size; at += 8)); do
	cp "$scratch/good" "$bundle"
	invert "$bundle" "$at" 8
	contained "directory and trailer, bytes $((at - directory)) on"
done
for cut in $((size - 1)) $((size - 16)) $((size / 2)); do
	head -c "$cut" "$scratch/good" > "$bundle"
	refused "a bundle cut to $cut" "bundle: no bundle: magic number missing at the end"
done

((failures == 0)) || exit 1
