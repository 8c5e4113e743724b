"""The official Python SDKs, unmodified, against a running gateway.

CLAW_URL and CLAW_KEY name the gateway. It serves `gpt-test`, `claude-test`, `ollama-test`
and `gemini-test`, whose providers speak OpenAI's, Anthropic's, Ollama's and Google's own APIs.
"""

import asyncio
import os
import unittest

import anthropic
import openai
import pydantic

URL, KEY = os.environ["CLAW_URL"], os.environ["CLAW_KEY"]
MODELS = ["gpt-test", "claude-test", "ollama-test", "gemini-test"]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Person(pydantic.BaseModel):
    name: str
    age: int


def gpt(**more):
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0, **more)


def claude(**more):
    return anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, **more)


def user(text):
    return [{"role": "user", "content": text}]


def each(test):
    def run(self):
        for model in MODELS:
            with self.subTest(model=model):
                test(self, model)

    return run


class OpenAi(unittest.TestCase):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}]

    @each
    def test_plain(self, model):
        messages = [{"role": "system", "content": "be brief"}] + user("hello there")
        answer = gpt().chat.completions.create(model=model, messages=messages, temperature=0.5, max_tokens=50)
        self.assertEqual(answer.choices[0].message.content, "you said: hello there")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.completion_tokens), (20, 8))
        if model != "ollama-test":
            self.assertEqual(answer.usage.prompt_tokens_details.cached_tokens, 12)
        self.assertTrue(answer._request_id)

    @each
    def test_length(self, model):
        answer = gpt().chat.completions.create(model=model, messages=user("long"), max_tokens=5, stop=["END"])
        self.assertEqual(answer.choices[0].finish_reason, "length")

    @each
    def test_stream(self, model):
        stream = gpt().chat.completions.create(
            model=model, messages=user("a b c"), stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, "you said: a b c")
        self.assertGreater(len(chunks), 4)
        self.assertEqual(chunks[-1].usage.total_tokens, 28)
        without = list(gpt().chat.completions.create(model=model, messages=user("a"), stream=True))
        self.assertTrue(all(chunk.choices and not chunk.usage for chunk in without))

    @each
    def test_parallel_tools(self, model):
        ask = dict(model=model, messages=user("use tools"), tools=self.tools, tool_choice="auto")
        calls = gpt().chat.completions.create(**ask).choices[0].message.tool_calls
        self.assertEqual([call.function.arguments.replace(" ", "") for call in calls],
                         ['{"city":"Paris"}', '{"city":"Rome"}'])
        self.assertEqual(len({call.id for call in calls}), 2)
        parts = {}
        for chunk in gpt().chat.completions.create(**ask, stream=True):
            for piece in chunk.choices[0].delta.tool_calls or []:
                parts.setdefault(piece.index, []).append(piece.function.arguments or "")
        self.assertEqual({index: "".join(text).replace(" ", "") for index, text in parts.items()},
                         {0: '{"city":"Paris"}', 1: '{"city":"Rome"}'})
        messages = user("use tools") + [
            {"role": "assistant", "tool_calls": [call.model_dump() for call in calls]},
            *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls),
        ] + user("thanks")
        answer = gpt().chat.completions.create(model=model, messages=messages, tools=self.tools)
        self.assertEqual(answer.choices[0].message.content, "you said: thanks")

    @each
    def test_structured(self, model):
        answer = gpt().chat.completions.parse(model=model, messages=user("who? json"), response_format=Person)
        self.assertEqual(answer.choices[0].message.parsed, Person(name="Ann", age=7))

    @each
    def test_vision(self, model):
        content = [{"type": "text", "text": "look"},
                   {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]
        answer = gpt().chat.completions.create(model=model, messages=user(content))
        self.assertIn("look", answer.choices[0].message.content)

    @each
    def test_responses(self, model):
        answer = gpt().responses.create(model=model, input="hello", instructions="be brief")
        self.assertEqual((answer.output_text, answer.usage.total_tokens), ("you said: hello", 28))
        with gpt().responses.stream(model=model, input="a b") as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
        self.assertEqual((final.output_text, final.status), ("you said: a b", "completed"))
        self.assertGreaterEqual(kinds.count("response.output_text.delta"), 3)

    def test_embeddings(self):
        for model in ["gpt-test", "ollama-test", "gemini-test"]:
            answer = gpt().embeddings.create(model=model, input=["a", "b"])
            self.assertEqual([item.embedding for item in answer.data], [[1.0, -0.5]] * 2)
            answer = gpt().embeddings.create(model=model, input="a", encoding_format="float")
            self.assertEqual(answer.data[0].embedding, [1.0, -0.5])
            # Google counts none: it is an estimate.
            self.assertEqual(answer.usage.total_tokens, 1 if model == "gemini-test" else 6)
        with self.assertRaises(openai.BadRequestError):
            gpt().embeddings.create(model="claude-test", input="a")

    def test_models(self):
        names = [model.id for model in gpt().models.list()]
        self.assertTrue(set(MODELS) <= set(names))
        self.assertEqual(gpt().models.retrieve("gpt-test").owned_by, "openai")
        with self.assertRaises(openai.NotFoundError):
            gpt().models.retrieve("nobody")

    @each
    def test_errors(self, model):
        for status, kind in [
            (400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError),
            (529, openai.InternalServerError), (404, openai.NotFoundError), (422, openai.UnprocessableEntityError),
        ]:
            with self.subTest(status=status), self.assertRaises(kind) as caught:
                gpt().chat.completions.create(model=model, messages=user(f"fault:{status}"))
            self.assertNotIn("sk-upstream", str(caught.exception))
        with self.assertRaises(openai.RateLimitError) as caught:
            gpt().chat.completions.create(model=model, messages=user("fault:429-after"))
        self.assertEqual(caught.exception.response.headers["retry-after"], "7")
        with self.assertRaises(openai.APITimeoutError):
            gpt(timeout=0.3).chat.completions.create(model=model, messages=user("fault:stall"))

    def test_own_errors(self):
        with self.assertRaises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{URL}/v1", api_key="wrong" * 8, max_retries=0).models.list()
        with self.assertRaises(openai.NotFoundError) as caught:
            gpt().chat.completions.create(model="nobody", messages=user("x"))
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as caught:
            gpt().chat.completions.create(model="claude-test", messages=user("x"), seed=7)
        self.assertEqual(caught.exception.param, "seed")

    def test_what_passes(self):
        raw = gpt().chat.completions.with_raw_response.create(
            model="gpt-test", messages=user("x"), extra_body={"odd": {"a": [1, None]}})
        self.assertEqual(raw.parse().model_extra["echo"], {"a": [1, None]})
        self.assertEqual(raw.headers["x-request-id"], "req_up_1")
        self.assertEqual(raw.headers["x-ratelimit-remaining-requests"], "59")
        self.assertEqual((raw.headers["claw-entry"], raw.headers["claw-attempts"]), ("gpt-test", "1"))
        # 8 plain at 1, 12 cached at 0.5, 8 out at 2 dollars a million.
        self.assertEqual(raw.headers["claw-cost-nanousd"], "30000")

    def test_async(self):
        async def run():
            async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0) as client:
                stream = await client.chat.completions.create(model="claude-test", messages=user("a b"), stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        self.assertEqual(asyncio.run(run()), "you said: a b")


class Claude(unittest.TestCase):
    tools = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]

    @each
    def test_plain(self, model):
        answer = claude().messages.create(model=model, max_tokens=50, system="be brief", messages=user("hello there"))
        self.assertEqual((answer.content[0].text, answer.stop_reason), ("you said: hello there", "end_turn"))
        self.assertEqual(answer.usage.output_tokens, 8)
        self.assertEqual(answer.usage.input_tokens, 20 if model == "ollama-test" else 8)
        self.assertTrue(answer._request_id)

    @each
    def test_stream(self, model):
        with claude().messages.stream(model=model, max_tokens=50, messages=user("a b c")) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual((text, final.stop_reason, final.usage.output_tokens), ("you said: a b c", "end_turn", 8))

    @each
    def test_length(self, model):
        answer = claude().messages.create(model=model, max_tokens=5, messages=user("long"), stop_sequences=["END"])
        self.assertEqual(answer.stop_reason, "max_tokens")

    @each
    def test_parallel_tools(self, model):
        ask = dict(model=model, max_tokens=50, messages=user("use tools"), tools=self.tools)
        answer = claude().messages.create(**ask)
        calls = [block for block in answer.content if block.type == "tool_use"]
        self.assertEqual(([call.input for call in calls], answer.stop_reason),
                         ([{"city": "Paris"}, {"city": "Rome"}], "tool_use"))
        with claude().messages.stream(**ask) as stream:
            final = stream.get_final_message()
        self.assertEqual([block.input for block in final.content if block.type == "tool_use"],
                         [{"city": "Paris"}, {"city": "Rome"}])
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
        messages = ask["messages"] + [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
            {"role": "user", "content": results + [{"type": "text", "text": "thanks"}]},
        ]
        answer = claude().messages.create(model=model, max_tokens=50, messages=messages, tools=self.tools)
        self.assertIn("thanks", answer.content[0].text)

    @each
    def test_vision(self, model):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        content = [{"type": "text", "text": "look"}, image]
        answer = claude().messages.create(model=model, max_tokens=50, messages=user(content))
        self.assertIn("look", answer.content[0].text)

    def test_count_tokens(self):
        counted = claude().messages.count_tokens(model="claude-test", messages=user("x"))
        self.assertEqual(counted.input_tokens, 42)
        self.assertGreater(claude().messages.count_tokens(model="gpt-test", messages=user("x" * 40)).input_tokens, 5)

    def test_models(self):
        self.assertTrue(set(MODELS) <= {model.id for model in claude().models.list()})
        self.assertEqual(claude().models.retrieve("claude-test").type, "model")

    @each
    def test_errors(self, model):
        for status, kind in [
            (400, anthropic.BadRequestError), (429, anthropic.RateLimitError), (500, anthropic.InternalServerError),
            (404, anthropic.NotFoundError),
        ]:
            with self.subTest(status=status), self.assertRaises(kind):
                claude().messages.create(model=model, max_tokens=5, messages=user(f"fault:{status}"))
        with self.assertRaises(anthropic.APITimeoutError):
            claude(timeout=0.3).messages.create(model=model, max_tokens=5, messages=user("fault:stall"))

    def test_own_errors(self):
        with self.assertRaises(anthropic.AuthenticationError):
            anthropic.Anthropic(base_url=URL, api_key="wrong" * 8, max_retries=0).models.list()
        with self.assertRaises(anthropic.BadRequestError) as caught:
            claude().messages.create(model="gpt-test", max_tokens=5, messages=user("x"), extra_body={"top_k": 3})
        self.assertIn("top_k", str(caught.exception))

    def test_what_passes(self):
        raw = claude().messages.with_raw_response.create(
            model="claude-test", max_tokens=5, messages=user("x"), extra_body={"odd": [1.5]},
            extra_headers={"anthropic-beta": "beta-1"})
        self.assertEqual(raw.parse().model_extra["echo"], [1.5])
        self.assertEqual(raw.headers["request-id"], "req_up_1")
        self.assertEqual(raw.headers["anthropic-ratelimit-requests-remaining"], "58")

    def test_async(self):
        async def run():
            async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as client:
                async with client.messages.stream(model="gpt-test", max_tokens=9, messages=user("a b")) as stream:
                    return "".join([text async for text in stream.text_stream])

        self.assertEqual(asyncio.run(run()), "you said: a b")


if __name__ == "__main__":
    unittest.main()
