#!/bin/bash
# chaos.sh: `./tess test --chaos`: as many steps of the chaos test as one wants
# (test/boot/native/chaos.c), with a seed of one's own. Prints what the guest prints:
# the seed first, how often each operation was accepted, and what is wrong.
#
# With --icount the machine has one processor and a clock that counts instructions:
# a seed then does the same every time, to the instruction. Nothing is typed, as that
# would come at another moment each time.
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=${BUILD:-$root/build}
cd "$root"

steps= seed=$RANDOM$RANDOM smp=2 options=()
while (($#)); do
	case $1 in
	--chaos) steps=${2-}; shift $(($# > 1)) ;;
	--seed) seed=${2-}; shift $(($# > 1)) ;;
	--smp) smp=${2-}; shift $(($# > 1)) ;;
	--icount) smp=1 options+=(--icount) ;;
	*) echo "chaos.sh: $1: no such option" >&2; exit 2 ;;
	esac
	shift
done
[[ $steps =~ ^[0-9]+$ && $seed =~ ^[0-9]+$ && $smp =~ ^[1-9][0-9]*$ ]] || {
	echo "chaos.sh: --chaos, --seed and --smp need a number each" >&2
	exit 2
}

scratch=$build/test/chaos.$$
mkdir -p "$scratch"
mkfifo "$scratch/silence"
exec {silence}<> "$scratch/silence"
trap 'rm -rf "$scratch"' EXIT
printf '%s %s\n' "$seed" "$steps" > "$scratch/chaos"
./tess run --built --smp "$smp" --timeout $((60 + steps / 200)) "${options[@]}" \
	--iis "$build/test/boot/native/chaos" --add "$scratch/chaos:/chaos" \
	--add "$build/test/boot/modules/chaos.mod:/chaos.mod" <&"$silence"
