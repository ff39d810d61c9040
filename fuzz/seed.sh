#!/usr/bin/env bash
# Creates the seeds in fuzz/corpus from the fixtures. Inputs named `found-*` were found by fuzzing: they are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
fixtures=ooni-core/tests/fixtures/measurements
lists=ooni-archive/data/fingerprints
corpus=fuzz/corpus
mkdir -p "$corpus"/{measurement,fingerprints,json,yaml,cans}
find "$corpus" -type f ! -name 'found-*' -delete

# --- measurement: rules, id, bytes ---
# Every fixture up to 9 kB, and the smallest of each test; fixed and compat rules, dated and undated ids in turn.
declare -A seen=()
turn=0
heads=(fd cu fu cd)
while read -r size path; do
    name=$(basename "$path" .json)
    test_name=${name%%--*}
    [[ -n ${seen[$test_name]:-} && $size -gt 9000 ]] && continue
    seen[$test_name]=1
    { printf '%s' "${heads[turn++ % 4]}"; cat "$path"; } > "$corpus/measurement/$name"
done < <(find "$fixtures" -name '*.json' -printf '%s %p\n' | LC_ALL=C sort -n -k1,1 -k2,2)
envelope() { printf '%s{"format":%s,"content":%s}' "$2" "$3" "$4" > "$corpus/measurement/$1"; }
envelope envelope fd '"json"' "$(cat "$fixtures/ndt--spec--ts-022-ndt-4.json")"
envelope envelope-yaml fd '"yaml"' '"a: 1"'
envelope envelope-of-nothing cu null '{}'

# --- fingerprints: form, DNS list %% HTTP list %% text ---
fingerprints() { printf '%s%s\n%%%%\n%s\n%%%%\n%s' "$2" "$3" "$4" "$5" > "$corpus/fingerprints/$1"; }
head='name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries'
dns=$(printf '%s\n%s' "$head" 'd,nat,,dns,full,10.10.34.35,10,"IR, it,ZZ"')
body() { printf '%s' "$head"; printf '\nf,isp,,%s,%s,%s,5,IR' "$@"; }
fingerprints published c "$(head -n 4 $lists/fingerprints_dns.csv)" "$(head -n 12 $lists/fingerprints_http.csv)" \
    '<html>Protected by WireFilter http://www.bluecoat.com/notify-NotifyUser1'
fingerprints published-regexp c "$(head -n 1 $lists/fingerprints_dns.csv)" \
    "$(head -n 1 $lists/fingerprints_http.csv; grep ',body,regexp,' $lists/fingerprints_http.csv | head -n 6)" 'a U.L b'
fingerprints literals c "$dns" "$(body body contains abab body full ab body prefix '</p>' body contains '')" 'ab</p>abab'
fingerprints expressions c "$dns" \
    "$(body body regexp 'a.*b' body regexp 'a.b' body regexp '[ab]+c' body regexp '(ab|ba)c' body regexp '^a$')" \
    $'xxaab\nabc'
fingerprints escapes c "$dns" "$(body body contains '/a' body regexp 'é.*�' body contains '<')" 'x\/a \u00e9 \ud83d \u003c'
fingerprints headers c "$dns" \
    "$(body header.server prefix ab header.server contains b header.Server full ab header.via full ab)" 'ab'
fingerprints address c "$dns" "$head" '10.10.34.35'
fingerprints json j '[]' '[{"name":"f","scope":"nat","location_found":"body","pattern_type":"contains","pattern":"ab",
"confidence_no_fp":5,"expected_countries":["it"," de"]},{"name":"g","scope":"fp","location_found":"body",
"pattern_type":"regexp","pattern":"a.*b","confidence_no_fp":5,"expected_countries":"it, de"}]' 'xab'
fingerprints broken c 'name,scope' "$head" ''
fingerprints broken-json j '[' '[]' ''

# --- json: the text ---
number=0
while IFS= read -r line; do
    printf '%s' "$line" > "$corpus/json/text-$((++number))"
