#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The work of action.yml, from environment variables named as its inputs. Writes annotations to standard output, a comment to
# $GITHUB_STEP_SUMMARY, a SARIF file, and verdict, read-old, read-new, required-bump and sarif to $GITHUB_OUTPUT. The exit status is
# that of `devstate compat`: 0 pass, 1 fail, 2 wrong usage, 3 evidence is missing; a failed lint makes a pass a fail.
set -u -o pipefail

arguments=("$NEW" --direction "$DIRECTION" --fail-on "$FAIL_ON")
while IFS= read -r word; do
	[ -z "$word" ] || arguments+=(--against "$word")
done <<< "$AGAINST"
[ -z "$WINDOW" ] || arguments+=(--window "$WINDOW")
config=()
[ -z "$CONFIG" ] || config=(--config "$CONFIG")

devstate compat "${arguments[@]}" ${config[@]+"${config[@]}"} --format github
status=$?
[ "$status" -ne 2 ] && [ "$status" -lt 4 ] || exit "$status"

report=$(mktemp)
devstate compat "${arguments[@]}" ${config[@]+"${config[@]}"} --json -o "$report"
devstate compat "${arguments[@]}" ${config[@]+"${config[@]}"} --format sarif -o "$SARIF"
devstate compat "${arguments[@]}" ${config[@]+"${config[@]}"} --format markdown >> "${GITHUB_STEP_SUMMARY:-/dev/null}"

if [ "$LINT" = true ]; then
	devstate lint "$NEW" ${config[@]+"${config[@]}"} --fail-on "$FAIL_ON" --format github
	lint=$?
	[ "$status" -ne 0 ] || status=$lint
fi

python - "$report" "$status" "$SARIF" >> "${GITHUB_OUTPUT:-/dev/stdout}" << 'EOF'
import json
import sys

path, status, sarif = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    report = json.load(file)
bump = report["bump"]
print("verdict=" + {"0": "pass", "1": "fail"}.get(status, "incomplete"))
print("read-old=" + (report["read_old"] or "unknown"))
print("read-new=" + (report["read_new"] or "unknown"))
print("required-bump=" + ("none" if not bump["needed"] else "present" if bump["present"] else "needed"))
print("sarif=" + sarif)
EOF
rm -f "$report"
exit "$status"
