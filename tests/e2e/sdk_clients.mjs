// SPDX-License-Identifier: Apache-2.0
// The official SDKs behind one shape.  A conversation is kept in a canonical
// form of its own, so that the next turn can go by another SDK:
//   {role:"user", text, images:[{media,data}]}
//   {role:"assistant", text, calls:[{id,name,args}], thoughts:[{text,signature}]}
//   {role:"tool", results:[{id,name,text}]}
// ask() gives {text, calls, thoughts, usage, finish, warnings, pieces, native}
// and checks the order of events on the way.
import assert from "node:assert/strict";
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";

const warningsOf = (headers) => {
  const get = (n) => (typeof headers?.get === "function" ? headers.get(n) : headers?.[n]);
  return (get("x-weir-warnings") || "").split(", ").filter(Boolean);
};
const dataUrl = (i) => `data:${i.media};base64,${i.data}`;

// ---- OpenAI chat completions ----
function chatMessages(ask) {
  const out = ask.system ? [{ role: "system", content: ask.system }] : [];
  for (const t of ask.turns) {
    if (t.role === "user")
      out.push({ role: "user", content: t.images ? [{ type: "text", text: t.text }, ...t.images.map((i) => ({ type: "image_url", image_url: { url: dataUrl(i) } }))] : t.text });
    else if (t.role === "assistant")
      out.push(t.native?.chat ?? { role: "assistant", content: t.text || null,
        ...(t.calls.length ? { tool_calls: t.calls.map((c) => ({ id: c.id, type: "function", function: { name: c.name, arguments: JSON.stringify(c.args) } })) } : {}) });
    else for (const r of t.results) out.push({ role: "tool", tool_call_id: r.id, content: r.text });
  }
  return out;
}
function chatBody(a) {
  const b = { model: a.model, messages: chatMessages(a) };
  if (a.tools) b.tools = a.tools.map((t) => ({ type: "function", function: { name: t.name, description: t.description, parameters: t.schema } }));
  if (a.schema) b.response_format = { type: "json_schema", json_schema: { name: "answer", schema: a.schema, strict: true } };
  if (a.thinking) b.reasoning_effort = "high";
  if (a.max) b.max_completion_tokens = a.max;
  if (a.temperature !== undefined) b.temperature = a.temperature;
  if (a.stop) b.stop = a.stop;
  if (a.choice) b.tool_choice = a.choice === "any" ? "required" : { type: "function", function: { name: a.choice } };
  return b;
}
const chatUsage = (u) => ({ input: u.prompt_tokens, cached: u.prompt_tokens_details?.cached_tokens ?? 0, output: u.completion_tokens, reasoning: u.completion_tokens_details?.reasoning_tokens ?? 0 });
const chatFinish = { stop: "stop", length: "length", tool_calls: "tools", content_filter: "filter" };
function chatTurn(m) {
  return { text: m.content ?? "", calls: (m.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name, args: JSON.parse(c.function.arguments) })),
    thoughts: m.reasoning_content ? [{ text: m.reasoning_content }] : [] };
}
export const chat = (base) => {
  const sdk = new OpenAI({ baseURL: `${base}/v1`, apiKey: "upstream-key-0001", maxRetries: 0 });
  return {
    name: "chat", sdk, Rate: OpenAI.RateLimitError, Auth: OpenAI.AuthenticationError, Bad: OpenAI.BadRequestError, Server: OpenAI.InternalServerError,
    async ask(a) {
      const { data, response } = await sdk.chat.completions.create(chatBody(a)).withResponse();
      assert.equal(data.object, "chat.completion");
      const m = data.choices[0].message;
      return { ...chatTurn(m), usage: chatUsage(data.usage), finish: chatFinish[data.choices[0].finish_reason], warnings: warningsOf(response.headers), native: { chat: m } };
    },
    async stream(a) {
      const { data, response } = await sdk.chat.completions.create({ ...chatBody(a), stream: true, stream_options: { include_usage: true } }, { signal: a.signal }).withResponse();
      let text = "", thought = "", pieces = 0, usage, finish, role = 0;
      const calls = [];
      for await (const c of data) {
        assert.equal(c.object, "chat.completion.chunk");
        assert.equal(usage, undefined, "nothing behind the usage");
        if (c.usage) { assert.deepEqual(c.choices, []); usage = c.usage; continue; }
        const d = c.choices[0].delta;
        if (d.role) { role++; assert.equal(pieces, 0, "the role comes first"); }
        assert.equal(finish, undefined, "nothing behind the finish");
        if (d.content) { text += d.content; pieces++; }
        if (d.reasoning_content) thought += d.reasoning_content;
        for (const t of d.tool_calls ?? []) {
          if (t.function?.name) { assert.equal(t.index, calls.length); assert.ok(t.id); calls.push({ id: t.id, name: t.function.name, args: "" }); }
          calls[t.index].args += t.function?.arguments ?? "";
        }
        finish = c.choices[0].finish_reason ?? undefined;
        a.onPiece?.(pieces);
      }
      assert.equal(role, 1, "one role");
      assert.ok(finish && usage, "finish and usage came");
      return { text, pieces, thoughts: thought ? [{ text: thought }] : [], calls: calls.map((c) => ({ ...c, args: JSON.parse(c.args) })), usage: chatUsage(usage), finish: chatFinish[finish], warnings: warningsOf(response.headers) };
    },
  };
};

