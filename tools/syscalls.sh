#!/bin/sh
# syscalls.sh < os/linux/syscalls.def: the list of Linux system calls for readers,
# as a Markdown page on standard output.
set -eu
cat <<'END'
# Linux system calls

Which of Linux's system calls on x86-64 libOS `linux` has. Made from `os/linux/syscalls.def`, the table
that dispatches them; what is missing answers ENOSYS.

END
sed -n 's/^\([A-Z]*\)(\([0-9]*\), *\([a-z0-9_]*\).*/\1 \2 \3/p' | awk '
	$1 == "MISSING" { missing = missing (missing ? ", " : "") $3; lost++; next }
	{ there = there (there ? ", " : "") $3; have++ }
	END {
		printf "**There (%d):** %s\n\n**Missing (%d):** %s\n", have, there, lost, missing
	}' | fold -s -w 108 | sed 's/ *$//'
