// SPDX-License-Identifier: Apache-2.0
// @anthropic-ai/sdk reads what weir's codec wrote for it.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { base, run } from "./sdk_frames.mjs";

const client = new Anthropic({ apiKey: "k", baseURL: base, maxRetries: 0 });
const asked = { model: "auto", max_tokens: 1000, messages: [{ role: "user", content: "hi" }] };
const inputs = (u) => u.input_tokens + u.cache_read_input_tokens + u.cache_creation_input_tokens;

function found(message) {
    assert.equal(message.type, "message");
    assert.equal(message.role, "assistant");
    for (const b of message.content) {
        if (b.type === "text") assert.notEqual(b.text, "");
        if (b.type === "tool_use") assert.match(b.id, /^[a-zA-Z0-9_-]+$/);
    }
    assert.ok(inputs(message.usage) > 0);
    assert.ok(message.usage.output_tokens > 0);
    return {
        text: message.content.filter((b) => b.type === "text").map((b) => b.text).join(""),
        calls: message.content.filter((b) => b.type === "tool_use").map((b) => ({ name: b.name, input: b.input })),
        input: inputs(message.usage),
        output: message.usage.output_tokens,
        finish: message.stop_reason,
    };
}

// The order that clients rely on, from the events as they come.
async function checkEvents() {
    let open = -1, next = 0, state = "new";
    for await (const event of await client.messages.create({ ...asked, stream: true })) {
        if (event.type === "message_start") { assert.equal(state, "new"); state = "body"; assert.ok(inputs(event.message.usage) > 0); continue; }
        if (event.type === "content_block_start") { assert.equal(state, "body"); assert.equal(open, -1); assert.equal(event.index, next++); open = event.index; }
        if (event.type === "content_block_delta") assert.equal(event.index, open);
        if (event.type === "content_block_stop") { assert.equal(event.index, open); open = -1; }
        if (event.type === "message_delta") { assert.equal(state, "body"); assert.equal(open, -1); state = "delta"; }
        if (event.type === "message_stop") { assert.equal(state, "delta"); state = "stop"; }
    }
    assert.equal(state, "stop");
}

run({
    whole: async () => found(await client.messages.create(asked)),
    streamed: async () => found(await client.messages.stream(asked).finalMessage()),
    check: checkEvents,
}, {
    whole: (l) => assert.rejects(client.messages.create(asked), (e) => e instanceof Anthropic.APIError && e.status === l.status && e.error.type === "error"),
    streamed: () => assert.rejects(client.messages.stream(asked).finalMessage(), Anthropic.APIError),
});
