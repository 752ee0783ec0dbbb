#!/bin/sh
# refresh.sh NEW OLD: makes OLD hold what NEW holds. Files that are the same
# stay untouched, with their times; those that NEW lacks go; NEW goes last.
set -eu
new=$1 old=$2

find "$new" -type f -printf '%P\n' | while read -r file; do
	cmp -s "$new/$file" "$old/$file" && continue
	mkdir -p "$(dirname "$old/$file")"
	mv "$new/$file" "$old/$file"
	: > "$new/$file"
done
find "$old" -type f ! -name '.*' -printf '%P\n' | while read -r file; do
	[ -e "$new/$file" ] || rm "$old/$file"
done
rm -rf "$new"
