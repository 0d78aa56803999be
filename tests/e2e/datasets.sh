#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The sample is what its script makes and what the manifest says; weir import
# gives back what it was given, plain and gzipped, and says what is wrong.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "datasets: $*" >&2; exit 1; }

python3 datasets/make_sample.py --check
python3 - <<'PY' || fail "manifest.json does not fit sample.jsonl"
import hashlib, json, pathlib, sys
here = pathlib.Path("datasets")
sample = [d for d in json.loads((here / "manifest.json").read_text())["datasets"]
          if d["committed"]]
ok = len(sample) == 1
for d in sample:
    data = (here / d["file"]).read_bytes()
    ok = ok and hashlib.sha256(data).hexdigest() == d["sha256"]
    ok = ok and data.count(b"\n") == d["rows"]
    ok = ok and data.count(b'{"id":"synthetic/') == d["rows"]
sys.exit(not ok)
PY

./weir import --from weir-log datasets/sample.jsonl --out "$work/a.jsonl.gz" >/dev/null
gunzip -c "$work/a.jsonl.gz" | ./weir import --from weir-log - --out "$work/b.jsonl" >/dev/null
gunzip -c "$work/a.jsonl.gz" | cmp - "$work/b.jsonl" || fail "a round trip changed the rows"
python3 - "$work/b.jsonl" <<'PY' || fail "the rows are not those of the sample"
import json, sys
def rows(path):
    out = []
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        row["time"] = row["time"].replace(".000Z", "Z")
        out.append(row)
    return out
sys.exit(rows(sys.argv[1]) != rows("datasets/sample.jsonl"))
PY

[ "$(./weir import --from weir-log datasets/sample.jsonl --out - 2>/dev/null | wc -l)" -eq 328 ]
[ "$(./weir export datasets/sample.jsonl --since 2026-04-01 --out - 2>/dev/null | wc -l)" -lt 328 ]
status=0; ./weir import --from nonsense x --out y 2>"$work/err" || status=$?
[ $status -eq 2 ] || fail "a wrong format is a mistake of usage"
grep -q "wanted one of routellm-csv" "$work/err"
status=0; ./weir import --from weir-log "$work/none" --out "$work/y" 2>"$work/err" || status=$?
[ $status -eq 1 ] || fail "a missing file is a failure"
[ ! -e "$work/y" ] || fail "a failed import left a file"
echo ok
