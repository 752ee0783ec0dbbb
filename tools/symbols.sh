#!/bin/sh
# symbols.sh [KERNEL]: prints, as assembly, the table of KERNEL's functions that
# kernel/symbols.c searches. Without KERNEL: an empty table.
#
# The table is part of the kernel it describes, so the kernel is linked twice:
#     tools/symbols.sh >empty.S               && $CC -c empty.S
#     ld -T kernel.ld -o first  $OBJS empty.o
#     tools/symbols.sh first >symbols.S       && $CC -c symbols.S
#     ld -T kernel.ld -o kernel $OBJS symbols.o
# It stands behind all code (kernel.ld), so functions are at the same addresses
# in both links.
set -eu
export LC_ALL=C

{ [ $# -eq 0 ] || nm -n --defined-only "$1"; } | awk '
$2 ~ /^[tT]$/ && $3 !~ /^(text_start|text_end|kernel_start)$/ && !($1 in seen) {
	seen[$1] = 1
	address[count++] = substr($1, 9)
	name[count] = $3
}
END {
	print "\t.section .symbols, \"a\"\n\t.balign 8"
	print "\t.globl symbol_count, symbol_table, symbol_names"
	printf "symbol_count:\n\t.long %d, 0\nsymbol_table:\n", count
	for (i = 0; i < count; i++) {
		printf "\t.long 0x%s, %d\n", address[i], offset
		offset += length(name[i + 1]) + 1
	}
	print "symbol_names:"
	for (i = 1; i <= count; i++)
		printf "\t.asciz \"%s\"\n", name[i]
	print "\t.section .note.GNU-stack, \"\", @progbits"
}'
