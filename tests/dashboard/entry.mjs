// How a browser comes in and goes: the form, the cookie, the way back, other pages.
import { base, check, same } from "./browser.mjs";

export async function run(visit, { run }) {
  const { page } = visit;
  await visit.go(`/ui/runs/${run}?view=log`);
  check(page.url().includes("/ui/login?next="), `strangers are sent to the form: ${page.url()}`);
  await visit.accessible();
  await visit.shot("login");
  for (const size of [{ width: 390, height: 844 }, { width: 768, height: 900 }, { width: 1440, height: 900 }]) {
    await page.setViewportSize(size);
    await visit.fits();
  }
  await page.getByLabel("Key").fill("0".repeat(43));
  const refused = page.waitForResponse((answer) => answer.url().endsWith("/ui/login"));
  await page.getByRole("button", { name: "Sign in" }).click();
  same((await refused).status(), 401, "a wrong key");
  await page.getByRole("alert").waitFor();
  // A browser says on its console that it was refused.
  visit.wrong = visit.wrong.filter((line) => !line.includes("401"));

  await page.getByLabel("Key").fill(process.env.AA_KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`**/ui/runs/${run}?view=log`);
  const [cookie] = (await visit.context.cookies(`${base}/ui`)).filter(({ name }) => name.startsWith("aa_session"));
  same([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Strict", "/ui"], "the cookie");
  check(!cookie.value.includes(process.env.AA_KEY), "the cookie is not the key");

  // It opens nothing but the dashboard.
  const api = await visit.context.request.get(`${base}/api/runs`, { headers: { cookie: `${cookie.name}=${cookie.value}` } });
  same(api.status(), 401, "the API with the cookie");

  // What a page of another port sends is not taken, whatever cookie comes along.
  for (const headers of [{ origin: "http://127.0.0.1:1" }, { origin: "null" }, { "sec-fetch-site": "same-site" }, {}]) {
    const sent = await fetch(`${base}/ui/runs/${run}/cancel`, {
      method: "POST", redirect: "manual", body: "reason=x",
      headers: { cookie: `${cookie.name}=${cookie.value}`, "content-type": "application/x-www-form-urlencoded", ...headers },
    });
    same(sent.status, 403, `sent from ${JSON.stringify(headers)}`);
  }

  await page.getByRole("button", { name: "dark" }).first().click();
  await page.locator("html[data-theme=dark]").waitFor();
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await page.waitForURL("**/ui/login");
  await visit.go("/ui/runs");
  check(page.url().includes("/ui/login"), "the session is over");
  const again = await fetch(`${base}/ui/runs`, { redirect: "manual", headers: { accept: "text/html", cookie: `${cookie.name}=${cookie.value}` } });
  same(again.status, 303, "the cookie opens nothing any more");
  // A form that is sent too late leads to the way in.
  const late = await fetch(`${base}/ui/runs/${run}/cancel`, {
    method: "POST", redirect: "manual", body: "reason=x",
    headers: { origin: base, accept: "text/html", "content-type": "application/x-www-form-urlencoded" },
  });
  same([late.status, late.headers.get("location")], [303, "/ui/login?next=%2Fui"], "a late form");
}
