// SPDX-License-Identifier: Apache-2.0
// Client x upstream x feature: what a user of each official SDK sees of each
// provider behind weir, held against what the mock says and has been told.
// "lossy" only where weir named the loss in x-weir-warnings, "n/a" only with
// a reason from the table below.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chat, responses, anthropic, genai } from "./sdk_clients.mjs";

const { WEIR_URL, MOCK_URL, ONLY } = process.env;
const clients = { chat, responses, anthropic, genai };
const like = Object.fromEntries(process.env.LIKE.split(",").filter(Boolean).map((x) => x.split("=")));
const own = { chat: "openai", responses: "responses", anthropic: "anthropic", genai: "gemini" };
const upstreams = ["direct", "openai", "responses", "anthropic", "gemini", "bedrock", "cohere"];

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const sha = (s) => createHash("sha256").update(s).digest("hex");
const TEXT = "Grüße aus 東京, \"quoted\" \\ and 🌊 all";
const weather = { name: "get_weather", description: "The weather of a city", schema: { type: "object", properties: { city: { type: "string" }, days: { type: "integer", minimum: 3 } }, required: ["city", "days"], additionalProperties: false } };
const lookup = { name: "look-up_2", description: "Looks up", schema: { type: "object", properties: { tags: { type: "array", items: { type: "string" } } }, required: ["tags"], additionalProperties: false } };
const city = { type: "object", properties: { name: { type: "string" }, people: { type: "integer" }, rivers: { type: "array", items: { type: "string" } } }, required: ["name", "people", "rivers"], additionalProperties: false };

// What an API cannot say, whoever is asked.
const cannot = {
  stop: { responses: "the API has no stop sequences" },
  reasoning_count: { anthropic: "the API does not count it apart", bedrock: "the API does not count it apart" },
};

class Lossy extends Error {}
class NotApplicable extends Error {}
const user = (text, images) => ({ role: "user", text, ...(images ? { images } : {}) });
const assistant = (r) => ({ role: "assistant", text: r.text, calls: r.calls, thoughts: r.thoughts, native: r.native });
const ledger = async (model) => (await (await fetch(`${MOCK_URL}/ledger`)).json()).models[model] ?? { answered: 0, errors: 0, broken: 0, aborted: 0, input_tokens: 0, output_tokens: 0, cached_tokens: 0, reasoning_tokens: 0 };

// A difference is lossy where a warning names its kind, else it is a failure.
function same(c, got, wanted, kinds, what) {
  try { assert.deepEqual(got, wanted); } catch (e) {
    const named = c.warnings.find((w) => kinds.some((k) => w.startsWith(k)));
    if (!named) throw new Error(`${what}: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(got)}; warnings: ${c.warnings}`);
    c.lossy.push(named);
  }
}

