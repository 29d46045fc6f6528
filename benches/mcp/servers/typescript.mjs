// The trivial tool served by the TypeScript SDK: `typescript.mjs MODULES stdio`, or `typescript.mjs MODULES http PORT`.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, kind, port] = process.argv.slice(2);
const require = createRequire(`${modules}/none.js`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { McpServer } = await load('@modelcontextprotocol/sdk/server/mcp.js');
const { z } = await load('zod');

function make() {
  const server = new McpServer({ name: 'bench', version: '0' });
  const definition = { description: 'Gives back what it got', inputSchema: { value: z.string() } };
  server.registerTool('echo', definition, async ({ value }) => ({ content: [{ type: 'text', text: value }] }));
  return server;
}

if (kind === 'stdio') {
  const { StdioServerTransport } = await load('@modelcontextprotocol/sdk/server/stdio.js');
  await make().connect(new StdioServerTransport());
} else {
  const { StreamableHTTPServerTransport } = await load('@modelcontextprotocol/sdk/server/streamableHttp.js');
  const sessions = new Map();
  const answer = async (request, response) => {
    let transport = sessions.get(request.headers['mcp-session-id']);
    if (!transport) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => sessions.set(id, transport),
      });
      await make().connect(transport);
    }
    await transport.handleRequest(request, response);
  };
  createServer(answer).listen(Number(port), '127.0.0.1');
}
