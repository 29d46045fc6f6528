// Ten thousand runs, and a run of a thousand steps while it goes on.
import { check, same } from "./browser.mjs";

export async function run(visit, { big, runs }) {
  const { page } = visit;
  const took = async (path) => {
    const began = Date.now();
    await visit.go(path);
    return Date.now() - began;
  };
  for (const path of ["/ui", "/ui/runs", "/ui/runs?status=failed&skill=look"]) {
    const ms = await took(path);
    console.log(`${path} with ${runs} runs: ${ms} ms`);
    check(ms < 5000, `${path} took ${ms} ms`);
  }
  await visit.go("/ui/runs");
  const seen = new Set();
  for (let turn = 0; turn < 4; turn += 1) {
    const rows = await page.locator("tbody tr").evaluateAll((all) => all.map((row) => row.id));
    same(rows.length, 50, "rows of a page");
    for (const row of rows) seen.add(row);
    await page.getByRole("link", { name: "Older" }).click();
    await page.waitForURL(/before=/);
  }
  same(seen.size, 200, "different runs on four pages");

  const ms = await took(`/ui/runs/${big}?view=graph`);
  console.log(`the graph of a thousand steps: ${ms} ms`);
  await page.evaluate(() => { window.loadedOnce = true; });
  same(await page.locator("#graph a").count(), 1000, "boxes");
  await page.locator("#g-s300 .completed").waitFor({ state: "attached" });
  await visit.shot("thousand-graph");
  await turnedAround(page);
  // A busy machine takes its time for a thousand durable steps; what counts is that the page follows.
  await page.locator("#s-s700.is-completed").waitFor({ state: "attached", timeout: 150_000 });
  await visit.shot("thousand-timeline");
  await visit.has(".head .badge", "completed");
  same(await page.locator("#steps li").evaluateAll((all) => all.filter((row) => row.className.includes("is-completed")).length), 1000, "rows that are over");
  const order = await page.locator("#steps li").evaluateAll((all) => all.map((row) => row.id));
  same(order.slice(0, 3).concat(order.at(-1)), ["s-s0", "s-s1", "s-s2", "s-s999"], "the order of the rows");
  check(await page.evaluate(() => window.loadedOnce), "the page was not loaded again");
  const moved = await visit.shifted();
  check(moved < 0.05, `the page has moved by ${moved}`);
}

// What was asked for about the graph arrives when the timeline is shown already: it is about nothing any more.
async function turnedAround(page) {
  const isOfGraph = (address) => address.pathname.endsWith("/changes") && address.searchParams.get("view") === "graph";
  let letGo;
  const isTurned = new Promise((done) => { letGo = done; });
  await page.route(isOfGraph, async (route) => {
    const answer = await route.fetch();
    await isTurned;
    await route.fulfill({ response: answer });
  });
  await page.waitForRequest((request) => isOfGraph(new URL(request.url())));
  const isLate = page.waitForResponse((answer) => isOfGraph(new URL(answer.url())));
  await page.getByRole("link", { name: "Timeline" }).click();
  await page.locator("#steps li").nth(900).waitFor({ state: "attached" });
  letGo();
  await isLate;
}
