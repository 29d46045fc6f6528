// Every page at several sizes, light and dark: nothing on the console, nothing too wide, everything named.
import { check } from "./browser.mjs";

export async function run(visit, { pages, windows }) {
  for (const window of windows) {
    await visit.as(window);
    for (const [name, path] of Object.entries(pages)) {
      await visit.go(path);
      await visit.page.waitForTimeout(150);
      check((await visit.page.locator("h1").count()) === 1, `${path} has one heading`);
      await visit.shot(name);
      await visit.accessible();
      await visit.fits();
    }
  }
}
