"""The trivial tool served by the Python SDK: `python.py stdio`, or `python.py http PORT`."""

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("bench")


@server.tool()
def echo(value: str) -> str:
    """Gives back what it got."""
    return value


if sys.argv[1] == "stdio":
    server.run("stdio")
else:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
