// A step that was healed, and one that was tried again.
import { same } from "./browser.mjs";

export async function run(visit, { run }) {
  await visit.go(`/ui/runs/${run}?view=timeline`);
  await visit.page.locator("#s-get > a").click();
  for (const text of ["Healing", "kube_login", "worked, and the step was tried again", "Attempts", "Unauthorized"]) await visit.has("#step", text);
  await visit.accessible();
  await visit.shot("run-healed");
  await visit.page.locator("#s-flaky > a").click();
  await visit.has("#step h2", "flaky");
  same(await visit.page.locator("#step .attempts li").count(), 2, "attempts");
  await visit.has("#step .attempts", "not yet");
}
