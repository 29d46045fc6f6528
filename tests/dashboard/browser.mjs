// A browser that looks at the dashboard: what all tests have in common.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const tools = process.env.AA_BROWSER;
const require = createRequire(join(tools, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const base = process.env.AA_URL;
const shots = process.env.AA_SHOTS;

export const SIZES = {
  wide: { width: 1440, height: 900 },
  tablet: { width: 768, height: 1024 },
  phone: { width: 390, height: 844 },
};

export function check(is, what) {
  if (!is) throw new Error(what);
}

export function same(found, wanted, what) {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

// A browser of one person. What goes wrong in any of its pages is kept.
export class Visit {
  static async begin(options = {}) {
    const visit = new Visit();
    visit.browser = await chromium.launch({
      executablePath: process.env.AA_CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    });
    visit.wrong = [];
    await visit.as(options);
    return visit;
  }

  // Opens a window of another size or colour; sessions are not kept.
  async as({ size = "wide", scheme = "light", script = true, key = process.env.AA_KEY } = {}) {
    await this.context?.close();
    this.name = `${size}-${scheme}`;
    this.context = await this.browser.newContext({ viewport: SIZES[size], colorScheme: scheme, javaScriptEnabled: script });
    this.context.setDefaultTimeout(60000);
    await this.context.addInitScript(() => {
      window.shifts = [];
      // What has moved, and from where to where.
      window.movers = [];
      const told = ({ node, previousRect: from, currentRect: to }) =>
        `${(node?.outerHTML ?? node?.parentElement?.outerHTML ?? node?.nodeName ?? "gone").slice(0, 160)}: ${from.x},${from.y} ${from.width}x${from.height} to ${to.x},${to.y} ${to.width}x${to.height}`;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          if (entry.hadRecentInput) continue;
          window.shifts.push(entry.value);
          window.movers.push(...entry.sources.map(told));
        }
      }).observe({ type: "layout-shift", buffered: true });
    });
    this.page = await this.context.newPage();
    this.page.on("console", (said) => {
      if (["error", "warning"].includes(said.type())) this.wrong.push(`${this.page.url()}: ${said.text()}`);
    });
    this.page.on("pageerror", (error) => this.wrong.push(`${this.page.url()}: ${error.message}`));
    this.page.on("response", (answer) => {
      if (answer.status() >= 500) this.wrong.push(`${answer.url()}: ${answer.status()}`);
    });
    if (key) await this.enter(key);
  }

  async enter(key, path = "/ui") {
    await this.page.goto(base + path);
    await this.page.getByLabel("Key").fill(key);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.waitForURL((url) => !url.pathname.startsWith("/ui/login"));
  }

  async go(path) {
    await this.page.goto(base + path);
  }

  async shot(name) {
    mkdirSync(shots, { recursive: true });
    await this.page.screenshot({ path: join(shots, `${name}-${this.name}.png`) });
  }

  // Names, roles, contrast, order of headings and the rest of what axe knows.
  async accessible() {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(async () => {
      const rules = { "color-contrast-enhanced": { enabled: false } };
      const { violations } = await window.axe.run(document, { resultTypes: ["violations"], rules });
      return violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.html} (${node.failureSummary})`).join("; ")}`);
    });
    for (const one of found) this.wrong.push(`${this.page.url()} (${this.name}): ${one}`);
  }

  // Nothing is wider than the window, and nothing that can be chosen among is out of sight.
  async fits() {
    const cut = await this.page.evaluate(() => {
      const isCut = (bar) => bar.clientWidth > 0 && bar.scrollWidth > bar.clientWidth + 1;
      return [...document.querySelectorAll(".side nav, .tabs, .pages, .filters")].filter(isCut).map((bar) => bar.outerHTML.slice(0, 120));
    });
    for (const one of cut) this.wrong.push(`${this.page.url()} (${this.name}): ${one} is cut off`);
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) this.wrong.push(`${this.page.url()} (${this.name}) is ${over} pixels too wide`);
  }

  // How much has moved by itself since the page was opened.
  async shifted() {
    return this.page.evaluate(() => window.shifts.reduce((sum, shift) => sum + shift, 0));
  }

  text(selector) {
    return this.page.locator(selector).first().innerText();
  }

  async has(selector, text) {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor();
  }

  async end() {
    await this.browser.close();
    check(this.wrong.length === 0, this.wrong.join("\n"));
  }
}
