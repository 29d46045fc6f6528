"""Drives a server with FastMCP's client: takes what to do as JSON, prints what came of it, a line each."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

from tasks import Tasks, followed


def target(server):
    if "command" in server:
        command = server["command"]
        return StdioTransport(command[0], command[1:], env=server.get("env"), cwd=server.get("cwd"), keep_alive=False)
    headers = {"Authorization": f"Bearer {server['token']}"} if server.get("token") else {}
    return StreamableHttpTransport(server["url"], headers=headers)


async def run(task):
    answers, asked, progress, changes = [], [], [], []

    async def elicit(message, response_type, params, context):
        asked.append(message)
        if not answers:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content=answers.pop(0))

    async def told(done, total, message):
        progress.append(done)

    async def heard(message):
        if "ToolListChanged" in type(message).__name__ + type(getattr(message, "root", None)).__name__:
            changes.append(message)

    client = Client(
        target(task["server"]),
        mode=task.get("mode", "auto"),
        elicitation_handler=elicit,
        message_handler=heard,
        extensions=[Tasks()] if task.get("tasks") else None,
    )
    async with client:
        for step in task["do"]:
            if "list" in step:
                seen = {
                    "version": client.protocol_version,
                    "tools": [tool.name for tool in await client.list_tools()],
                    "prompts": [prompt.name for prompt in await client.list_prompts()],
                    "resources": [str(resource.uri) for resource in await client.list_resources()],
                }
            elif "task" in step:
                seen = await followed(client.session, step["task"])
            elif "read" in step:
                seen = {"text": (await client.read_resource(step["read"]))[0].text}
            elif "prompt" in step:
                said = await client.get_prompt(step["prompt"], step.get("args"))
                seen = {"text": said.messages[0].content.text}
            elif "complete" in step:
                wanted = step["complete"]
                from mcp.types import PromptReference

                ref = PromptReference(type="ref/prompt", name=wanted["prompt"])
                found = await client.complete(ref, {"name": wanted["argument"], "value": wanted["value"]})
                seen = {"values": found.values}
            elif "changed" in step:
                end = asyncio.get_running_loop().time() + step["changed"]
                while not changes and asyncio.get_running_loop().time() < end:
                    await asyncio.sleep(0.05)
                seen = {"changes": len(changes)}
            else:
                answers[:], asked[:], progress[:] = step.get("answers", []), [], []
                call = client.call_tool_mcp(step["call"], step.get("args", {}), progress_handler=told)
                try:
                    result = await asyncio.wait_for(call, step.get("cancel_after", 60))
                except asyncio.TimeoutError:
                    print(json.dumps({"cancelled": True, "progress": progress}), flush=True)
                    continue
                seen = {
                    "text": [block.text for block in result.content if block.type == "text"],
                    "kinds": [block.type for block in result.content],
                    "structured": result.structured_content,
                    "failed": bool(result.is_error),
                    "asked": list(asked),
                    "progress": list(progress),
                }
            print(json.dumps(seen), flush=True)


asyncio.run(run(json.loads(sys.argv[1])))
