// SPDX-License-Identifier: Apache-2.0
// Measures the token estimate against real tokenizers; run by tokens.sh.
// node tokens.mjs ESTIMATOR [--dump FILE]: prints the table of docs/tokens.md.
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {encode as o200k} from 'gpt-tokenizer/encoding/o200k_base';
import {encode as cl100k} from 'gpt-tokenizer/encoding/cl100k_base';
import {countTokens} from '@anthropic-ai/tokenizer';

const samples = []; // {class, text}
const add = (name, text) => text.trim() && samples.push({class: name, text});

const paragraphs = JSON.parse(readFileSync('tests/measure/paragraphs.json'));
for (const [name, list] of Object.entries(paragraphs))
  for (const text of [...list, list.join('\n\n')]) add(name, text);

const files = execFileSync('git', ['ls-files'], {encoding: 'utf8'}).split('\n');
const pieces = (name, text, size) => {
  for (let i = 0; i + size / 2 < text.length; i += size)
    add(name, text.slice(i, i + size));
};
for (const f of files.filter(f => f && existsSync(f))) {
  if (/^(base|models|features|datasets)\/.*\.[ch]$/.test(f) &&
      !/_data\.c$/.test(f))
    pieces('source code (C)', readFileSync(f, 'utf8'), 3000);
  if (/\.(sh|mjs|py)$/.test(f))
    pieces('scripts', readFileSync(f, 'utf8'), 2000);
  if (/\.md$/.test(f)) pieces('markdown', readFileSync(f, 'utf8'), 2000);
}
for (const line of readFileSync('tests/golden/requests.jsonl', 'utf8')
         .split('\n').filter(Boolean)) {
  const text = line.slice(0, 3000);
  // eslint-disable-next-line no-control-regex
  if (/^[\x00-\x7f]*$/.test(text) && !text.includes('\\u')) add('JSON', text);
}

const sets = {
  'prompts: school questions': 'routellm-mmlu', 'prompts: word problems':
  'routellm-gsm8k', 'prompts: open tasks': 'routellm-mtbench',
  'prompts: LaTeX': 'zeroeval-math', 'prompts: Python': 'zeroeval-crux',
  'prompts: mixed tasks': 'tasks14-test',
};
for (const [name, set] of Object.entries(sets)) {
  const file = `../shared/data/${set}.jsonl.gz`;
  if (!existsSync(file)) {
    console.error(`${file} is not there: left out`);
    continue;
  }
  gunzipSync(readFileSync(file)).toString().split('\n').filter(Boolean)
      .slice(0, 300)
      .forEach(l => add(name, JSON.parse(l).messages.at(-1).content));
}

const input = samples.map(s => JSON.stringify(s.text)).join('\n') + '\n';
const got = execFileSync(process.argv[2], {input, maxBuffer: 1 << 28})
                .toString().trim().split('\n').map(Number);
const counters = {
  o200k_base: t => o200k(t, {allowedSpecial: 'all'}).length,
  cl100k_base: t => cl100k(t, {allowedSpecial: 'all'}).length,
  'claude (2023)': countTokens,
};
samples.forEach((s, i) => {
  s.got = got[i];
  s.counts = Object.values(counters).map(f => f(s.text));
});
if (process.argv[3] === '--dump')
  writeFileSync(process.argv[4],
                samples.map(s => JSON.stringify(s)).join('\n'));

const at = (sorted, q) => sorted[Math.min(sorted.length - 1,
                                          Math.floor(sorted.length * q))];
const percent = x => (100 * x).toFixed(1);
console.log('| class | texts | ' + Object.keys(counters).map(
    c => `${c}: median, p90 | bias`).join(' | ') + ' |');
console.log('|---|---|' + '---|---|'.repeat(3));
for (const name of new Set(samples.map(s => s.class))) {
  const rows = samples.filter(s => s.class === name);
  const cells = Object.keys(counters).map((_, k) => {
    const e = rows.map(s => Math.abs(s.got - s.counts[k]) / s.counts[k])
                  .sort((a, b) => a - b);
    const sum = f => rows.reduce((n, s) => n + f(s), 0);
    const bias = sum(s => s.got) / sum(s => s.counts[k]) - 1;
    return `${percent(at(e, .5))}, ${percent(at(e, .9))} | ${percent(bias)}`;
  });
  console.log(`| ${name} | ${rows.length} | ${cells.join(' | ')} |`);
}
