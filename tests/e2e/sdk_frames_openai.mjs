// SPDX-License-Identifier: Apache-2.0
// openai's chat completions read what weir's codec wrote for them.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { base, run } from "./sdk_frames.mjs";

const client = new OpenAI({ apiKey: "k", baseURL: `${base}/v1`, maxRetries: 0 });
const asked = { model: "auto", messages: [{ role: "user", content: "hi" }] };

function found(completion) {
    const choice = completion.choices[0];
    assert.equal(completion.object, "chat.completion");
    assert.equal(choice.message.role, "assistant");
    for (const c of choice.message.tool_calls ?? []) assert.ok(c.id && c.type === "function");
    return {
        text: choice.message.content ?? "",
        calls: (choice.message.tool_calls ?? []).map((c) => ({ name: c.function.name, input: JSON.parse(c.function.arguments) })),
        input: completion.usage?.prompt_tokens,
        output: completion.usage?.completion_tokens,
        finish: choice.finish_reason,
    };
}

// The role first and once, id and name of a call in its first delta only,
// usage in a last chunk without choices.
async function checkChunks(l) {
    const named = {};
    let roles = 0, finishes = 0, last;
    for await (const chunk of await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } })) {
        assert.equal(chunk.object, "chat.completion.chunk");
        for (const c of chunk.choices.filter((c) => c.index === 0)) {
            if (c.delta.role) assert.equal(roles++, 0);
            for (const t of c.delta.tool_calls ?? []) {
                if (t.function?.name || t.id) { assert.equal(named[t.index], undefined); named[t.index] = t.id; assert.ok(t.id && t.function.name); }
                assert.ok(named[t.index]);
            }
            if (c.finish_reason) finishes++;
        }
        last = chunk;
    }
    assert.equal(finishes, 1);
    assert.equal(roles, 1);
    if (l.input > 0) { assert.equal(last.choices.length, 0); assert.ok(last.usage); }
}

run({
    whole: async () => found(await client.chat.completions.create(asked)),
    streamed: async () => {
        const stream = client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
        return found(await stream.finalChatCompletion());
    },
    check: checkChunks,
}, {
    whole: (l) => assert.rejects(client.chat.completions.create(asked), (e) => e instanceof OpenAI.APIError && e.status === l.status && Boolean(e.error.message)),
    streamed: () => assert.rejects(client.chat.completions.stream(asked).finalChatCompletion(), OpenAI.OpenAIError),
});