done <<'TEXTS'
{"a":1,"b":[true,false,null],"a":{"":"x"}}
[0,-0,-,007,18446744073709551615,18446744073709551616,-9223372036854775809,123456789012345678901234567890]
[1.5,1.,-.5,1e5,1E-7,-0.0,1e400,4.9e-324,2.2250738585072011e-308,9007199254740993.0,NaN,Infinity,-Infinity]
["\"\\\/\b\f\n\r\t","\u00e9\ud83d\ude00","\ud83d","\ude00\ud83d","é禁😀"]
{"$int":"5"}
[{"$float":"NaN"},{"$text":"\\ud800"},{"$object":[]},{"$object":1,"b":2}]
[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]
  {"k" : [ ] , "l" : { } }  
{"a":1,}
"0123456789012345678901234567890123456789012345678901234567890123456789\n0123456789"
tru
TEXTS
for name in dash--spec--ts-021-dash-4 signal--fastpath--signal_022 web_connectivity--fastpath--bug_352; do
    head -c 4000 "$fixtures/$name.json" > "$corpus/json/$name"
done

# --- yaml: the stream ---
cp ooni-core/tests/fixtures/yaml/*.yaml "$corpus/yaml/"
yaml() { printf -- '---\n%b\n...\n---\n%b\n...\n' "$2" "$3" > "$corpus/yaml/$1"; }
yaml scalars 'test_name: ndt' '[0x1F, 010, 1:30, 1_0, .5, 1.5e+3, -.inf, .nan, ~, yes, 2014-02-20, 2014-02-20 01:02:03.5 +1:30, !!binary aGk=, <<]'
yaml foreign 'start_time: 1392854400.5' '{d: 2014-02-20, b: !!binary aGk=, s: !!set {x, 1}, 5: y, ~: {yes: 1}}'
yaml blocks '{}' 'a: |2-\n   x\n  y\n\nb: >+\n  x\n  y\n\nc:\n- ? k\n  : v\n- "\\x41\\ud83d\\\n  z"\n- '"'it''s'"
yaml aliases '{}' 'a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: [*b, {z: 3}], x: 4}\nd: [*a, *b]\ne: !!omap [x: 1]'
yaml laughs '{}' 'a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e]'
yaml http 'test_name: HTTP Host' 'options: [-u, x]\nrequests:\n- request: {url: "shttp://a", body: ~, headers: [[A, [x]]]}\n  response: {body: !!binary /w==, headers: [[Content-Length, ["5"]]]}'
yaml dns 'test_name: dnstamper' 'tampering: {8.8.8.8: false}\nqueries: [{query: "[Query('"'a.b'"')]", resolver: [8.8.8.8, 53], answers: [["type=A ttl=5", "address=1.2.3.4"], ["type=SOA", "mname=a rname=b"]]}]'
printf '#c\n---\na: 1\n...\n...\n%%YAML 1.1\n' > "$corpus/yaml/frames"
printf '%%%%TAG !e! tag:e,1:\n--- !e!x &a [*a, {? b}\n... # c\n--- >\n' > "$corpus/yaml/document"

# --- cans: a letter for the format, then the content; a capital letter is followed by the unchanged file ---
cans=ooni-fastpath/tests/fixtures/cans
while read -r letter path; do
    { printf '%s' "${letter^}"; cat "$path"; } > "$corpus/cans/file-$(basename "$path")"
done < <(find "$cans" -size -8 -name '*.tar.gz' -printf 'p %p\n' -o -size -8 -name '*.jsonl.gz' -printf 'g %p\n' \
    -o -size -8 -name '*.yaml.lz4' -printf 'y %p\n' | LC_ALL=C sort)
can() { printf "$@" > "$corpus/cans/$name"; }
name=lines-lz4; can 'j{"a":1}\n\n[]\n5\n{"report_id":"R"}\n{'
name=lines-gzip; can 'g{"measurement_uid":"u","report_id":"R"}\n{}\n'
name=yaml; can 'y---\ntest_name: ndt\nprobe_cc: IT\nprobe_asn: AS1\nsoftware_name: o\nstart_time: 1.5\n...\n---\na: 1\n...\n---\n[1\n...\n'
name=yaml-broken; can 'y---\ntest_name: ndt\n...\n---\na: "\n...\n\n---\nb: 1\n...\n'
name=yaml-cut; can 'y# a\n...\n---\ntest_name: ndt\n...\n---\na: 1\n'
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/d/e"
printf '{"format":"json","content":{"report_id":"R","probe_cc":"IT"}}' > "$tree/d/20240102030405.000001_IT_dash_0000000000000001.post"
printf '[]' > "$tree/d/20240102030405.000002_IT_dash_0000000000000002.post"
printf '{"report_id":"R"}\n[]\n{"a"' > "$tree/d/a.json"
tail -c +2 "$corpus/cans/yaml" > "$tree/d/b.yaml"
printf 'x' > "$tree/x.post"
ln -s nowhere "$tree/d/e/l"
for form in ustar gnu pax; do
    for letter in p t; do
        { printf '%s' $letter; tar --format=$form --sort=name --owner=0 --group=0 --mtime=@0 -C "$tree" -cf - d x.post; } \
            > "$corpus/cans/tar-$form-$letter"
    done
done
side='exthdr.name=x,OONI.report_id:=R,OONI.is_verified:=t'
{ printf p; tar --format=pax --pax-option="$side" --sort=name --owner=0 --group=0 --mtime=@0 -C "$tree" -cf - d; } \
    > "$corpus/cans/tar-side-p"
head -c 3000 "$corpus/cans/tar-ustar-p" > "$corpus/cans/tar-cut-p"
head -c 3000 "$corpus/cans/tar-ustar-t" > "$corpus/cans/tar-cut-t"
# File names that contradict the bytes; frames of the legacy LZ4 format; padding; sparse members.
formats=ooni-fastpath/tests/fixtures/formats
for name in plain-tar.tar.gz:P plain-tar.tar.gz:X plain-lines.jsonl.gz:G gzip-lines.jsonl:D legacy-frame.json.lz4:J \
    legacy-frames.json.lz4:J legacy-frames.json.lz4:X gzip-tar.tar.gz:T; do
    { printf '%s' "${name##*:}"; cat "$formats/${name%:*}"; } > "$corpus/cans/format-${name%:*}-${name##*:}"
done
{
    printf 'G'
    printf '{"report_id":"R"}\n{"repo' | gzip -n
    head -c 600 /dev/zero
    printf 'rt_id":"S"}\n' | gzip -n
    head -c 9 /dev/zero
} > "$corpus/cans/gzip-padded"
head -c 2000 "$formats/legacy-frames.json.lz4" | { printf 'J'; cat; head -c 8 /dev/zero; } > "$corpus/cans/lz4-legacy-padded"
{ printf 'X'; gzip -n < "$formats/plain-tar.tar.gz" | gzip -n; } > "$corpus/cans/gzip-twice"
name=document; can 'd{\n  "report_id": "R"\n}\n'
name=document-of-lines; can 'd{"report_id":"R"}\n{"report_id":"S"}\n\n[]\n'
name=mark; can 'x\xef\xbb\xbf{"report_id":"R"}\n'
name=other; can 'x<!DOCTYPE html>\n'
truncate -s 70000 "$tree/d/20240102030405.000003_IT_dash_0000000000000003.post"
printf '{}' | dd of="$tree/d/20240102030405.000003_IT_dash_0000000000000003.post" bs=1 seek=40000 conv=notrunc status=none
for form in gnu pax; do
    { printf 'X'; tar --format=$form --sparse --sort=name --owner=0 --group=0 --mtime=@0 -C "$tree" -cf - d; } \
        > "$corpus/cans/tar-sparse-$form"
done
