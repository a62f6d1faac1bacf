"""Turns by LangChain: a line of JSON asks for one, a line of JSON answers."""

import json
import sys

from langchain_openai import ChatOpenAI
from openai import APIError


def main(asked: dict) -> dict:
    chat = ChatOpenAI(
        model=asked["model"],
        base_url=asked["baseUrl"],
        api_key=asked["apiKey"],
        max_retries=0,
        stream_usage=True,
        default_headers={"Accept-Language": "en"},
    )
    headers = {"X-Chat-Session-Id": asked["session"]}
    if asked["way"] == "whole":
        answer = chat.invoke(asked["messages"], extra_headers=headers)
        return {"text": answer.text, "tokens": answer.usage_metadata["total_tokens"]}
    text, tokens = "", 0
    for chunk in chat.stream(asked["messages"], extra_headers=headers):
        text += chunk.text
        tokens += (chunk.usage_metadata or {}).get("total_tokens", 0)
    return {"text": text, "tokens": tokens}


for line in sys.stdin:
    try:
        answer = main(json.loads(line))
    except APIError as error:
        answer = {"error": f"{type(error).__name__}: {error.message}"}
    print(json.dumps(answer), flush=True)
