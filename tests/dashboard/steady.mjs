// Every live page while runs come, fail, ask, are answered and end: what somebody is about to click stays where it is.
import { check } from "./browser.mjs";

const api = (path, body) => fetch(`${process.env.AA_URL}/api/${path}`, {
  method: "POST",
  headers: { authorization: `Bearer ${process.env.AA_KEY}`, "content-type": "application/json" },
  body: JSON.stringify(body),
}).then((answer) => answer.json());
const begin = (skill, inputs = {}) => api(`skills/${skill}/run`, { inputs });

// Something of everything that can happen meanwhile.
async function happens(page) {
  for (let turn = 0; turn < 3; turn += 1) {
    const { run } = await begin("story");
    await begin("look");
    await begin("moody", { bad: turn % 2 === 0 });
    await api("schedules/often/run", {});
    await page.waitForTimeout(700);
    await api(`runs/${run}/answer`, { step: "gate", answer: "yes" });
    await page.waitForTimeout(700);
  }
}

const forget = (page) => page.evaluate(() => { window.shifts = []; window.movers = []; });

async function steady(visit, path) {
  const sum = await visit.shifted();
  check(sum < 0.002, `${path} (${visit.name}) has moved by ${sum}:\n${(await visit.page.evaluate(() => window.movers)).join("\n")}`);
}

async function moved(visit, path) {
  const { page } = visit;
  await visit.go(path);
  await page.locator("#live").waitFor();
  await page.waitForTimeout(400);
  await forget(page);
  await happens(page);
  await steady(visit, path);
}

// What a step is made of comes within its row, and what is told of it within its pane.
async function parts(visit, step) {
  const { page } = visit;
  const { run } = await begin("fan");
  const path = `/ui/runs/${run}?view=timeline&step=${step}`;
  await visit.go(path);
  await page.locator("#s-pause.is-sleeping").waitFor();
  await forget(page);
  await visit.has(".head .badge", "completed");
  await steady(visit, path);
  const item = page.locator(`[id="s-each[8]"]`);
  check(!(await item.isVisible()), "the items are folded");
  await visit.has("#s-each .target", "9 items");
  await page.locator(`#d-each > summary`).click();
  await item.waitFor();
  check(await page.locator("#s-sub").isVisible(), "what follows is still there");
  await visit.accessible();
  await visit.shot(`run-parts${step}`);
}

export async function run(visit, { windows, folder }) {
  for (const window of windows) {
    await visit.as(window);
    const { page } = visit;
    for (const path of ["/ui/runs", "/ui/runs?status=running", "/ui", "/ui/schedules", "/ui/schedules/often", "/ui/audit", "/ui/health", "/ui/workspaces", folder]) {
      await moved(visit, path);
    }
    for (const view of ["graph", "timeline", "log", "data"]) {
      const { run } = await begin("story");
      const path = `/ui/runs/${run}?view=${view}`;
      await visit.go(path);
      await page.locator("#live").waitFor();
      await page.locator("#asked form, #dock form").waitFor();
      await forget(page);
      await api(`runs/${run}/answer`, { step: "gate", answer: "yes" });
      await visit.has(".head .badge", "completed");
      await steady(visit, path);
    }
    for (const step of ["", "each", "sub"]) await parts(visit, step);

    // What is new waits until it is asked for.
    await visit.go("/ui/runs");
    const before = await page.locator("#runs tr").first().getAttribute("id");
    const { run } = await begin("look");
    const news = page.locator("[data-news=runs][data-some]");
    await news.waitFor();
    check((await page.locator("#runs tr").first().getAttribute("id")) === before, "the first row stays the first");
    await visit.accessible();
    await visit.shot("runs-news");
    await news.click();
    await page.locator(`#run-${run}`).waitFor();
    await news.waitFor({ state: "detached" });

    // A run that leaves the list keeps its row, which says how it ended.
    const { run: asks } = await begin("story");
    await visit.go("/ui/runs?status=waiting");
    await page.getByRole("button", { name: /^Show/ }).waitFor({ timeout: 1500 }).then(() => page.getByRole("button", { name: /^Show/ }).click()).catch(() => {});
    await page.locator(`#run-${asks}`).waitFor();
    await api(`runs/${asks}/answer`, { step: "gate", answer: "yes" });
    await visit.has(`#run-${asks} .badge`, "completed");
  }
}
