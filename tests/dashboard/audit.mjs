// Who did what: listed, filtered, checked; and what it looks like when somebody has changed it.
import { check, same } from "./browser.mjs";

export async function run(visit, { run, tampered }) {
  const { page } = visit;
  await visit.go("/ui/audit");
  if (tampered) {
    await visit.has("#seal", "Something is wrong");
    check((await page.locator("tr .sign.is-failed").count()) === 1, "one entry is marked");
    await visit.accessible();
    await visit.fits();
    return visit.shot("audit-tampered");
  }
  await visit.has("#seal", "as they were written, and none is missing");
  check((await page.locator("tr .sign.is-ok").count()) > 3, "entries are marked");
  await page.getByLabel("Did what").selectOption({ label: "questions answered" });
  await page.getByRole("button", { name: "Filter" }).click();
  same(await page.locator("tbody tr").count(), 1, "entries about answers");
  await visit.has("tbody tr", "yes");
  await page.getByRole("link", { name: "Clear" }).click();
  await page.getByLabel("To run").fill(String(run));
  await page.getByRole("button", { name: "Filter" }).click();
  await visit.has("tbody tr", "run.start");
  await page.getByRole("link", { name: `run ${run}` }).first().click();
  await page.waitForURL(new RegExp(`/ui/runs/${run}$`));

  // Against a mark that was noted, and against one that this store never had.
  await visit.go("/ui/audit");
  await page.locator("#mark summary").click();
  const mark = await visit.text("#mark code");
  const verify = async (text) => {
    await page.locator("#verify summary").click();
    await page.getByLabel("A mark").fill(text);
    await page.getByRole("button", { name: "Check it" }).click();
  };
  await verify(mark);
  await visit.has("#seal", "none is missing");
  await verify(`99999:${"0".repeat(64)}`);
  await visit.has("#seal", "Something is wrong");
  await verify("");
  await visit.has("#seal", "none is missing");
  await visit.accessible();
  await visit.shot("audit-checked");
}
