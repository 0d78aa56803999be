// SPDX-License-Identifier: Apache-2.0
// Every call here is the official SDK's, with nothing changed but base URL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loggedRow } from './logged.mjs';
import OpenAI from 'openai';

const base = process.env.WEIR_URL;
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'any', maxRetries: 0, timeout: 20000 });
const say = (content, more = {}) => ({ messages: [{ role: 'user', content }], model: 'auto', ...more });
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, unit: { enum: ['C', 'F'] } },
      required: ['city'],
    },
  },
};
const row = (id) => loggedRow(process.env.WEIR_DB, id);

test('a plain answer comes with what was decided', async () => {
  const { data, response } = await client.chat.completions
    .create(say('Say hello. unmistakable-prompt')).withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.ok(data.choices[0].message.content.length > 0);
  assert.equal(data.choices[0].finish_reason, 'stop');
  const h = (name) => response.headers.get(name);
  assert.match(h('x-weir-request-id'), /^req_[0-9a-z]{24}$/);
  assert.ok(['small', 'large'].includes(h('x-weir-arm')));
  assert.equal(h('x-weir-model'), `${h('x-weir-arm')}-1`);
  assert.ok(Number(h('x-weir-decision-us')) >= 0);
  const u = data.usage;
  const price = h('x-weir-arm') === 'small' ? [0.1, 0.4] : [2, 8];
  const usd = (u.prompt_tokens * price[0] + u.completion_tokens * price[1]) / 1e6;
  assert.ok(Math.abs(Number(h('x-weir-cost-usd')) - usd) < 1e-12, `${h('x-weir-cost-usd')} is not ${usd}`);
});

test('a route, a model and an arm can be asked for by name', async () => {
  for (const [model, arm] of [['cheap', 'small'], ['large', 'large'], ['weir/small', 'small'], ['large-1', 'large']]) {
    const { response } = await client.chat.completions.create(say('Hi', { model })).withResponse();
    assert.equal(response.headers.get('x-weir-model'), `${arm}-1`, model);
  }
});

test('the models are listed and found one by one', async () => {
  const ids = (await client.models.list()).data.map((m) => m.id);
  for (const id of ['auto', 'cheap', 'small', 'large']) assert.ok(ids.includes(id), `${id} in ${ids}`);
  assert.equal((await client.models.retrieve('auto')).id, 'auto');
  await assert.rejects(client.models.retrieve('nothing/like-that'), OpenAI.NotFoundError);
});

test('log-probabilities and several answers come from either kind of provider', async () => {
  for (const model of ['large', 'other']) {
    const ask = say('[mock text="to be or not"]', { model, logprobs: true, top_logprobs: 2, n: 2 });
    const whole = await client.chat.completions.create(ask);
    assert.deepEqual(whole.choices.map((c) => [c.index, c.message.content]), [[0, 'to be or not'], [1, 'to be or not']]);
    const tokens = whole.choices[1].logprobs.content;
    assert.equal(tokens.map((t) => Buffer.from(t.bytes).toString()).join(''), 'to be or not');
    assert.ok(tokens.every((t) => t.logprob <= 0 && t.top_logprobs.length === 2), JSON.stringify(tokens));
    const stream = client.chat.completions.stream(ask);
    const { choices } = await stream.finalChatCompletion();
    assert.deepEqual(choices.map((c) => [c.index, c.message.content]), [[0, 'to be or not'], [1, 'to be or not']]);
    for (const c of choices) assert.deepEqual(c.logprobs.content, tokens, model);
  }
});

test('a stream carries the same text as the whole answer', async () => {
  const ask = say('Tell me a story [mock tokens=60]', { model: 'small' });
  const whole = await client.chat.completions.create(ask);
  const stream = await client.chat.completions.create({ ...ask, stream: true });
  let text = '', finish = null, n = 0;
  for await (const chunk of stream) {
    n++;
    assert.equal(chunk.usage ?? null, null, 'usage was not asked for');
    assert.equal(chunk.choices.length, 1);
    text += chunk.choices[0].delta.content ?? '';
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.equal(text.length, whole.choices[0].message.content.length);
  assert.equal(finish, 'stop');
  assert.ok(n > 30, `${n} chunks`);
});

test('a stream brings its usage when asked', async () => {
  const stream = await client.chat.completions.create(
    say('Count', { stream: true, stream_options: { include_usage: true } }));
  let last;
  for await (const chunk of stream) last = chunk;
  assert.deepEqual(last.choices, []);
  assert.ok(last.usage.completion_tokens > 0);
});

test('tools are called in a loop of several turns', async () => {
  const messages = [{ role: 'user', content: 'Weather in Paris?' }];
  const first = await client.chat.completions.create({ model: 'auto', messages, tools: [weather] });
  const call = first.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, 'get_weather');
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  messages.push(first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '{"celsius": 21}' });
  const second = await client.chat.completions.create({ model: 'auto', messages, tools: [weather] });
  assert.equal(second.choices[0].finish_reason, 'stop');
  assert.ok(second.choices[0].message.content);
});