const features = {
  async plain(c) {
    const before = await ledger(c.mock);
    const r = await c.ask({ turns: [user(`hello [mock text='${TEXT}' cached=2 reasoning=4]`)] });
    const after = await ledger(c.mock);
    assert.equal(r.text, TEXT);
    assert.equal(r.finish, "stop");
    await usage(c, r, before, after);
  },
  async stream(c) {
    const before = await ledger(c.mock);
    const r = await c.stream({ turns: [user(`hello [mock text='${TEXT}' cached=2 reasoning=4]`)] });
    const after = await ledger(c.mock);
    assert.equal(r.text, TEXT);
    assert.equal(r.finish, "stop");
    assert.ok(r.pieces >= 4, `came in ${r.pieces} pieces`);
    await usage(c, r, before, after);
  },
  async length(c) {
    for (const how of ["ask", "stream"]) {
      const r = await c[how]({ turns: [user("hello [mock tokens=50]")], max: 16 });
      assert.equal(r.finish, "length");
      assert.equal(r.text.split(" ").length, 16);
      assert.equal(r.usage.output, 16);
    }
  },
  async params(c) {
    const r = await c.ask({ system: "Be \"brief\".\nSay ü.", turns: [user("one"), { role: "assistant", text: "two", calls: [] }, user("three [mock echo]")], temperature: 0.5, max: 1234, ...(c.client === "responses" ? {} : { stop: ["END", "x y"] }) });
    const far = JSON.parse(r.text);
    const said = far.messages.map((m) => [m.role, m.parts.map((p) => p.text).join("")]);
    same(c, said, [["system", "Be \"brief\".\nSay ü."], ["user", "one"], ["assistant", "two"], ["user", "three [mock echo]"]], ["role"], "messages");
    same(c, far.params.temperature, 0.5, ["parameter=temperature"], "temperature");
    same(c, far.params.max_tokens, 1234, ["clamped"], "max_tokens");
    if (c.client === "responses") return;
    same(c, far.params.stop, ["END", "x y"], ["stop", "parameter=stop"], "stop");
    if (c.upstream === "responses") return;
    const s = await c.ask({ turns: [user("[mock text='a b END c']")], stop: ["END"] });
    assert.equal(s.text, "a b ");
    assert.equal(s.finish, "stop");
  },
  async tools(c) { // three rounds, then what the far end saw of them
    const turns = [user("Weather? [mock tool=get_weather loop=3]")];
    let r;
    for (let i = 0; i < 3; i++) {
      r = await c[i === 1 ? "stream" : "ask"]({ turns, tools: [weather, lookup] });
      assert.equal(r.finish, "tools");
      assert.equal(r.calls.length, 1);
      assert.deepEqual({ name: r.calls[0].name, args: r.calls[0].args }, { name: "get_weather", args: { city: "sample", days: 3 } });
      turns.push(assistant(r), { role: "tool", results: [{ id: r.calls[0].id, name: "get_weather", text: `${10 + i} °C` }] });
    }
    r = await c.ask({ turns, tools: [weather, lookup] });
    assert.equal(r.finish, "stop");
    assert.equal(r.calls.length, 0);
    turns.push(assistant(r), user("[mock echo]"));
    const far = JSON.parse((await c.ask({ turns, tools: [weather, lookup] })).text);
    pairs(far, ["10 °C", "11 °C", "12 °C"]);
    assert.deepEqual(far.tools.map((t) => [t.name, t.description]), [[weather.name, weather.description], [lookup.name, lookup.description]]);
    same(c, far.tools[0].schema, weather.schema, ["schema"], "schema");
  },
  async parallel(c) {
    for (const how of ["ask", "stream"]) {
      const turns = [user("All of it [mock tools=3]")];
      let r = await c[how]({ turns, tools: [weather, lookup] });
      assert.deepEqual(r.calls.map((x) => [x.name, x.args]), [["get_weather", { city: "sample", days: 3 }], ["look-up_2", { tags: ["sample"] }], ["get_weather", { city: "sample", days: 3 }]]);
      if (c.client !== "genai") assert.equal(new Set(r.calls.map((x) => x.id)).size, 3, "ids differ");
      turns.push(assistant(r), { role: "tool", results: r.calls.map((x, i) => ({ id: x.id, name: x.name, text: `result ${i}` })) });
      r = await c.ask({ turns, tools: [weather, lookup] });
      turns.push(assistant(r), user("[mock echo]"));
      pairs(JSON.parse((await c.ask({ turns, tools: [weather, lookup] })).text), ["result 0", "result 1", "result 2"]);
    }
    const forced = await c.ask({ turns: [user("hi")], tools: [weather, lookup], choice: "look-up_2" });
    same(c, forced.calls.map((x) => x.name), ["look-up_2"], ["tool_choice"], "the named tool");
  },
  async images(c) {
    const r = await c.ask({ turns: [user("What is it? [mock echo]", [{ media: "image/png", data: PNG }])] });
    const image = JSON.parse(r.text).messages[0].parts.filter((p) => p.kind === "image");
    same(c, image.map((p) => [p.media, p.data]), [["image/png", sha(PNG)]], ["image"], "image");
  },
  async schema(c) {
    for (const how of ["ask", "stream"]) {
      const r = await c[how]({ turns: [user("A city, please")], schema: city });
      assert.deepEqual(JSON.parse(r.text), { name: "sample", people: 1, rivers: ["sample"] });
      assert.equal(r.finish, "stop");
    }
  },
  async thinking(c) {
    const turns = [user("Think [mock tokens=6]")];
    const r = await c.ask({ turns, thinking: true, max: 8192 });
    const s = await c.stream({ turns, thinking: true, max: 8192 });
    const far = c.upstream === "direct" ? own[c.client] : c.upstream;
    if (far === "openai") throw new NotApplicable("chat completions show no thinking");
    if (c.client === "chat" && ["responses", "gemini"].includes(far)) throw new NotApplicable("its clients cannot ask for a summary");
    assert.equal(r.text.split(" ").length, 6);
    assert.deepEqual(s.thoughts, r.thoughts, "streamed and whole are the same");
    same(c, r.thoughts.map((t) => t.text.split(" ").length), [12], ["thinking", "reasoning"], "thoughts");
    if (r.thoughts.length === 0) return; // said to be lost
    // Back again: the mock refuses a signature that it did not give.
    turns.push(assistant(r), user("[mock echo]"));
    const again = await c.ask({ turns, thinking: true, max: 8192 });
    const back = JSON.parse(again.text).messages.flatMap((m) => m.parts).filter((p) => p.kind === "thinking");
    if (process.env.SHOW) console.log(again.text, JSON.stringify(r.native));
    same({ ...c, warnings: again.warnings, lossy: c.lossy }, back.length, 1, ["thinking", "signature"], "thinking sent back");
  },
  async errors(c) {
    const cases = [[429, "Rate"], [400, "Bad"], [401, "Auth"], [500, "Server"], [529, "Server"]];
    for (const [status, kind] of cases) {
      for (const how of ["ask", "stream"]) {
        const e = await c[how]({ turns: [user(`[mock status=${status} retry-after=0]`)] }).then(() => assert.fail(`no error for ${status}`), (x) => x);
        if (e.code === "ERR_ASSERTION") throw e;
        if (c.sdk[kind] && !(e instanceof c.sdk[kind])) throw new Error(`${status}: found ${e.constructor.name} ${e.status} ${e.message}`);
        if (!c.sdk[kind]) assert.ok(kind === "Server" ? e.status >= 500 : e.status === status, `${status}: found ${e.status} ${e.message}`);
        assert.match(String(e.message), /told to fail/);
      }
    }
  },
  async midstream(c) { // an error, or the end of the bytes, amid a stream
    // An SDK alone does not notice a missing finish.
    for (const fault of ["error-frame=4", "cut=5", ...(c.upstream === "direct" ? [] : ["no-finish"])]) {
      let pieces = 0;
      const e = await c.stream({ turns: [user(`[mock tokens=30 ${fault}]`)], onPiece: (n) => (pieces = n) }).then(() => assert.fail(`${fault}: ended as if it were whole`), (x) => x);
      if (e.code === "ERR_ASSERTION") throw new Error(`${fault}: ${e.message}`);
      assert.ok(pieces > 0, `${fault}: ${pieces} pieces came first`);
    }
  },
  async abort(c) {
    const before = await ledger(c.mock);
    const control = new AbortController();
    await c.stream({ turns: [user("[mock tokens=400 stall-frame=20 stall-ms=20000]")], signal: control.signal, onPiece: (n) => n === 3 && control.abort() }).catch(() => {});
    for (let i = 0; ; i++) {
      if ((await ledger(c.mock)).aborted === before.aborted + 1) break;
      if (i >= 40) throw new Error("the upstream was not told within 2 s: " + JSON.stringify([before, await ledger(c.mock)]));
      await new Promise((ok) => setTimeout(ok, 50));
    }
  },
  async models(c) {
    if (c.client === "genai") {
      const one = await c.sdk.sdk.models.get({ model: c.model });
      assert.ok(one.name.endsWith(c.model), one.name);
      for await (const m of await c.sdk.sdk.models.list()) { assert.match(m.name, /^models\//); return; }
      assert.fail("no models");
    }
    const one = await c.sdk.sdk.models.retrieve(c.model);
    assert.equal(one.id, c.model);
    for await (const m of c.sdk.sdk.models.list()) { assert.ok(m.id); assert.equal(m.type ?? m.object, "model"); return; }
    assert.fail("no models");
  },
  async count(c) {
    if (c.client === "anthropic") {
      const n = await c.sdk.sdk.messages.countTokens({ model: c.model, messages: [{ role: "user", content: "How many tokens are these words?" }] });
      assert.ok(n.input_tokens >= 5 && n.input_tokens < 40, `${n.input_tokens}`);
    } else if (c.client === "genai") {
      const n = await c.sdk.sdk.models.countTokens({ model: c.model, contents: "How many tokens are these words?" });
      assert.ok(n.totalTokens >= 5 && n.totalTokens < 40, `${n.totalTokens}`);
    } else throw new NotApplicable("the API has no counting");
  },
};

// Each call at the far end has its result, in order, under its name.
function pairs(far, texts) {
  const parts = far.messages.flatMap((m) => m.parts);
  const calls = parts.filter((p) => p.kind === "call"), results = parts.filter((p) => p.kind === "result");
  assert.equal(calls.length, texts.length);
  assert.deepEqual(results.map((p) => words(p)), texts);
  results.forEach((p, i) => { if (p.id) assert.equal(p.id, calls[i].id, "the result's id"); });
  for (const p of calls) assert.ok(["get_weather", "look-up_2"].includes(p.name));
  for (const p of calls) assert.equal(typeof (p.json ?? JSON.parse(p.text)), "object");
}
function words(p) {
  if (p.text !== undefined) return p.text;
  if (p.parts) return p.parts.map(words).join("");
  const v = p.json;
  return typeof v === "string" ? v : v.output ?? v.result ?? v.content ?? JSON.stringify(v);
}

async function usage(c, r, before, after) {
  const d = (k) => after[k] - before[k];
  assert.equal(after.answered, before.answered + 1);
  assert.deepEqual([r.usage.input, r.usage.output], [d("input_tokens"), d("output_tokens")]);
  assert.equal(r.usage.cached, d("cached_tokens"), "cached tokens");
  const far = c.upstream === "direct" ? own[c.client] : c.upstream;
  if (r.usage.reasoning !== null && !cannot.reasoning_count[far]) assert.equal(r.usage.reasoning, d("reasoning_tokens"), "reasoning tokens");
}

async function cell(client, upstream, feature) {
  const direct = upstream === "direct";
  const sdk = clients[client](direct ? MOCK_URL + (client === "cohere" ? "" : "") : WEIR_URL);
  const model = direct ? `direct-${client}` : `${client}-${upstream}`;
  const c = { client, upstream, sdk, model, mock: direct ? model : `${like[upstream]}-${model}`, warnings: [], lossy: [] };
  for (const how of ["ask", "stream"])
    c[how] = async (a) => {
      const r = await sdk[how]({ model, ...a });
      c.warnings = r.warnings;
      return r;
    };
  try {
    await features[feature](c);
    return c.lossy.length ? { mark: "lossy", why: [...new Set(c.lossy)].join(" ") } : { mark: "ok" };
  } catch (e) {
    if (e instanceof NotApplicable) return { mark: "n/a", why: e.message };
    return { mark: "FAIL", why: `${e.constructor.name}: ${e.message}`.replace(/\s+/g, " ").slice(0, 600) };
  }
}

// One conversation whose turns go by three SDKs to three providers.
async function three() {
  const ways = [["chat", "anthropic"], ["anthropic", "gemini"], ["genai", "openai"], ["responses", "bedrock"], ["anthropic", "cohere"], ["chat", "responses"]];
  const turns = [user("Weather? [mock tool=get_weather loop=3]")];
  const results = [];
  for (const [i, [client, upstream]] of ways.entries()) {
    const last = i === ways.length - 1;
    if (last) turns.push(user("[mock echo]"));
    const r = await clients[client](WEIR_URL)[i % 2 && !last ? "stream" : "ask"]({ model: `three-${upstream}`, turns, tools: [weather, lookup] });
    if (last) { pairs(JSON.parse(r.text), results); return; }
    // Without native: what the next SDK gets is the canonical form alone.
    for (const [k, x] of r.calls.entries()) x.id ??= `made_${i}_${k}`;
    turns.push({ role: "assistant", text: r.text, calls: r.calls });
    if (r.calls.length) {
      results.push(`${20 + i} °C`);
      turns.push({ role: "tool", results: [{ id: r.calls[0].id, name: r.calls[0].name, text: results.at(-1) }] });
    } else turns.push(user("go on [mock tool=look-up_2]"));
  }
}

const names = Object.keys(features);
const pairsAll = Object.keys(clients).flatMap((c) => upstreams.map((u) => [c, u])).filter(([c, u]) => !ONLY || ONLY === `${c}/${u}`);
const rows = await Promise.all(pairsAll.map(async ([c, u]) => {
  const row = [];
  for (const f of names) row.push(await cell(c, u, f));
  return row;
}));
const wide = (s, n) => s.padEnd(n);
console.log(wide("client", 10) + wide("upstream", 10) + names.map((n) => wide(n, 10)).join(""));
const notes = new Map();
let failed = 0;
rows.forEach((row, i) => {
  const [c, u] = pairsAll[i];
  console.log(wide(c, 10) + wide(u, 10) + row.map((x) => wide(x.mark, 10)).join(""));
  row.forEach((x, k) => {
    if (!x.why) return;
    const key = `${x.mark}  ${names[k]}: ${x.why}`;
    notes.set(key, [...(notes.get(key) ?? []), `${c}/${u}`]);
    failed += x.mark === "FAIL";
  });
});
console.log();
for (const [k, who] of [...notes].sort()) console.log(`${k}  (${who.join(", ")})`);
if (!ONLY) await three().then(() => console.log("ok    a conversation carried by four SDKs through six dialects"), (e) => { failed++; console.log(`FAIL  a conversation through six dialects: ${e.stack}`); });
const all = rows.flat();
console.log(`${all.filter((x) => x.mark === "ok").length} ok, ${all.filter((x) => x.mark === "lossy").length} lossy, ${all.filter((x) => x.mark === "n/a").length} n/a, ${failed} failed`);
process.exit(failed ? 1 : 0);