// ---- OpenAI responses ----
function responsesBody(a) {
  const input = [];
  for (const t of a.turns) {
    if (t.role === "user")
      input.push({ role: "user", content: [{ type: "input_text", text: t.text }, ...(t.images ?? []).map((i) => ({ type: "input_image", image_url: dataUrl(i), detail: "auto" }))] });
    else if (t.role === "assistant") {
      if (t.native?.responses) { input.push(...t.native.responses); continue; }
      if (t.text) input.push({ role: "assistant", content: t.text });
      for (const c of t.calls) input.push({ type: "function_call", call_id: c.id, name: c.name, arguments: JSON.stringify(c.args) });
    } else for (const r of t.results) input.push({ type: "function_call_output", call_id: r.id, output: r.text });
  }
  const b = { model: a.model, input, store: false };
  if (a.system) b.instructions = a.system;
  if (a.tools) b.tools = a.tools.map((t) => ({ type: "function", name: t.name, description: t.description, parameters: t.schema, strict: false }));
  if (a.schema) b.text = { format: { type: "json_schema", name: "answer", schema: a.schema, strict: true } };
  if (a.thinking) { b.reasoning = { effort: "high", summary: "auto" }; b.include = ["reasoning.encrypted_content"]; }
  if (a.max) b.max_output_tokens = a.max;
  if (a.temperature !== undefined) b.temperature = a.temperature;
  if (a.choice) b.tool_choice = a.choice === "any" ? "required" : { type: "function", name: a.choice };
  return b;
}
function responsesOut(r, headers) {
  const calls = r.output.filter((o) => o.type === "function_call").map((o) => ({ id: o.call_id, name: o.name, args: JSON.parse(o.arguments) }));
  const thoughts = r.output.filter((o) => o.type === "reasoning").map((o) => ({ text: (o.summary ?? []).map((s) => s.text).join("") || (o.content ?? []).map((s) => s.text).join(""), signature: o.encrypted_content ?? undefined }));
  const u = r.usage;
  return { text: r.output_text, calls, thoughts, usage: { input: u.input_tokens, cached: u.input_tokens_details.cached_tokens, output: u.output_tokens, reasoning: u.output_tokens_details.reasoning_tokens },
    finish: r.status === "incomplete" ? { max_output_tokens: "length", content_filter: "filter" }[r.incomplete_details.reason] : calls.length ? "tools" : "stop", warnings: warningsOf(headers), native: { responses: r.output } };
}
export const responses = (base) => {
  const sdk = new OpenAI({ baseURL: `${base}/v1`, apiKey: "upstream-key-0001", maxRetries: 0 });
  return {
    name: "responses", sdk, Rate: OpenAI.RateLimitError, Auth: OpenAI.AuthenticationError, Bad: OpenAI.BadRequestError, Server: OpenAI.InternalServerError,
    async ask(a) {
      const { data, response } = await sdk.responses.create(responsesBody(a)).withResponse();
      assert.equal(data.object, "response");
      return responsesOut(data, response.headers);
    },
    async stream(a) {
      const { data, response } = await sdk.responses.create({ ...responsesBody(a), stream: true }, { signal: a.signal }).withResponse();
      let n = 0, text = "", pieces = 0, last, open = null, args = {};
      for await (const e of data) {
        assert.equal(e.sequence_number, n++, "events are numbered");
        assert.equal(last, undefined, "nothing behind the end");
        if (n === 1) assert.equal(e.type, "response.created");
        if (n === 2) assert.equal(e.type, "response.in_progress");
        if (e.type === "response.output_item.added") { assert.equal(open, null); open = e.output_index; }
        if (e.type === "response.output_item.done") { assert.equal(open, e.output_index); open = null; }
        if (e.type === "response.output_text.delta") { assert.equal(open, e.output_index); text += e.delta; pieces++; a.onPiece?.(pieces); }
        if (e.type === "response.function_call_arguments.delta") args[e.item_id] = (args[e.item_id] ?? "") + e.delta;
        if (e.type === "response.function_call_arguments.done") assert.equal(e.arguments, args[e.item_id] ?? e.arguments);
        if (e.type === "error" || e.type === "response.failed") throw Object.assign(new Error(e.message ?? e.response?.error?.message), { event: e });
        if (e.type === "response.completed" || e.type === "response.incomplete") last = e.response;
      }
      assert.ok(last, "the stream has its end");
      const out = responsesOut({ ...last, output_text: last.output.filter((o) => o.type === "message").flatMap((o) => o.content).map((c) => c.text ?? "").join("") }, response.headers);
      assert.equal(text, out.text, "deltas are the text");
      return { ...out, pieces };
    },
  };
};

