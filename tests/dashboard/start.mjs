// A run is started from a form made of the skill's inputs, after its plan was shown; with and without the script.
import { check } from "./browser.mjs";

export async function run(visit) {
  for (const script of [true, false]) {
    await visit.as({ script });
    const { page } = visit;
    await visit.go("/ui/skills");
    if (script) {
      await page.keyboard.press("/");
      await page.keyboard.type("several");
      await page.locator("#list li", { hasText: "look" }).first().waitFor({ state: "hidden" });
    }
    await page.getByRole("link", { name: /^several/ }).click();
    await page.getByRole("link", { name: "Run…" }).click();
    // What has to be there is left out.
    await page.getByRole("button", { name: "Show the plan" }).click();
    await page.getByRole("alert").first().waitFor();
    await visit.shot("start-wrong");
    await page.getByLabel("word").fill("hello <b>you</b>");
    await page.getByLabel("count").fill("3");
    await page.getByLabel("tone").selectOption({ label: "cool" });
    await page.getByLabel("files").fill("one\ntwo\n");
    await page.getByLabel("loud").selectOption("true");
    await page.getByRole("button", { name: "Show the plan" }).click();
    await visit.has("h1", "What several would do");
    await visit.has("main", "hello <b>you</b>");
    if (script) {
      await visit.accessible();
      await visit.shot("plan");
    }
    await page.getByRole("button", { name: "Start the run" }).click();
    await page.waitForURL(/\/ui\/runs\/\d+$/);
    for (let tries = 0; !(await page.locator(".head .badge.is-completed").count()); tries += 1) {
      check(tries < 100, "the run completes");
      await page.waitForTimeout(100);
      if (!script) await page.reload();
    }
    await visit.go(`${new URL(page.url()).pathname}?view=data`);
    for (const text of ["hello <b>you</b>", "cool", "two"]) await visit.has("#data", text);
    await page.getByRole("link", { name: "Run again" }).click();
    check((await page.getByLabel("word").inputValue()) === "hello <b>you</b>", "what it was run with stands in the form");
  }
}
