#!/bin/bash
# linux_test.sh [NAME]...: libOS linux against Linux. Each test/boot/linux/abi_*.c
# prints a line per check; Debian's Linux, with the same busybox on the same
# machine, says what the lines are to be, and how the program is to end. A line
# that differs is a failure. All programs of one C library run in one boot, on one
# and on two processors; those of both run in one boot of Linux, meanwhile. With
# names (such as signals), only these; `known` is run only so: what is known to
# differ.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=${BUILD:-$PWD/build}
programs=$build/test/boot/linux
readonly seconds_each=90 seconds_all=300
# With page tables of four levels, as ours, and without what only makes it slow.
readonly linux_options="console=ttyS0 quiet no5lvl mitigations=off init_on_alloc=0 \
lsm=capability panic=-1 rdinit=/bin/busybox -- sh /linux.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
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

# What runs on both sides, with the programs' names: each in a directory of its
# own, from /abi.
cat > "$scratch/all.sh" <<'END'
export LC_ALL=C
for name; do
	mkdir "/tmp/$name"
	cd "/tmp/$name"
	echo "== $name"
	timeout SECONDS "/abi/$name" < /dev/null
	echo "== $name: status $?"
done
END
sed -i "s/SECONDS/$seconds_each/" "$scratch/all.sh"

# PID 1 of Linux, with the environment of sys/linux.capnp. Its root is a tmpfs
# already. The kernel's own words go to the first serial line, ours to the second.
cat > "$scratch/linux.sh" <<'END'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux
mount -t proc proc /proc
mount -t devtmpfs dev /dev
exec < /dev/ttyS1 > /dev/ttyS1 2>&1
stty raw -echo
END

# split FILE DIRECTORY: one file per program.
split() {
	mkdir -p "$2"
	awk -v to="$2" '/^== / && NF == 2 { name = $2 } name { print > (to "/" name) }' "$1"
}

# linux NAME...: these programs there; the machine is that of `tess run`.
linux() {
	local name
	local -a adds=()

	for name; do
		adds+=(-a "$programs/$name" "/abi/$name")
	done
	echo "sh /all.sh $*; poweroff -f" >> "$scratch/linux.sh"
	"$build/host/mkinitrd" "$scratch/added.cpio" "${adds[@]}" \
		-a "$scratch/all.sh" /all.sh -a "$scratch/linux.sh" /linux.sh
	cat "$build/initrd.cpio" "$scratch/added.cpio" > "$scratch/linux.cpio"
	exec timeout --kill-after=2 $((2 * seconds_all)) qemu-system-x86_64 \
		-machine q35 -accel tcg -cpu max -smp 1 -m 512M \
		-bios qboot.rom -display none -no-reboot -nodefaults \
		-kernel build/deb/linux/vmlinuz -initrd "$scratch/linux.cpio" -append "$linux_options" \
		-chardev "file,id=log,path=$scratch/linux.log" -serial chardev:log \
		-chardev "file,id=console,path=$scratch/linux.out" -serial chardev:console \
		< /dev/null
}

# linux_ran: waits, and sees to it that there is something to compare with.
linux_ran() {
	local status=0 ended

	wait $reference || status=$?
	reference=
	ended=$(grep -c '^== .*: status' "$scratch/linux.out" || true)
	if ((status != 0 || ended != ${#natively[@]})); then
		printf 'Linux: status %d, %d programs of %d ended; the end of its log and output:\n' \
			$status "$ended" ${#natively[@]}
		tail -n 10 "$scratch/linux.log" "$scratch/linux.out" || true
		exit 1
	fi
	split "$scratch/linux.out" "$scratch/linux"
}

# guest SUFFIX CPUS: all programs there; it says what the machine did wrong.
guest() {
	local suffix=$1 base=$scratch/$1.$2 status=0 name
	local -a adds=() all=()

	for name in "${areas[@]}"; do
		all+=("abi_$name$suffix")
		adds+=(--add "$programs/abi_$name$suffix:/abi/")
	done
	./tess run --built --smp "$2" --timeout $seconds_all --log --add "$scratch/all.sh:/all.sh" \
		"${adds[@]}" --exec "sh /all.sh ${all[*]}" \
		< /dev/null > "$base.out" 2> "$base.log" || status=$?
	split "$base.out" "$base"
	((status == 0)) && ! grep -q 'process .* ended' "$base.log" && return
	printf 'the machine: status %d\n' $status
	tail -n 20 "$base.log"
	failures=$((failures + 1))
}

# compare SUFFIX CPUS: what came out there against Linux.
compare() {
	local base=$scratch/$1.$2 area name

	for area in "${areas[@]}"; do
		name=abi_$area$1
		touch "$base/$name"
		diff --text -U 2 --label "Linux: $name" --label "Tessera, $2 CPUs: $name" \
			"$scratch/linux/$name" "$base/$name" || failures=$((failures + 1))
	done
}

# each FUNCTION: with every C library and number of processors.
each() {
	local suffix cpus

	for suffix in '' _musl; do
		for cpus in 1 2; do
			"$1" "$suffix" $cpus
		done
	done
}

mapfile -t areas < <(names "$@")
natively=()
for name in "${areas[@]}"; do
	natively+=("abi_$name" "abi_${name}_musl")
done
linux "${natively[@]}" &
reference=$!
trap '[[ -z $reference ]] || kill $reference || true; wait; rm -rf "$scratch"' EXIT
each guest
linux_ran
each compare
printf '%d programs, %d lines each time, %d differ\n' "${#natively[@]}" \
	"$(grep -vc '^==' "$scratch/linux.out")" $failures
((failures == 0))
