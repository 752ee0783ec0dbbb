# case.sh: reads and runs the cases of a test/boot/*.test, for test/run.sh. The
# format is told in test/boot/README.md.
# shellcheck shell=bash disable=SC2034,SC2154

# boot_cases FILE: one line `NAME|CPUS` per case, in order.
boot_cases() {
	awk '
	function put() { if (name != "") print name "|" cpus }
	BEGIN { usual = "1 2" }
	/^[a-z]+:$/ { text = 1; next }
	/^test / { put(); name = substr($0, 6); cpus = usual; text = 0; next }
	!text && /^cpus / { cpus = substr($0, 6); if (name == "") usual = cpus }
	END { put() }' "$1"
}

# Fills the variables of a case: case number INDEX of FILE.
boot_read() {
	local file=$1 index=$2 at=-1 section= line

	arguments=() status=0 budget=$default_budget matches=() logged=() unlogged=()
	input= output= output_given=0
	while IFS= read -r line || [[ -n $line ]]; do
		if [[ $line == 'test '* ]]; then
			at=$((at + 1)) section=
			continue
		fi
		((at == index)) || continue
		case $line in
		stdin: | stdout:) section=${line%:}; [[ $section == stdout ]] && output_given=1; continue ;;
		esac
		case $section in
		stdin) input+=$line$'\n' ;;
		stdout) output+=$line$'\n' ;;
		*) boot_setting "$file" "$line" ;;
		esac
	done < "$file"
	input=$(printf '%s' "$input") output=$(printf '%s' "$output")
	input=${input:+$input$'\n'} output=${output:+$output$'\n'}
}

boot_setting() {
	local file=$1 line=$2 value=${2#* }

	case $line in
	'' | '#'*) ;;
	'run '*) eval "arguments+=($value)" ;;
	'status '*) status=$value ;;
	'budget '*) budget=$value ;;
	'match '*) matches+=("$value") ;;
	'log '*) logged+=("$value") ;;
	'nolog '*) unlogged+=("$value") ;;
	'cpus '*) ;;
	*) echo "$file: not understood: $line" >&2; return 1 ;;
	esac
}

# boot_job FILE NAME SCRATCH INDEX CPUS
boot_job() {
	local file=$1 name=$2 base=$3 index=$4 cpus=$5 got=0 pattern
	local native=$build/test/boot/native linux=$build/test/boot/linux
	local modules=$build/test/boot/modules

	boot_read "$file" "$index"
	printf '%s' "$input" > "$base.in"
	printf '%s' "$output" > "$base.want"
	: > "$base.why"
	./tess run --smp "$cpus" --timeout "$budget" --log --built "${arguments[@]}" \
		< "$base.in" > "$base.got" 2> "$base.log" || got=$?

	((got == status)) || echo "ended with $got, not $status" >> "$base.why"
	if ((output_given)) && ! cmp -s "$base.want" "$base.got"; then
		echo "printed (>) other than expected (<):" >> "$base.why"
		diff --text "$base.want" "$base.got" >> "$base.why" || true
	fi
	for pattern in "${matches[@]}"; do
		grep -aqE -- "$pattern" "$base.got" || echo "did not print: $pattern" >> "$base.why"
	done
	for pattern in "${logged[@]}"; do
		grep -aqE -- "$pattern" "$base.log" || echo "did not log: $pattern" >> "$base.why"
	done
	for pattern in "${unlogged[@]}"; do
		! grep -aqE -- "$pattern" "$base.log" || echo "logged: $pattern" >> "$base.why"
	done
	if [[ -s $base.why ]]; then
		printf 'not ok %s\n' "$name"
		cat "$base.why" "$base.log" > "$base.all"
		((output_given)) || cat "$base.got" >> "$base.all"
		indent "$base.all"
	else
		printf 'ok %s\n' "$name"
	fi
}