// ---- Anthropic messages ----
function anthropicBody(a) {
  const messages = [];
  for (const t of a.turns) {
    if (t.role === "user")
      messages.push({ role: "user", content: [{ type: "text", text: t.text }, ...(t.images ?? []).map((i) => ({ type: "image", source: { type: "base64", media_type: i.media, data: i.data } }))] });
    else if (t.role === "assistant")
      messages.push({ role: "assistant", content: t.native?.anthropic ?? [...(t.text ? [{ type: "text", text: t.text }] : []), ...t.calls.map((c) => ({ type: "tool_use", id: c.id, name: c.name, input: c.args }))] });
    else messages.push({ role: "user", content: t.results.map((r) => ({ type: "tool_result", tool_use_id: r.id, content: r.text })) });
  }
  const b = { model: a.model, messages, max_tokens: a.max ?? 4096 };
  if (a.system) b.system = a.system;
  if (a.tools) b.tools = a.tools.map((t) => ({ name: t.name, description: t.description, input_schema: t.schema }));
  if (a.schema) b.output_config = { format: { type: "json_schema", schema: a.schema } };
  if (a.thinking) b.thinking = { type: "enabled", budget_tokens: 2048 };
  if (a.temperature !== undefined) b.temperature = a.temperature;
  if (a.stop) b.stop_sequences = a.stop;
  if (a.choice) b.tool_choice = a.choice === "any" ? { type: "any" } : { type: "tool", name: a.choice };
  return b;
}
const anthropicFinish = { end_turn: "stop", stop_sequence: "stop", max_tokens: "length", tool_use: "tools", refusal: "filter" };
function anthropicOut(m, headers) {
  const u = m.usage;
  return {
    text: m.content.filter((b) => b.type === "text").map((b) => b.text).join(""),
    calls: m.content.filter((b) => b.type === "tool_use").map((b) => ({ id: b.id, name: b.name, args: b.input })),
    thoughts: m.content.filter((b) => b.type === "thinking").map((b) => ({ text: b.thinking, signature: b.signature || undefined })),
    usage: { input: u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0), cached: u.cache_read_input_tokens ?? 0, output: u.output_tokens, reasoning: null },
    finish: anthropicFinish[m.stop_reason], warnings: warningsOf(headers), native: { anthropic: m.content },
  };
}
export const anthropic = (base) => {
  const sdk = new Anthropic({ baseURL: base, apiKey: "upstream-key-0001", maxRetries: 0 });
  return {
    name: "anthropic", sdk, Rate: Anthropic.RateLimitError, Auth: Anthropic.AuthenticationError, Bad: Anthropic.BadRequestError, Server: Anthropic.InternalServerError,
    async ask(a) {
      const { data, response } = await sdk.messages.create(anthropicBody(a)).withResponse();
      assert.equal(data.type, "message");
      return anthropicOut(data, response.headers);
    },
    async stream(a) {
      const { data, response } = await sdk.messages.create({ ...anthropicBody(a), stream: true }, { signal: a.signal }).withResponse();
      let message, open = -1, next = 0, pieces = 0, json = "", ended = false, over = false;
      for await (const e of data) {
        assert.ok(!over, "nothing behind message_stop");
        if (e.type === "message_start") { assert.equal(message, undefined); message = structuredClone(e.message); assert.ok(message.usage.input_tokens + (message.usage.cache_read_input_tokens ?? 0) > 0, "input tokens at the start"); }
        if (e.type === "content_block_start") { assert.equal(open, -1, "blocks one after the other"); assert.equal(e.index, next++); open = e.index; json = ""; message.content.push(structuredClone(e.content_block)); }
        if (e.type === "content_block_delta") {
          assert.equal(e.index, open);
          const b = message.content[open], d = e.delta;
          if (d.type === "text_delta") { b.text += d.text; pieces++; a.onPiece?.(pieces); }
          if (d.type === "thinking_delta") b.thinking += d.thinking;
          if (d.type === "signature_delta") b.signature = d.signature;
          if (d.type === "input_json_delta") json += d.partial_json;
        }
        if (e.type === "content_block_stop") { assert.equal(e.index, open); if (message.content[open].type === "tool_use") message.content[open].input = JSON.parse(json || "{}"); open = -1; }
        if (e.type === "message_delta") { assert.ok(!ended); ended = true; message.stop_reason = e.delta.stop_reason; for (const k of Object.keys(e.usage)) if (e.usage[k] != null) message.usage[k] = e.usage[k]; }
        if (e.type === "message_stop") { assert.equal(open, -1); over = true; }
      }
      assert.ok(ended && over, "the stream has its end");
      return { ...anthropicOut(message, response.headers), pieces };
    },
  };
};

