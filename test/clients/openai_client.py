"""Turns by the library `openai`: a line of JSON asks for one, a line of JSON answers."""

import json
import sys

from openai import APIError, OpenAI


def main(asked: dict) -> dict:
    client = OpenAI(
        base_url=asked["baseUrl"],
        api_key=asked["apiKey"],
        max_retries=0,
        default_headers={"Accept-Language": "en"},
    )
    fields = {
        "model": asked["model"],
        "messages": asked["messages"],
        "extra_headers": {"X-Chat-Session-Id": asked["session"]},
    }
    if asked["way"] == "whole":
        answer = client.chat.completions.create(**fields)
        message = answer.choices[0].message
        reasoning = getattr(message, "reasoning_content", "")
        return {"text": message.content, "reasoning": reasoning, "tokens": answer.usage.total_tokens}
    text, reasoning, tokens = "", "", 0
    stream = client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True})
    for chunk in stream:
        if chunk.usage is not None:
            tokens += chunk.usage.total_tokens
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += getattr(choice.delta, "reasoning_content", None) or ""
    return {"text": text, "reasoning": reasoning, "tokens": tokens}


for line in sys.stdin:
    try:
        answer = main(json.loads(line))
    except APIError as error:
        answer = {"error": f"{type(error).__name__}: {error.message}"}
    print(json.dumps(answer), flush=True)
