#!/bin/sh
# Takes commands on standard input, one a line: NUMBER SECONDS COMMAND-IN-BASE64, and
# answers each with "@reply NUMBER EXIT-CODE LENGTH" and LENGTH bytes of output.
dir=${TMPDIR:-/tmp}
echo @ready
while read -r number seconds command; do
	echo "$command" | base64 -d >"$dir/command"
	timeout -s KILL "$seconds" sh "$dir/command" </dev/null >"$dir/output" 2>&1
	code=$?
	echo "@reply $number $code $(wc -c <"$dir/output")"
	cat "$dir/output"
done