test('streamed parallel tool calls are put together by the SDK', async () => {
  const runner = client.chat.completions.stream(
    say('Weather in Paris and Rome? [mock tools=2]', { tools: [weather] }));
  const final = await runner.finalChatCompletion();
  const calls = final.choices[0].message.tool_calls;
  assert.equal(calls.length, 2);
  for (const c of calls) JSON.parse(c.function.arguments);
  assert.notEqual(calls[0].id, calls[1].id);
});

test('structured output keeps to its schema', async () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
    required: ['name', 'age', 'tags'],
    additionalProperties: false,
  };
  const answer = await client.chat.completions.create(say('Extract', {
    response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } },
  }));
  const person = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual(Object.keys(person).sort(), ['age', 'name', 'tags']);
});

test('an image goes to the model that can see', async () => {
  const content = [
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
  ];
  const { response } = await client.chat.completions.create(say(content)).withResponse();
  assert.equal(response.headers.get('x-weir-model'), 'large-1');
});

test('errors have the shape and class of the original', async () => {
  await assert.rejects(client.chat.completions.create(say('x', { model: 'no-such-model' })), (e) => {
    assert.ok(e instanceof OpenAI.NotFoundError);
    assert.equal(e.code, 'model_not_found');
    assert.match(e.message, /no-such-model/);
    return true;
  });
  await assert.rejects(client.chat.completions.create({ model: 'auto', messages: [] }), OpenAI.BadRequestError);
  await assert.rejects(client.chat.completions.create({ model: 'auto', messages: [{ role: 5, content: 'x' }] }), (e) => {
    assert.ok(e instanceof OpenAI.BadRequestError);
    assert.match(e.message, /messages\[0\]\.role/);
    return true;
  });
  await assert.rejects(client.chat.completions.create(say('[mock status=429 retry-after=7]', { model: 'cheap' })), (e) => {
    assert.ok(e instanceof OpenAI.RateLimitError);
    assert.equal(e.headers.get('retry-after'), '7');
    return true;
  });
  await assert.rejects(client.chat.completions.create(say('[mock garbage]', { model: 'cheap' })), (e) => {
    assert.equal(e.status, 502);
    return true;
  });
});

test('a dead provider is passed over', async () => {
  const { data, response } = await client.chat.completions.create(say('Hi', { model: 'shaky' })).withResponse();
  assert.equal(response.headers.get('x-weir-model'), 'large-1');
  assert.ok(data.choices[0].message.content);
});

test('a stream that breaks off is an error, not a short answer', async () => {
  const stream = await client.chat.completions.create(
    say('[mock tokens=50 cut=10]', { model: 'small', stream: true }));
  await assert.rejects(async () => { for await (const _ of stream); }, (e) => e instanceof OpenAI.APIError);
});

test('a client that leaves stops the upstream call', async () => {
  const ledger = async () => (await fetch(`${process.env.MOCK_URL}/mock/ledger`)).json();
  const before = (await ledger()).aborted;
  const { data: stream, response } = await client.chat.completions.create(
    say('[mock tokens=4000]', { model: 'large', stream: true })).withResponse();
  let n = 0;
  for await (const _ of stream) if (++n === 5) break;
  let after = before;
  for (let i = 0; i < 50 && after === before; i++) {
    await new Promise((r) => setTimeout(r, 20));
    after = (await ledger()).aborted;
  }
  assert.equal(after, before + 1);
  const logged = await row(response.headers.get('x-weir-request-id'));
  assert.equal(logged.status, 499);
  assert.ok(logged.output_tokens > 0 && logged.output_tokens < 4000);
  assert.ok(logged.cost_pico > 0);
});

test('a large prompt in many scripts arrives unharmed', async () => {
  const text = 'naïve Ünïcödé 日本語 😀 \u0000 "quotes" \\ end. '.repeat(20000);
  const { data } = await client.chat.completions.create(say(text, { model: 'large' })).withResponse();
  assert.ok(data.usage.prompt_tokens > 100000);
});

test('what is refused is logged too', async () => {
  const res = await fetch(`${base}/v1/chat/completions`, { method: 'POST', body: '{"model": "auto", nonsense' });
  assert.equal(res.status, 400);
  const body = await res.json();
  assert.equal(body.error.type, 'invalid_request_error');
  const logged = await row(res.headers.get('x-weir-request-id'));
  assert.equal(logged.status, 400);
});

test('feedback labels a request', async () => {
  const { response } = await client.chat.completions.create(say('Rate me')).withResponse();
  const id = response.headers.get('x-weir-request-id');
  const send = (body) => fetch(`${base}/v1/feedback`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  await row(id);
  assert.equal((await send({ request_id: id, score: 1, comment: 'good' })).status, 200);
  assert.equal((await send({ request_id: 'req_aaaaaaaaaaaaaaaaaaaaaaaa', score: 1 })).status, 404);
  assert.equal((await send({ request_id: id, score: 7 })).status, 400);
});

test('a dry run explains each arm', async () => {
  const res = await fetch(`${base}/v1/weir/explain`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify(say('Prove that there are infinitely many primes.')) });
  assert.equal(res.status, 200);
  const out = await res.json();
  assert.deepEqual(out.arms.map((a) => a.arm).sort(), ['large', 'small']);
  assert.equal(out.arms.filter((a) => a.chosen).length, 1);
});
