"""Drives a server with the Python SDK: takes what to do as JSON, prints what came of it, a line each."""

import json
import sys

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

from tasks import Tasks, followed


def target(server):
    if "command" in server:
        command = server["command"]
        return StdioServerParameters(command=command[0], args=command[1:], env=server.get("env"), cwd=server.get("cwd"))
    headers = {"Authorization": f"Bearer {server['token']}"} if server.get("token") else {}
    return streamable_http_client(server["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


class Driver:
    def __init__(self, task):
        self.task = task
        self.answers = []
        self.asked = []
        self.changes = 0
        # What an earlier answer was about, for steps that go on with it.
        self.named = {}

    async def elicit(self, context, params):
        self.asked.append(params.message)
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content=answer)

    async def heard(self, message):
        if "ToolListChanged" in type(message).__name__ + type(getattr(message, "root", None)).__name__:
            self.changes += 1

    async def run(self):
        client = Client(
            target(self.task["server"]),
            mode=self.task.get("mode", "auto"),
            elicitation_callback=self.elicit,
            message_handler=self.heard,
            extensions=[Tasks()] if self.task.get("tasks") else None,
        )
        async with client, anyio.create_task_group() as group:
            for step in self.task["do"]:
                if "listen" in step:
                    await group.start(self.listen, client)
                    print(json.dumps({}), flush=True)
                else:
                    print(json.dumps(await self.step(client, step)), flush=True)
            group.cancel_scope.cancel()

    async def listen(self, client, *, task_status):
        async with client.listen(tools_list_changed=True) as events:
            task_status.started()
            async for _ in events:
                self.changes += 1

    def meta(self, step):
        meta = {key: self.named.get(value, value) for key, value in step.get("meta", {}).items()}
        return meta or None

    async def step(self, client, step):
        if "task" in step:
            return await followed(client.session, step["task"])
        if "list" in step:
            tools = (await client.list_tools(cache_mode="bypass", meta=self.meta(step))).tools
            prompts = (await client.list_prompts()).prompts
            resources = (await client.list_resources()).resources
            templates = (await client.list_resource_templates()).resource_templates
            return {
                "version": client.protocol_version,
                "tools": [tool.name for tool in tools],
                "prompts": [prompt.name for prompt in prompts],
                "resources": [str(resource.uri) for resource in resources],
                "templates": [template.uri_template for template in templates],
            }
        if "prompt" in step:
            said = await client.get_prompt(step["prompt"], step.get("args"))
            return {"text": said.messages[0].content.text}
        if "read" in step:
            try:
                read = await client.read_resource(step["read"])
            except Exception as error:  # what it says is what is looked at
                return {"error": getattr(error, "code", None) or getattr(error.error, "code", None)}
            return {"text": read.contents[0].text}
        if "complete" in step:
            wanted = step["complete"]
            ref = {"type": "ref/prompt", "name": wanted["prompt"]}
            from mcp.types import PromptReference

            found = await client.complete(PromptReference(**ref), {"name": wanted["argument"], "value": wanted["value"]})
            return {"values": found.completion.values}
        if "changed" in step:
            with anyio.move_on_after(step["changed"]):
                while not self.changes:
                    await anyio.sleep(0.05)
            return {"changes": self.changes}
        return await self.call(client, step)

    async def call(self, client, step):
        self.answers, self.asked = list(step.get("answers", [])), []
        progress = []

        async def told(done, total, message):
            progress.append(done)

        with anyio.move_on_after(step.get("cancel_after", 60)) as scope:
            result = await client.call_tool(
                step["call"],
                step.get("args", {}),
                progress_callback=None if step.get("quiet") else told,
                meta=self.meta(step),
            )
        if scope.cancelled_caught:
            return {"cancelled": True, "progress": progress}
        if "session" in (result.structured_content or {}):
            self.named["$session"] = result.structured_content["session"]
        return {
            "text": [block.text for block in result.content if block.type == "text"],
            "kinds": [block.type for block in result.content],
            "structured": result.structured_content,
            "failed": bool(result.is_error),
            "asked": self.asked,
            "progress": progress,
        }


anyio.run(Driver(json.loads(sys.argv[1])).run)
