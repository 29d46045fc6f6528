// What is let go on: a call that was made is made again, a run whose process has died is gone on with, a heal rule that
// has stopped may act again.
import { check } from "./browser.mjs";

export async function run(visit, { called, died, rule }) {
  const { page } = visit;
  await visit.go(`/ui/runs/${called}`);
  await page.getByRole("button", { name: "Run again" }).click();
  await page.waitForURL((url) => /\/ui\/runs\/\d+$/.test(url.pathname) && !url.pathname.endsWith(`/${called}`));
  await visit.has(".head .badge", "completed");

  await visit.go(`/ui/runs/${died}`);
  await page.getByRole("button", { name: "Resume" }).click();
  await visit.has(".head .badge", "completed");
  check((await page.getByRole("button", { name: "Resume" }).count()) === 0, "there is nothing to go on with");

  await visit.go("/ui/health");
  const row = page.locator(`#rule-${rule}`);
  await row.getByText("it has not helped 2 times in a row").waitFor();
  await visit.accessible();
  await row.getByRole("button", { name: "Let it act again" }).click();
  await row.locator(".badge", { hasText: "ok" }).waitFor();
  check((await row.getByRole("button").count()) === 0, "it may act");
}
