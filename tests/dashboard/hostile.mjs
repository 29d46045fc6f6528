// What skills, tools and people write is text, whatever stands in it.
import { check } from "./browser.mjs";

export async function run(visit, { pages }) {
  const { page } = visit;
  page.on("dialog", (dialog) => {
    visit.wrong.push(`a page has said ${dialog.message()}`);
    dialog.dismiss();
  });
  for (const path of pages) {
    await visit.go(path);
    await page.waitForTimeout(100);
    const bad = await page.evaluate(() => {
      const injected = [...document.querySelectorAll("script:not([src]), b, img, iframe, [onerror], [onload], [onclick], [style]")];
      const links = [...document.querySelectorAll("[href]")].filter((link) => /^\s*(javascript|data):/i.test(link.getAttribute("href") ?? ""));
      return [...injected, ...links].map((one) => one.outerHTML.slice(0, 200));
    });
    check(bad.length === 0, `${path}: ${bad.join("\n")}`);
    // A browser says on its console that there is no such page.
    visit.wrong = visit.wrong.filter((line) => !line.includes("status of 404"));
    check(!(await page.evaluate(() => window.stolen)), `${path} ran what was written into it`);
  }
}
