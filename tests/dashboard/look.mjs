// `node look.mjs TEST TASK` has a browser do a test; ends with 0 when all is as it should be.
import { Visit } from "./browser.mjs";

const [, , test, task] = process.argv;
const { run } = await import(`./${test}.mjs`);
const wanted = JSON.parse(task);
let visit;
try {
  visit = await Visit.begin(wanted.window);
  await run(visit, wanted);
  await visit.end();
} catch (error) {
  if (visit?.page) await visit.shot(`failed-${test}`).catch(() => {});
  await visit?.browser.close();
  console.error([error.stack, ...(visit?.wrong ?? [])].join("\n"));
  process.exit(1);
}
