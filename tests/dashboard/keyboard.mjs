// The dashboard without a mouse.
import { check, same } from "./browser.mjs";

export async function run(visit, { run }) {
  const { page } = visit;
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  await visit.go("/ui");
  await page.keyboard.press("Tab");
  same(await focused(), "Skip to content", "the first stop");
  await page.keyboard.press("Enter");
  same(await page.evaluate(() => document.activeElement.id), "main", "after skipping");
  for (const [key, path] of [["r", "/ui/runs"], ["s", "/ui/skills"], ["c", "/ui/schedules"], ["t", "/ui/tools"], ["p", "/ui/personas"], ["m", "/ui/memory"], ["w", "/ui/workspaces"], ["a", "/ui/audit"], ["h", "/ui/health"], ["o", "/ui"]]) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === path);
  }
  await visit.go("/ui/runs");
  await page.keyboard.press("j");
  const first = await focused();
  await page.keyboard.press("j");
  check((await focused()) !== first, "the next row");
  await page.keyboard.press("k");
  same(await focused(), first, "the row before");
  await page.keyboard.press("/");
  same(await page.evaluate(() => document.activeElement.name), "skill", "the search field");
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  await page.locator("dialog[open]").waitFor();
  await visit.accessible();
  await visit.shot("keys");
  await page.keyboard.press("Escape");

  // A step of the picture is reached and opened like every link.
  await visit.go(`/ui/runs/${run}`);
  await page.locator("#graph a").first().focus();
  await page.keyboard.press("Enter");
  await page.locator("#step[data-open]").waitFor();
  same(await page.evaluate(() => document.activeElement.id), "step", "the step is where the keyboard is");
}
