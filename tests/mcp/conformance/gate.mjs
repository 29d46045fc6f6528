// Stands before a server that wants a key, and shows it: the suite has none to show.
//
// Prints its own port, and reads the server's port and the key from its first line of stdin.

import http from "node:http";
import { createInterface } from "node:readline";

let server;

const gate = http.createServer((asked, answer) => {
  const { method, url: path, headers } = asked;
  const options = { host: "127.0.0.1", port: server.port, method, path };
  const passed = http.request({ ...options, headers: { ...headers, authorization: `Bearer ${server.key}` } });
  passed.on("response", (answered) => {
    answer.writeHead(answered.statusCode, answered.headers);
    answer.flushHeaders();
    answered.pipe(answer);
  });
  passed.on("error", () => answer.destroy());
  // Whoever hangs up here hangs up there.
  answer.on("close", () => passed.destroy());
  asked.pipe(passed);
});

createInterface({ input: process.stdin }).on("line", (line) => {
  const [port, key] = line.split(" ");
  server = { port, key };
});
process.stdin.on("end", () => process.exit());
gate.listen(0, "127.0.0.1", () => console.log(gate.address().port));
