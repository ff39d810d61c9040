// Checks pages in Chromium, which it drives by the DevTools protocol over a pipe:
//
//     node check.mjs CHROMIUM AXE SCREENSHOTS NAME=URL...
//
// Each page is opened in light and dark at four widths. It must not scroll sideways, must have no violations that axe-core
// finds, and must load nothing from elsewhere. The search must work by keyboard and without scripts.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [chromium, axePath, screenshots, ...pages] = process.argv.slice(2);
const WIDTHS = [360, 768, 1280, 1600];
const SCHEMES = ["light", "dark"];
const SHOWN = [360, 1280]; // widths of screenshots, and of axe-core
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const LIMIT = 30_000; // milliseconds for an answer of the browser

const CONTROLS = `[...document.querySelectorAll("main :is(a[href], input, select, button, summary)")].filter((e) => e.checkVisibility())`;

const failures = [];
const fail = (message) => {
  failures.push(message);
  console.log(`FAILED ${message}`);
};

/** The browser: `call` sends a command, `on` listens to events of a session. */
class Browser {
  constructor(program, profile) {
    const options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
      "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
      "--force-device-scale-factor=1", `--user-data-dir=${profile}`];
    this.process = spawn(program, options, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.process.on("exit", (code) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`Chromium exited with code ${code}`));
    });
    [this.waiting, this.listeners, this.number] = [new Map(), [], 0];
    let rest = "";
    this.process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const message of messages) this.take(JSON.parse(message));
    });
  }

  take({ id, result, error, method, params, sessionId }) {
    if (id) {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      error ? reject(new Error(error.message)) : resolve(result);
    } else {
      for (const listener of [...this.listeners]) listener(method, params, sessionId);
    }
  }

  call(method, params = {}, sessionId = undefined) {
    const id = ++this.number;
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return within(method, new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject })));
  }

  async open() {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, sessionId, targetId);
    for (const domain of ["Page", "Network", "Runtime", "Log"]) await tab.call(`${domain}.enable`);
    return tab;
  }
}

/** A tab, what it requested, and what it complained about. */
class Tab {
  constructor(browser, session, target) {
    [this.browser, this.session, this.target, this.requests, this.complaints] = [browser, session, target, [], []];
    browser.listeners.push((method, params, sessionId) => {
      if (sessionId !== session) return;
      if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
      if (method === "Log.entryAdded" && params.entry.source === "security") this.complaints.push(params.entry.text);
      if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.text);
    });
  }

  call(method, params) {
    return this.browser.call(method, params, this.session);
  }

  event(name) {
    return within(name, new Promise((resolve) => {
      const listener = (method, params, sessionId) => {
        if (sessionId !== this.session || method !== name) return;
        this.browser.listeners.splice(this.browser.listeners.indexOf(listener), 1);
        resolve(params);
      };
      this.browser.listeners.push(listener);
    }));
  }

  async goto(url) {
    const loaded = this.event("Page.loadEventFired");
    await this.call("Page.navigate", { url });
    await loaded;
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  resize(width) {
    return this.call("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
  }

  scheme(value) {
    return this.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  async key(key, text = undefined) {
    const code = { Tab: 9, Enter: 13 }[key];
    await this.call("Input.dispatchKeyEvent", { type: "keyDown", key, code: key, windowsVirtualKeyCode: code, text });
    await this.call("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode: code });
  }

  async screenshot(path) {
    const { cssContentSize } = await this.call("Page.getLayoutMetrics");
    const clip = { x: 0, y: 0, width: cssContentSize.width, height: Math.min(cssContentSize.height, 6000), scale: 1 };
    const { data } = await this.call("Page.captureScreenshot", { format: "png", captureBeyondViewport: true, clip });
    writeFileSync(path, Buffer.from(data, "base64"));
  }

  close() {
    return this.browser.call("Target.closeTarget", { targetId: this.target });
  }
}

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Layout, accessibility and requests of a page, in one colour scheme. */
async function checkPage(browser, axe, name, url, scheme) {
  const tab = await browser.open();
  const at = (width) => `${name}, ${scheme}, ${width} px`;
  await tab.scheme(scheme);
  await tab.resize(WIDTHS[0]);
  await tab.goto(url);
  const scripts = await tab.evaluate("document.scripts.length + document.querySelectorAll('[onclick], [onload], [onerror], [style]').length");
  if (scripts) fail(`${name}: there are scripts or inline styles`);
  for (const width of WIDTHS) {
    await tab.resize(width);
    const widths = await tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]");
    if (widths[0] > widths[1]) {
      const wide = await tab.evaluate(`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest(".scroll, pre")).slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join("\\n  ")`);
      fail(`${at(width)}: ${widths[0]} px wide\n  ${wide}`);
    }
    if (!SHOWN.includes(width)) continue;
    await tab.screenshot(join(screenshots, `${name}-${scheme}-${width}.png`));
    await tab.evaluate("document.querySelectorAll('details').forEach((details) => details.open = true)");
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(TAGS)}, resultTypes: ["violations"] })`);
    for (const { id, help, nodes } of violations) {
      const where = nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)}\n    ${node.failureSummary.replaceAll("\n", " ")}`);
      fail(`${at(width)}: ${id}: ${help}\n  ${where.join("\n  ")}`);
    }
    const after = await tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]");
    if (after[0] > after[1]) fail(`${at(width)}: ${after[0]} px wide with its details open`);
    await tab.evaluate("document.querySelectorAll('details').forEach((details) => details.open = false)");
  }
  const foreign = tab.requests.filter((request) => !request.startsWith("data:") && new URL(request).origin !== new URL(url).origin);
  if (foreign.length) fail(`${name}: requests to ${foreign.join(", ")}`);
  if (tab.complaints.length) fail(`${name}: ${tab.complaints.join("; ")}`);
  await tab.close();
}