// ---- Google GenAI ----
function genaiBody(a) {
  const contents = [];
  for (const t of a.turns) {
    if (t.role === "user") contents.push({ role: "user", parts: [{ text: t.text }, ...(t.images ?? []).map((i) => ({ inlineData: { mimeType: i.media, data: i.data } }))] });
    else if (t.role === "assistant") contents.push(t.native?.genai ?? { role: "model", parts: [...(t.text ? [{ text: t.text }] : []), ...t.calls.map((c) => ({ functionCall: { id: c.id, name: c.name, args: c.args } }))] });
    else contents.push({ role: "user", parts: t.results.map((r) => ({ functionResponse: { ...(r.id ? { id: r.id } : {}), name: r.name, response: { output: r.text } } })) });
  }
  const config = {};
  if (a.system) config.systemInstruction = a.system;
  if (a.tools) config.tools = [{ functionDeclarations: a.tools.map((t) => ({ name: t.name, description: t.description, parametersJsonSchema: t.schema })) }];
  if (a.schema) { config.responseMimeType = "application/json"; config.responseJsonSchema = a.schema; }
  if (a.thinking) config.thinkingConfig = { includeThoughts: true, thinkingBudget: 2048 };
  if (a.max) config.maxOutputTokens = a.max;
  if (a.temperature !== undefined) config.temperature = a.temperature;
  if (a.stop) config.stopSequences = a.stop;
  if (a.choice) config.toolConfig = { functionCallingConfig: { mode: "ANY", ...(a.choice === "any" ? {} : { allowedFunctionNames: [a.choice] }) } };
  if (a.signal) config.abortSignal = a.signal;
  return { model: a.model, contents, config };
}
const genaiUsage = (u) => ({ input: u.promptTokenCount, cached: u.cachedContentTokenCount ?? 0, output: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0), reasoning: u.thoughtsTokenCount ?? 0 });
function genaiOut(parts, finish, usage, headers) {
  const calls = parts.filter((p) => p.functionCall).map((p) => ({ id: p.functionCall.id, name: p.functionCall.name, args: p.functionCall.args ?? {} }));
  return { text: parts.filter((p) => p.text && !p.thought).map((p) => p.text).join(""), calls,
    thoughts: parts.filter((p) => p.thought).map((p) => ({ text: p.text ?? "", signature: p.thoughtSignature })),
    usage: genaiUsage(usage), finish: finish === "STOP" && calls.length ? "tools" : { STOP: "stop", MAX_TOKENS: "length", SAFETY: "filter" }[finish], warnings: warningsOf(headers), native: { genai: { role: "model", parts } } };
}
export const genai = (base) => {
  const sdk = new GoogleGenAI({ apiKey: "upstream-key-0001", httpOptions: { baseUrl: base, retryOptions: { attempts: 1 } } });
  return {
    name: "genai", sdk,
    async ask(a) {
      const r = await sdk.models.generateContent(genaiBody(a));
      return genaiOut(r.candidates[0].content.parts, r.candidates[0].finishReason, r.usageMetadata, r.sdkHttpResponse?.headers);
    },
    async stream(a) {
      const parts = [];
      let finish, usage, pieces = 0, headers;
      for await (const r of await sdk.models.generateContentStream(genaiBody(a))) {
        assert.equal(finish, undefined, "nothing behind the finish");
        headers = r.sdkHttpResponse?.headers ?? headers;
        for (const p of r.candidates?.[0]?.content?.parts ?? []) {
          const l = parts.at(-1);
          if (p.text !== undefined && l?.text !== undefined && !!l.thought === !!p.thought && !p.thoughtSignature) l.text += p.text;
          else if (p.thoughtSignature && p.thought && l?.thought) { l.text += p.text ?? ""; l.thoughtSignature = p.thoughtSignature; }
          else if (p.text !== "" || p.thoughtSignature) parts.push(structuredClone(p));
          if (p.text && !p.thought) { pieces++; a.onPiece?.(pieces); }
        }
        finish = r.candidates?.[0]?.finishReason ?? finish;
        usage = r.usageMetadata ?? usage;
      }
      assert.ok(finish && usage, "finish and usage came");
      return { ...genaiOut(parts, finish, usage, headers), pieces };
    },
  };
};
