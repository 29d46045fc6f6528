// A run page while its run goes on: everything changes without loading, and nothing moves.
import { check, same } from "./browser.mjs";

export async function run(visit, { run, asks }) {
  const { page } = visit;
  await visit.go(`/ui/runs/${run}`);
  await page.evaluate(() => { window.loadedOnce = true; });
  await page.locator(`#g-gate .asking`).waitFor();
  await visit.accessible();
  await visit.shot("run-asks");
  // Where somebody is on the page, they stay.
  const step = page.locator("#g-first");
  await step.focus();
  // What was asked when one came stands above the steps.
  const question = page.locator("#asked form");
  const [asked, graph] = await Promise.all([page.locator("#asked").boundingBox(), page.locator("#graph").boundingBox()]);
  check(asked.y + asked.height <= graph.y, "the question stands above the graph");
  await question.getByRole("button", { name: "yes" }).waitFor();
  same(await question.locator(".message").innerText(), "go on?", "the question");
  const before = await visit.shifted();
  await visit.has(".head .badge", "waiting for you");
  // Somebody else answers: this page is told.
  const answer = await fetch(`${process.env.AA_URL}/api/runs/${run}/answer`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.AA_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ step: "gate", answer: "yes" }),
  });
  same(answer.status, 200, "the answer");
  await page.locator("#g-last .completed").waitFor();
  await visit.has(".head .badge", "completed");
  same(await page.locator("#asked .asks:not([data-gone])").count(), 0, "nothing is asked any more");
  check(await page.locator("#asked .asks").evaluate((asks) => asks.inert), "nothing can be answered any more");
  check(await page.evaluate(() => document.activeElement.id === "g-first"), "the focus stays where it was");
  check(await page.evaluate(() => window.loadedOnce), "the page was not loaded again");
  const moved = (await visit.shifted()) - before;
  check(moved < 0.01, `the page has moved by ${moved}`);

  // A step is looked at without loading.
  await page.locator("#g-speak").click();
  await page.locator("#step[data-open]").waitFor();
  check(new URL(page.url()).searchParams.get("step") === "speak", `the address names the step: ${page.url()}`);
  for (const text of ["Arguments", "from the default of word", "Output", "heard hello"]) await visit.has("#step", text);
  await visit.accessible();
  await visit.shot("run-step");
  for (const [tab, part] of [["Timeline", "#steps"], ["Log", "#lines"], ["Inputs and outputs", "#data"], ["Graph", "#graph"]]) {
    await page.getByRole("link", { name: tab, exact: true }).click();
    await page.locator(part).waitFor();
  }
  await page.goBack();
  await page.locator("#data").waitFor();
  check(await page.evaluate(() => window.loadedOnce), "the page was not loaded again");

  // A question is answered on the page.
  await visit.go(`/ui/runs/${asks}`);
  const form = page.locator("#asked form");
  await form.getByLabel("title").fill("</textarea><script>alert(1)</script>");
  await form.getByLabel("level").selectOption("high");
  // What comes meanwhile does not take away what is typed.
  await page.waitForTimeout(700);
  same(await form.getByLabel("level").inputValue(), '"high"', "what is typed");
  await visit.shot("run-form");
  await form.getByRole("button", { name: "Send" }).click();
  await visit.has(".head .badge", "completed");
  await visit.go(`/ui/runs/${asks}?view=data`);
  await visit.has("#data", "</textarea><script>alert(1)</script>");
}
