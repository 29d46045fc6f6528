// What is remembered: listed, found, shown; and the folders that are worked in.
import { same } from "./browser.mjs";

export async function run(visit) {
  const { page } = visit;
  await visit.go("/ui");
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await visit.has("h2", "What goes on");
  await page.getByRole("link", { name: /^current_work/ }).click();
  await visit.has("h1", "state/current_work");
  await visit.has("main", "AAP-1234");
  await visit.go("/ui/memory");
  await page.keyboard.press("/");
  await page.keyboard.type("zebra");
  await page.keyboard.press("Enter");
  await page.locator("#list a").first().waitFor();
  same(await page.locator("#list li").count(), 1, "places with the word");
  await page.locator("#list a").first().click();
  await visit.has("main", "zebra");
  await visit.go("/ui/memory/search?q=nowhere");
  await visit.has("main", "nowhere in the memory");
  await visit.go("/ui/memory");
  await page.getByRole("link", { name: "Knowledge" }).click();
  await page.locator("#list a").first().click();
  await visit.has(".facts", "How sure");

  await visit.go("/ui/workspaces");
  await page.locator("main a[data-row]").first().click();
  await visit.has("table", "mending the build");
  await visit.accessible();
}
