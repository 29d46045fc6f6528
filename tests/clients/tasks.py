"""Tasks, which the SDK for Python and FastMCP leave to extensions: one that fits both."""

from typing import Literal

import anyio
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict


class Created(Result):
    """What a call is answered with that has become a task."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"]
    task_id: str


class TaskParams(RequestParams):
    task_id: str


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class Told(Result):
    """How a task stands."""

    model_config = ConfigDict(extra="allow")


class Tasks(ClientExtension):
    """A call gives the task, and whoever wants to asks for it."""

    identifier = "io.modelcontextprotocol/tasks"

    def claims(self):
        async def resolve(created, context):
            return CallToolResult(content=[], structured_content={"task": created.task_id})

        return [ResultClaim(result_type="task", model=Created, resolve=resolve)]


async def followed(session, task):
    """Asks for a task until it is over."""
    request = GetTask(params=TaskParams(task_id=task))
    with anyio.move_on_after(60):
        while True:
            told = await session.send_request(request, Told)
            if told.status not in ("working", "input_required"):
                return told.model_dump(by_alias=True, mode="json")
            await anyio.sleep(0.1)
    return {"status": "it has not ended in time"}
