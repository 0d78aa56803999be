#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Second part of make bench-codec: requests a second through a gateway of one
# worker, where client and provider speak the same dialect and the bytes go
# through, beside OpenAI's chat path; and translated, for comparison.  Every
# figure is the median of ROUNDS rounds in which the ways take turns.
#   SECONDS_EACH, ROUNDS, CONNECTIONS
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
each=${SECONDS_EACH:-1} rounds=${ROUNDS:-5} conns=${CONNECTIONS:-16}
command -v wrk >/dev/null || fail "wrk is missing: tests/lint/deps.sh bench installs it"
. bench/servers.sh

# ---- a provider of three dialects, whose answers say the same ----
text='The water level of this answer is held by a low wall, and each small stream finds its way down where it passes over.'
chat=$answer
messages='{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"'$text'"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":180,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":24}}'
gemini='{"candidates":[{"content":{"parts":[{"text":"'$text'"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":180,"candidatesTokenCount":24,"totalTokenCount":204},"modelVersion":"m","responseId":"r_1"}'
nginx_start dialects "  access_log off;
  server { listen 127.0.0.1:@PORT@; default_type application/json;
    location /v1/chat/completions { return 200 '$chat'; }
    location /v1/messages { return 200 '$messages'; }
    location / { return 200 '$gemini'; } }"
cat >"$scratch/weir.yaml" <<YAML
listen: 127.0.0.1:0
workers: 1
log: {path: $scratch/weir.db, prompts: none, level: warn}
providers:
  chat: {dialect: openai, base_url: "http://127.0.0.1:$port/v1", api_key: none}
  messages: {dialect: anthropic, base_url: "http://127.0.0.1:$port/v1", api_key: none}
  gemini: {dialect: gemini, base_url: "http://127.0.0.1:$port/v1beta", api_key: none}
models:
  chat: {provider: chat, name: m, price: {input: 1, output: 1}, context: 200000}
  messages: {provider: messages, name: m, price: {input: 1, output: 1}, context: 200000}
  gemini: {provider: gemini, name: m, price: {input: 1, output: 1}, context: 200000}
routes:
  auto: {arms: [chat], policy: fixed}
YAML
"$weir" check --config "$scratch/weir.yaml" >"$scratch/check" 2>&1 || fail "$(cat "$scratch/check")"
start weir "$weir" serve --config "$scratch/weir.yaml"

# ---- the same question of 1 kB in every dialect ----
words=$(printf 'Where does each small stream find its way over the low wall? %.0s' $(seq 16))
ask() { # ask CLIENT MODEL: a wrk script that asks the model in its dialect
    local path body
    case $1 in
    chat) path=/v1/chat/completions body='{"model":"'$2'","messages":[{"role":"user","content":"'$words'"}]}' ;;
    responses) path=/v1/responses body='{"model":"'$2'","input":[{"role":"user","content":"'$words'"}]}' ;;
    messages) path=/v1/messages body='{"model":"'$2'","max_tokens":100,"messages":[{"role":"user","content":"'$words'"}]}' ;;
    gemini) path=/v1beta/models/$2:generateContent body='{"contents":[{"role":"user","parts":[{"text":"'$words'"}]}]}' ;;
    esac
    cat <<LUA
wrk.method, wrk.path, wrk.body = "POST", "$path", [[$body]]
wrk.headers["content-type"] = "application/json"
LUA
}
closed() { # closed NAME SECONDS: requests per second
    local out
    out=$(wrk -t1 -c"$conns" -d"$2s" -s "$scratch/$1.lua" "http://127.0.0.1:$port") || fail "wrk: $out"
    grep -q 'Non-2xx' <<<"$out" && fail "$1: $out"
    sed -n 's/^Requests\/sec: *//p' <<<"$out"
}
dialects="chat messages gemini"
ways=""
for d in $dialects; do ask "$d" "$d" >"$scratch/$d.lua"; ways="$ways $d"; done
for d in responses messages gemini; do ask "$d" chat >"$scratch/$d-chat.lua"; ways="$ways $d-chat"; done
for way in $ways; do closed "$way" 1 >/dev/null; done
for _ in $(seq "$rounds"); do
    for way in $ways; do closed "$way" "$each" >>"$scratch/closed.$way"; done
done
echo "1 kB requests, whole answers, $conns connections, one worker, $(nproc) cores for all of it, medians of $rounds rounds of $each s"
echo
base=$(median <"$scratch/closed.chat") bad=0
for way in $ways; do
    r=$(median <"$scratch/closed.$way")
    share=$(calc %.2f "$r / $base")
    case $way in
    *-chat) printf '      %-28s %9.0f requests/s %6s x chat\n' "${way%-chat} to a chat provider" "$r" "$share"; continue ;;
    esac
    verdict=pass
    awk "BEGIN { exit !($r < 0.85 * $base) }" && { verdict=FAIL; bad=1; }
    printf '%s  %-28s %9.0f requests/s %6s x chat (wanted >= 0.85)\n' "$verdict" "$way, as it came" "$r" "$share"
done
exit $bad