/** Everything that can be used is reached by the tab key, in order, and shows that it has the focus. */
async function checkKeyboard(browser, name, url) {
  const tab = await browser.open();
  await tab.resize(1280);
  await tab.goto(url);
  const reached = [];
  const order = new Set(); // of the controls of the content
  for (let presses = 0; presses < 800; presses += 1) {
    await tab.key("Tab");
    const focus = await tab.evaluate(`(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return { name: element.name || element.getAttribute("href") || element.tagName.toLowerCase(),
        number: ${CONTROLS}.indexOf(element),
        isVisible: box.width > 0 && box.right > 0 && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
    })()`);
    if (!focus) break;
    if (!focus.isVisible) fail(`${name}: the focus on ${focus.name} cannot be seen`);
    if (focus.number >= 0) order.add(focus.number);
    reached.push(focus.name);
  }
  if (reached[0] !== "#main") fail(`${name}: the first element is ${reached[0]}, not the link to the content`);
  const controls = await tab.evaluate(`${CONTROLS}.length`);
  const expected = [...Array(controls).keys()];
  if ([...order].join() !== expected.join()) fail(`${name}: the tab key reaches ${[...order].join()} of ${controls} controls`);
  console.log(`${name}: ${reached.length} elements by keyboard`);
  await tab.close();
}

/** A search by keyboard in a browser without scripts. */
async function checkWithoutScripts(browser, url) {
  const tab = await browser.open();
  await tab.call("Emulation.setScriptExecutionDisabled", { value: true });
  await tab.goto(url);
  const { root } = await tab.call("DOM.getDocument");
  const { nodeId } = await tab.call("DOM.querySelector", { nodeId: root.nodeId, selector: "input[name=probe_cc]" });
  await tab.call("DOM.focus", { nodeId });
  await tab.call("Input.insertText", { text: "IR" });
  const loaded = tab.event("Page.loadEventFired");
  await tab.key("Enter", "\r");
  await loaded;
  const document = await tab.call("DOM.getDocument", { depth: -1 });
  const { outerHTML } = await tab.call("DOM.getOuterHTML", { nodeId: document.root.nodeId });
  if (!/value="IR"/.test(outerHTML) || !/href="\/m\/\d{14}/.test(outerHTML)) fail("a search without scripts has no results");
  await tab.close();
}

const profile = mkdtempSync(join(tmpdir(), "chromium-"));
const browser = new Browser(chromium, profile);
try {
  mkdirSync(screenshots, { recursive: true });
  const axe = readFileSync(axePath, "utf8");
  const all = pages.map((page) => [page.slice(0, page.indexOf("=")), page.slice(page.indexOf("=") + 1)]);
  for (const [name, url] of all) {
    for (const scheme of SCHEMES) await checkPage(browser, axe, name, url, scheme);
    await checkKeyboard(browser, name, url);
    if (name === "search") await checkWithoutScripts(browser, url);
  }
} catch (error) {
  fail(error.stack);
} finally {
  browser.process.kill();
  await new Promise((resolve) => browser.process.on("exit", resolve));
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
if (failures.length === 0) console.log("all checks passed");
process.exitCode = failures.length ? 1 : 0;
