// The official SDKs for JavaScript, unmodified, against a running gateway. CLAW_URL and CLAW_KEY
// name it; it serves `gpt-test`, `claude-test`, `ollama-test` and `gemini-test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { CLAW_URL: url, CLAW_KEY: apiKey } = process.env;
const models = ["gpt-test", "claude-test", "ollama-test", "gemini-test"];
const gpt = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const claude = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const cities = [{ city: "Paris" }, { city: "Rome" }];
const schema = { type: "object", properties: { city: { type: "string" } } };

for (const model of models) {
  test(`openai: plain and streamed, ${model}`, async () => {
    const answer = await gpt.chat.completions.create({ model, messages: user("hello there") });
    assert.equal(answer.choices[0].message.content, "you said: hello there");
    const stream = await gpt.chat.completions.create({ model, messages: user("a b c"), stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0].delta.content ?? "";
    assert.equal(text, "you said: a b c");
  });

  test(`openai: tools in parallel, ${model}`, async () => {
    const tools = [{ type: "function", function: { name: "weather", parameters: schema } }];
    const stream = gpt.chat.completions.stream({ model, messages: user("use tools"), tools });
    const answer = await stream.finalChatCompletion();
    const calls = answer.choices[0].message.tool_calls.map((call) => JSON.parse(call.function.arguments));
    assert.deepEqual(calls, cities);
  });

  test(`openai: responses, ${model}`, async () => {
    const answer = await gpt.responses.create({ model, input: "hello" });
    assert.equal(answer.output_text, "you said: hello");
    let text = "";
    for await (const event of await gpt.responses.create({ model, input: "a b", stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, "you said: a b");
  });

  test(`anthropic: plain and streamed, ${model}`, async () => {
    const ask = { model, max_tokens: 50, messages: user("a b") };
    const answer = await claude.messages.create(ask);
    assert.equal(answer.content[0].text, "you said: a b");
    const final = await claude.messages.stream(ask).finalMessage();
    assert.deepEqual([final.content[0].text, final.stop_reason, final.usage.output_tokens], ["you said: a b", "end_turn", 8]);
  });

  test(`anthropic: tools in parallel, ${model}`, async () => {
    const tools = [{ name: "weather", input_schema: schema }];
    const final = await claude.messages.stream({ model, max_tokens: 50, messages: user("use tools"), tools }).finalMessage();
    const calls = final.content.filter((block) => block.type === "tool_use").map((block) => block.input);
    assert.deepEqual(calls, cities);
  });

  test(`errors are of the right class, ${model}`, async () => {
    const ask = (fault) => gpt.chat.completions.create({ model, messages: user(`fault:${fault}`) });
    await assert.rejects(ask(429), OpenAI.RateLimitError);
    await assert.rejects(ask(400), OpenAI.BadRequestError);
    await assert.rejects(ask(500), OpenAI.InternalServerError);
    const say = (fault) => claude.messages.create({ model, max_tokens: 5, messages: user(`fault:${fault}`) });
    await assert.rejects(say(429), Anthropic.RateLimitError);
    await assert.rejects(say(404), Anthropic.NotFoundError);
  });
}

test("embeddings, models and keys", async () => {
  const made = await gpt.embeddings.create({ model: "gpt-test", input: ["a", "b"] });
  assert.deepEqual(made.data.map((item) => [...item.embedding]), [[1, -0.5], [1, -0.5]]);
  const names = [];
  for await (const model of gpt.models.list()) names.push(model.id);
  assert.ok(models.every((model) => names.includes(model)));
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong".repeat(8), maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test("a stream that is left hangs up", async () => {
  const stream = await gpt.chat.completions.create({ model: "gpt-test", messages: user("endless"), stream: true });
  for await (const _ of stream) break;
});
