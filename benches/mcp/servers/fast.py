"""The trivial tool served by FastMCP: `fast.py stdio`, or `fast.py http PORT`."""

import sys

from fastmcp import FastMCP

server = FastMCP("bench")


@server.tool
def echo(value: str) -> str:
    """Gives back what it got."""
    return value


if sys.argv[1] == "stdio":
    server.run(transport="stdio", show_banner=False)
else:
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[2]), show_banner=False)
