// A tool is called from a form made of what it takes: one that reads at once, one that writes after it was shown again.
import { check } from "./browser.mjs";

export async function run(visit) {
  const { page } = visit;
  await visit.go("/ui/tools/say_word");
  await page.getByRole("link", { name: "Call…" }).click();
  await page.getByLabel("word").fill("hello <b>you</b>");
  await page.getByRole("button", { name: "Call it" }).click();
  await visit.has("#result", "heard hello <b>you</b>");
  check((await page.getByLabel("word").inputValue()) === "hello <b>you</b>", "what was typed is still there");
  await visit.accessible();
  await visit.fits();
  await visit.shot("tool-result");

  await visit.go("/ui/tools/say_maybe/call");
  await page.getByLabel("bad").selectOption("true");
  await page.getByRole("button", { name: "Call it" }).click();
  await visit.has("#result", "It failed");
  await visit.has("#result", "no luck");
  await visit.accessible();
  await visit.shot("tool-failed");

  await visit.go("/ui/tools/trace_write/call");
  await page.getByRole("button", { name: "Go on…" }).click();
  await page.getByRole("alert").first().waitFor();
  await page.getByLabel("line").fill("first");
  await page.getByRole("button", { name: "Go on…" }).click();
  await visit.has("h1", "Call trace_write?");
  await visit.has(".notice", "It changes something.");
  await visit.has("dl.values", "first");
  await visit.accessible();
  await visit.fits();
  await visit.shot("tool-sure");
  await page.getByRole("link", { name: "No" }).click();
  await page.waitForURL(/\/call$/);
  await page.getByLabel("line").fill("second");
  await page.getByRole("button", { name: "Go on…" }).click();
  await page.getByRole("button", { name: "Yes, call it" }).click();
  await page.waitForURL(/\/ui\/runs\/\d+$/);
  await visit.has(".head .badge", "completed");
  await visit.has("h1", "call:trace_write");
}
