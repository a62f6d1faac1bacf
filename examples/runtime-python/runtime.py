"""A runtime in FastAPI that answers by echo. Replace `think`; keep the rest.

pip install fastapi uvicorn && uvicorn runtime:app --port 8000
"""
import asyncio
import json

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

app = FastAPI()
running: dict[str, asyncio.Task] = {}  # the newest execution of each session
DONE = "data: [DONE]\r\n\r\n"


class Execute(BaseModel):  # FastAPI answers 422 to a body that lacks a field
    session_id: str
    user_message: str
    history_messages: list[dict] = []  # oldest first; ends with the present message
    metadata: dict = {}


def frame(event: str, data: dict) -> str:
    return f"data: {json.dumps({'event': event, 'data': data})}\r\n\r\n"


async def think(body: Execute, is_shadow: bool):
    """The agent. In a shadow it must change nothing in the world."""
    yield frame("thinking", {"content": "Reading the message.", "stage": "analysis"})
    if "tool" in body.user_message and not is_shadow:
        yield frame("tool_call_start", {"tool_name": "clock", "arguments": {}})
        yield frame("tool_call_complete", {"tool_name": "clock", "result": "noon", "success": True})
    for word in f"You said: {body.user_message}".split(" "):
        await asyncio.sleep(0.02)
        yield frame("text_chunk", {"content": word + " "})


async def run(body: Execute, is_shadow: bool, queue: asyncio.Queue):
    try:
        async for event in think(body, is_shadow):
            queue.put_nowait(event)
        queue.put_nowait(frame("execution_complete", {}))
    except asyncio.CancelledError:
        queue.put_nowait(frame("execution_error", {"error": "cancelled", "code": "EXECUTION_CANCELLED"}))
    except Exception as error:  # told as an error, never as text of the answer
        queue.put_nowait(frame("execution_error", {"error": type(error).__name__, "code": "AGENT_FAILED"}))
    queue.put_nowait(DONE)


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.post("/api/v1/execute/stream")
async def execute(body: Execute, request: Request):
    is_shadow = request.headers.get("x-chat-shadow") == "1"
    queue: asyncio.Queue = asyncio.Queue()
    task = running[body.session_id] = asyncio.create_task(run(body, is_shadow, queue))

    async def events():
        event = ""
        try:
            while event != DONE:
                try:
                    event = await asyncio.wait_for(queue.get(), 15)
                except asyncio.TimeoutError:
                    event = ": ping\r\n\r\n"  # nothing came for 15 s: keeps the connection open
                yield event
        finally:  # also when the service has gone away
            task.cancel()
            if running.get(body.session_id) is task:
                del running[body.session_id]

    headers = {"X-Request-ID": request.headers.get("x-request-id", "")}
    if is_shadow:
        headers["X-Chat-Shadow"] = "honoured"
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


@app.post("/api/v1/execute/cancel")
async def cancel(request: Request):
    session_id = (await request.json()).get("session_id")
    if not session_id:
        return JSONResponse({"error": "session_id is required"}, status_code=400)
    task = running.get(session_id)
    return {"cancelled": task is not None and task.cancel(), "session_id": session_id}
