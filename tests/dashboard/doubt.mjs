// Steps of which nobody knows how they ended: shown where somebody looks first, and resolved there and on the run's page.
import { check } from "./browser.mjs";

export async function run(visit, { first, second, asks, all }) {
  const { page } = visit;
  const panel = page.locator("section[aria-labelledby=waiting]");
  await visit.go("/ui");
  await panel.getByRole("link", { name: `All ${all} that wait` }).waitFor();
  check((await panel.locator("form.resolve").count()) === all - 1, "every step in doubt is there");
  check(!(await panel.getByText("Nobody waits.").isVisible()), "somebody waits");
  await panel.locator("form.answer").waitFor();
  await visit.accessible();
  await visit.fits();
  await visit.shot("overview-doubt");
  const entry = panel.locator(".asks").filter({ has: page.getByRole("link", { name: `#${first}`, exact: false }) });
  await entry.first().getByRole("button", { name: "It failed" }).click();
  await page.waitForURL(/\/ui$/);
  await panel.getByRole("link", { name: `All ${all - 1} that wait` }).waitFor();

  await visit.go(`/ui/runs/${second}`);
  await visit.has(".now", "Waits for somebody to say how put ended");
  const banner = page.locator("#asked section.asks");
  await banner.getByText("Waiting for you").waitFor();
  await visit.accessible();
  await visit.shot("run-doubt");
  await banner.getByLabel("Its result").fill('"made by hand"');
  await banner.getByRole("button", { name: "It took place" }).click();
  await visit.has(".head .badge", "completed");
  check((await page.locator("#asked section.asks").count()) === 0, "nothing is asked any more");

  await visit.go(`/ui/runs/${asks}`);
  await visit.has("#asked", "go on?");
}
