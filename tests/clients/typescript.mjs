// Drives a server with the TypeScript SDK, the first or the second: takes what to do as JSON, prints what
// came of it, a line each. AA_CLIENTS is the folder with node_modules.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.AA_CLIENTS + "/package.json");
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const task = JSON.parse(process.argv[2]);

// What differs between the two: where things are, and how a handler is given.
async function sdk() {
  if (task.sdk === 2) {
    const all = await load("@modelcontextprotocol/client");
    const stdio = await load("@modelcontextprotocol/client/stdio");
    return {
      Client: all.Client,
      Http: all.StreamableHTTPClientTransport,
      Stdio: stdio.StdioClientTransport,
      onElicit: (client, handler) => client.setRequestHandler("elicitation/create", handler),
      onChange: (client, handler) => client.setNotificationHandler("notifications/tools/list_changed", handler),
      call: (client, params, options) => client.callTool(params, options),
    };
  }
  const index = await load("@modelcontextprotocol/sdk/client/index.js");
  const http = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const stdio = await load("@modelcontextprotocol/sdk/client/stdio.js");
  const types = await load("@modelcontextprotocol/sdk/types.js");
  return {
    Client: index.Client,
    Http: http.StreamableHTTPClientTransport,
    Stdio: stdio.StdioClientTransport,
    onElicit: (client, handler) => client.setRequestHandler(types.ElicitRequestSchema, handler),
    onChange: (client, handler) => client.setNotificationHandler(types.ToolListChangedNotificationSchema, handler),
    call: (client, params, options) => client.callTool(params, undefined, options),
  };
}

const { Client, Http, Stdio, onElicit, onChange, call } = await sdk();
const tasks = task.tasks && { extensions: { "io.modelcontextprotocol/tasks": {} } };
const capabilities = { elicitation: { form: {} }, ...tasks };
const options = task.mode === "auto" ? { capabilities, versionNegotiation: { mode: "auto" } } : { capabilities };
const client = new Client({ name: "aa-test", version: "1" }, options);
let answers = [];
let asked = [];
let changes = 0;
// What an earlier answer was about, for steps that go on with it.
const named = {};
onElicit(client, async (request) => {
  asked.push(request.params.message);
  return answers.length ? { action: "accept", content: answers.shift() } : { action: "decline" };
});
onChange(client, async () => {
  changes += 1;
});

const { command, env, cwd, url, token } = task.server;
const transport = command
  ? new Stdio({ command: command[0], args: command.slice(1), env, cwd, stderr: "inherit" })
  : new Http(new URL(url), { requestInit: { headers: token ? { Authorization: `Bearer ${token}` } : {} } });
await client.connect(transport);
// The SDK knows no tasks: what it takes for a mistake is looked at before it gets it.
let begun;
const take = transport.onmessage;
transport.onmessage = (message, extra) => {
  if (message.result?.resultType === "task") begun = message.result.taskId;
  take(message, extra);
};
const anything = { "~standard": { version: 1, vendor: "aa", validate: (value) => ({ value }) } };

// Asks for a task until it is over.
async function followed(taskId) {
  for (const until = Date.now() + 60000; Date.now() < until; ) {
    const told = await client.request({ method: "tasks/get", params: { taskId } }, anything);
    if (!["working", "input_required"].includes(told.status)) return told;
    await new Promise((done) => setTimeout(done, 100));
  }
  return { status: "it has not ended in time" };
}

const all = async (list, key) => (await list())[key];
const meta = (step) =>
  step.meta && { _meta: Object.fromEntries(Object.entries(step.meta).map(([key, value]) => [key, named[value] ?? value])) };

async function step(step) {
  if (step.listen) {
    await client.listen({ toolsListChanged: true });
    return {};
  }
  if (step.list) {
    return {
      tools: (await all(() => client.listTools(meta(step)), "tools")).map((tool) => tool.name),
      prompts: (await all(() => client.listPrompts(), "prompts")).map((prompt) => prompt.name),
      resources: (await all(() => client.listResources(), "resources")).map((resource) => resource.uri),
    };
  }
  if (step.task) return followed(step.task);
  if (step.read) return { text: (await client.readResource({ uri: step.read })).contents[0].text };
  if (step.prompt) {
    const said = await client.getPrompt({ name: step.prompt, arguments: step.args ?? {} });
    return { text: said.messages[0].content.text };
  }
  if (step.complete) {
    const { prompt, argument, value } = step.complete;
    const found = await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name: argument, value } });
    return { values: found.completion.values };
  }
  if (step.changed) {
    const until = Date.now() + step.changed * 1000;
    while (!changes && Date.now() < until) await new Promise((done) => setTimeout(done, 50));
    return { changes };
  }
  answers = step.answers ?? [];
  asked = [];
  const progress = [];
  const stop = new AbortController();
  const options = { signal: stop.signal, timeout: 60000 };
  if (!step.quiet) options.onprogress = (told) => progress.push(told.progress);
  if (step.cancel_after) setTimeout(() => stop.abort("enough"), step.cancel_after * 1000);
  try {
    const result = await call(client, { name: step.call, arguments: step.args ?? {}, ...meta(step) }, options);
    if (result.structuredContent?.session) named.$session = result.structuredContent.session;
    return {
      text: result.content.filter((block) => block.type === "text").map((block) => block.text),
      kinds: result.content.map((block) => block.type),
      structured: result.structuredContent ?? null,
      failed: Boolean(result.isError),
      asked,
      progress,
    };
  } catch (error) {
    if (stop.signal.aborted) return { cancelled: true, progress };
    if (begun) return { structured: { task: begun } };
    throw error;
  }
}

for (const next of task.do) console.log(JSON.stringify(await step(next)));
// A cancelled call is told to the server before the connection ends.
await new Promise((done) => setTimeout(done, 100));
await client.close();
process.exit(0);
