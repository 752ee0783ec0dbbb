#!/bin/sh
# setup.sh SET: sees to it that the host has what Tessera's build needs. A SET
# that is complete costs a few milliseconds and asks nobody anything; what is
# missing is installed from Debian, which takes root or sudo.
#
#   build   compiler, schema compiler, the guest's busybox
#   run     build, and QEMU
#   debug   run, and gdb
#   test    bench and prove, and what host tests, fuzzers and the tests in QEMU need
#   bench   run, and the Linux kernel that we compare with
#   prove   Frama-C and two provers
#
# The guest's busybox and Linux are unpacked under build/deb, not installed.
# Several of these may run at once.
set -eu
cd "$(dirname "$0")/.."
set=${1:?usage: setup.sh build|run|debug|test|bench|prove}
deb=build/deb
busybox=$deb/busybox-static/bin/busybox
linux=$deb/linux/vmlinuz
missing=

# need PACKAGE FILE: the package is there if the file is; a name without a slash
# is a command.
need() {
	case $2 in
	*/*) [ -e "$2" ] || missing="$missing $1" ;;
	*) command -v "$2" > /dev/null || missing="$missing $1" ;;
	esac
}

need_build() {
	need gcc gcc
	need libc6-dev /usr/include/stdio.h
	need binutils ld
	need make make
	need capnproto capnp
}

need_run() {
	need_build
	need qemu-system-x86 qemu-system-x86_64
}

need_bench() {
	need_run
	need cpio cpio
}

need_prove() {
	need frama-c-base frama-c
	need why3 why3
	need cvc4 cvc4
	need z3 z3
}

need_test() {
	need_bench
	need_prove
	need libcmocka-dev /usr/include/cmocka.h
	need musl-tools musl-gcc
	need spin spin
	need clang clang
	need llvm llvm-symbolizer
	need libclang-rt-dev "$(echo /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a)"
}

look() {
	missing=
	case $set in
	build) need_build ;;
	run) need_run ;;
	debug) need_run; need gdb gdb ;;
	test) need_test ;;
	bench) need_bench ;;
	prove) need_build; need_prove ;;
	*) echo "setup.sh: no set named $set" >&2; exit 2 ;;
	esac
}

has_linux() {
	case $set in
	test | bench) [ -e "$linux" ] ;;
	esac
}

is_complete() {
	look
	[ -z "$missing" ] && [ -e "$busybox" ] && has_linux
}

# As root: directly, or by sudo, or not at all.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo > /dev/null; then
		sudo "$@"
	else
		echo "tessera: these packages are missing, and installing them takes root:" >&2
		echo "    apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"
}

install_missing() {
	echo "tessera: installing$missing" >&2
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
		install --no-install-recommends $missing >&2
}

update() {
	echo "tessera: fetching the package lists" >&2
	as_root apt-get -q -o DPkg::Lock::Timeout=600 update >&2
}

# unpack PACKAGE NAME: its files, under build/deb/NAME, all or nothing.
unpack() {
	echo "tessera: fetching $1" >&2
	rm -rf "$deb/new"
	mkdir -p "$deb/new/files"
	(cd "$deb/new" && apt -o APT::Sandbox::User=root download "$1" >&2) || return 1
	dpkg-deb -x "$deb/new"/*.deb "$deb/new/files" || return 1
	rm -rf "${deb:?}/$2"
	mv "$deb/new/files" "$deb/$2"
	rm -rf "$deb/new"
}

# The kernel package that Debian's cloud images install.
unpack_linux() {
	package=$(apt-cache depends linux-image-cloud-amd64 2> /dev/null |
		sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] && unpack "$package" linux.tree || return 1
	mkdir -p "$deb/linux"
	ln -f "$deb"/linux.tree/boot/vmlinuz-* "$linux"
}

try() {
	look
	[ -z "$missing" ] || install_missing || return 1
	[ -e "$busybox" ] || unpack busybox-static busybox-static || return 1
	has_linux || unpack_linux
}

is_complete && exit 0
command -v apt-get > /dev/null || {
	echo "tessera: missing:$missing; this script knows Debian only" >&2
	exit 1
}
mkdir -p "$deb"
exec 9> "$deb/lock"
flock 9
is_complete && exit 0
try || { update && try; } || true
is_complete && exit 0
look
echo "tessera: could not get${missing:- what is to be unpacked under $deb}" >&2
exit 1
