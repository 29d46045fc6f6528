// What can be done to runs and schedules: cancel, run again, undo, compare; pause, run now, resume; switches.
import { check, same } from "./browser.mjs";

export async function run(visit, { hangs, wrote, failed }) {
  const { page } = visit;
  const menu = async (word) => {
    await page.locator("details.menu > summary", { hasText: word }).click();
    return page.locator("details.menu[open] form");
  };

  await visit.go(`/ui/runs/${hangs}`);
  const cancel = await menu("Cancel");
  await cancel.getByLabel("Why").fill("no longer wanted");
  await cancel.getByRole("button", { name: "Cancel it" }).click();
  await visit.has(".head .badge", "cancelled");
  await visit.has(".facts", "no longer wanted");

  await visit.go(`/ui/runs/${wrote}`);
  await (await menu("Undo")).getByRole("button").click();
  await page.getByRole("link", { name: "Timeline" }).click();
  await visit.has("#steps", "put#undo");

  await visit.go(`/ui/runs/${failed}`);
  await visit.has(".why", "no luck");
  await page.locator(".why summary").first().click();
  await visit.has(".why", "When it went well");
  await visit.accessible();
  await visit.shot("run-failed");
  await page.getByRole("link", { name: "Compare" }).click();
  await visit.has("h1", "run #");
  await visit.has("tr.differs", "break");
  await visit.accessible();
  await visit.shot("compare");

  await visit.go("/ui/schedules");
  await page.getByRole("link", { name: /^often/ }).click();
  await visit.has("ol.reasons", "due next");
  await (await menu("Pause")).getByLabel("Why").fill("for the holidays");
  await page.getByRole("button", { name: "Pause it" }).click();
  await visit.has(".notice", "for the holidays");
  await visit.shot("schedule-held");
  await page.getByRole("button", { name: "Run now" }).click();
  await page.waitForURL(/\/ui\/runs\/\d+$/);
  await visit.has(".facts", "schedule");
  // From the run to the time that it was started for, which is noted once it runs.
  await visit.has(".head .badge", "completed");
  await page.locator(".facts").getByRole("link", { name: /^often/ }).click();
  await page.waitForURL(/\/ui\/schedules\/often#slot-\d+$/);
  check((await page.locator("tr:target").count()) === 1, "the time is shown");
  await visit.has("table", "manual");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator(".notice").waitFor({ state: "detached" });
  await visit.accessible();

  await visit.go("/ui/health");
  const poll = page.locator("#service-poll");
  await poll.getByRole("button").click();
  await page.locator("#service-poll .badge", { hasText: "off" }).waitFor();
  await poll.getByRole("button").click();
  await page.locator("#service-poll .badge", { hasText: "on" }).waitFor();
  same(page.url().endsWith("/ui/health"), true, "the page is the same");
  check((await visit.shifted()) < 0.1, "nothing has moved");
}
