// SPDX-License-Identifier: Apache-2.0
// Vercel's AI SDK, which speaks three dialects by its providers: each against
// a model of every upstream dialect, through weir.
import assert from "node:assert/strict";
import { generateText, streamText, Output, tool, jsonSchema, isStepCount } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";

globalThis.AI_SDK_LOG_WARNINGS = false;
const { WEIR_URL } = process.env;
const apiKey = "client-key-0001";
const openai = createOpenAI({ baseURL: `${WEIR_URL}/v1`, apiKey });
const clients = {
  chat: (m) => openai.chat(m),
  responses: (m) => openai.responses(m),
  compatible: createOpenAICompatible({ name: "weir", baseURL: `${WEIR_URL}/v1`, apiKey, includeUsage: true, supportsStructuredOutputs: true }),
  anthropic: createAnthropic({ baseURL: `${WEIR_URL}/v1`, apiKey }),
  google: createGoogle({ baseURL: `${WEIR_URL}/v1beta`, apiKey }),
};
const upstreams = ["openai", "responses", "anthropic", "gemini", "bedrock", "cohere"];
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const object = (properties) => jsonSchema({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const quiet = { maxRetries: 0 };

const features = {
  async plain(model) {
    const r = await generateText({ model, prompt: "hi [mock text='Grüße, 東京']", ...quiet });
    assert.equal(r.text, "Grüße, 東京");
    assert.equal(r.finishReason, "stop");
    assert.ok(r.usage.inputTokens > 0 && r.usage.outputTokens > 0, JSON.stringify(r.usage));
  },
  async stream(model) {
    const r = streamText({ model, prompt: "hi [mock tokens=12]", ...quiet, onError() {} });
    let pieces = 0;
    for await (const _ of r.textStream) pieces++;
    assert.ok(pieces > 3, `${pieces} pieces`);
    assert.equal((await r.text).split(" ").length, 12);
    assert.equal(await r.finishReason, "stop");
    assert.ok((await r.usage).outputTokens > 0);
  },
  async tools(model) {
    const weather = tool({ description: "The weather", inputSchema: object({ city: { type: "string" } }), execute: async ({ city }) => `12 °C in ${city}` });
    for (const go of [generateText, streamText]) {
      const r = go({ model, prompt: "Weather? [mock tool=weather loop=2]", tools: { weather }, stopWhen: isStepCount(5), ...quiet, onError() {} });
      const { steps, text } = go === generateText ? await r : (await r.consumeStream?.(), { steps: await r.steps, text: await r.text });
      assert.equal(steps.length, 3);
      assert.equal(steps.flatMap((s) => s.toolResults).length, 2);
      assert.match(JSON.stringify(steps[0].toolResults[0].output), /12 °C in sample/);
      assert.ok(text.length > 0);
    }
  },
  async object(model) {
    const r = await generateText({ model, prompt: "A city", output: Output.object({ schema: object({ name: { type: "string" }, people: { type: "integer" } }) }), ...quiet });
    assert.deepEqual(r.output, { name: "sample", people: 1 });
  },
  async image(model) {
    const r = await generateText({ model, messages: [{ role: "user", content: [{ type: "text", text: "[mock echo]" }, { type: "file", mediaType: "image/png", data: Buffer.from(PNG, "base64") }] }], ...quiet });
    assert.ok(JSON.parse(r.text).messages.at(-1).parts.some((p) => p.kind === "image" && p.data), r.text);
  },
  async errors(model) {
    for (const status of [400, 401, 429, 500]) {
      const e = await generateText({ model, prompt: `[mock status=${status} retry-after=0]`, ...quiet }).then(() => assert.fail("no error"), (x) => x);
      assert.equal((e.lastError ?? e).statusCode, status);
      assert.match(String(e.message), /told to fail/);
    }
  },
  async cut(model) {
    let told;
    const r = streamText({ model, prompt: "[mock tokens=30 cut=5]", ...quiet, onError({ error }) { told = error; } });
    for await (const p of r.fullStream ?? r.stream) if (p.type === "error") told = p.error;
    assert.ok(told, "a cut stream is an error");
  },
};

let failed = 0;
for (const [name, make] of Object.entries(clients)) {
  const row = [];
  await Promise.all(upstreams.map(async (u) => {
    for (const [f, test] of Object.entries(features)) {
      try {
        await test(make(`m-${u}`));
        row.push(1);
      } catch (e) {
        failed++;
        console.log(`FAIL  ${name} -> ${u}: ${f}: ${String(e.stack).slice(0, 700)}`);
      }
    }
  }));
  console.log(`${name}: ${row.length} of ${upstreams.length * Object.keys(features).length}`);
}
process.exit(failed ? 1 : 0);
