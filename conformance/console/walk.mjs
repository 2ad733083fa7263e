// Walks a newcomer's path through the console and looks at every page; see `run`. Ends what it starts, whatever happens.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";

const [binary, work] = process.argv.slice(2);
const require = createRequire(path.join(work, "package.json"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 20_000;
const WIDTHS = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const PAGES = ["", "verdicts", "accounts", "accounts/shop", "proofs", "proofs/1", "complaints", "complaints/1",
  "people?msisdn=32470123456", "explain", "binds", "imports"];

let passed = 0, failed = 0;
function check(name, right, why = "") {
  if (right) passed += 1; else failed += 1;
  console.log(`${right ? "ok  " : "FAIL"} ${name}${right || !why ? "" : `: ${why}`}`);
}

const pictures = path.join(work, "pictures");
rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });
const folder = mkdtempSync(path.join(tmpdir(), "console-"));
copyFileSync(path.join(work, "proxy.toml"), path.join(folder, "config.toml"));

async function start() {
  const proxy = spawn(binary, ["run"], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(readline.createInterface({ input: proxy.stdout }), "line", { signal: AbortSignal.timeout(PATIENCE) });
  return { proxy, listen: /listen=(\S+)/.exec(line)[1], admin: /admin=(\S+)/.exec(line)[1] };
}

// Sends messages of a customer, and waits until they are answered.
async function send(listen, from, text, systemId = "shop") {
  const esme = spawn(binary, ["sim", "esme", "--connect", listen, "--system-id", systemId, "--password", "x", "--binds", "1",
    "--window", "1", "--count", "1", "--from", from, "--to", "32470123456", "--text", text], { stdio: "ignore" });
  await once(esme, "exit", { signal: AbortSignal.timeout(PATIENCE) });
}

async function signIn(page, admin, role) {
  await page.goto(`http://${admin}/`);
  await page.getByLabel("Token").fill(readFileSync(path.join(folder, `var/${role}-token`), "utf8").trim());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

// Everything that a browser complains about, and every request that leaves the machine's own address.
function watch(page, admin, complaints) {
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (new URL(request.url()).host !== admin) complaints.push(`outside: ${request.url()}`); });
}

async function picture(page, name) {
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
}

async function newcomer(browser, { listen, admin }) {
  const context = await browser.newContext({ viewport: WIDTHS.desk });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  watch(page, admin, complaints);
  await page.goto(`http://${admin}/console/sign-in`);
  await picture(page, "sign-in");
  await signIn(page, admin, "admin");
  await page.getByRole("link", { name: "Verdicts" }).click();
  await page.getByText("– live").waitFor();
  await send(listen, "SHOP", "Shop: your parcel is here");
  await send(listen, "SHOP", "Shop: please reply with your PIN code and card number");
  const row = page.locator("tr.new").first();
  await row.waitFor();
  check("a refusal arrives live", (await row.innerText()).includes("shop"));
  await picture(page, "live");
  await page.getByRole("row").filter({ hasText: "rejected" }).first().getByRole("link").first().click();
  await page.getByRole("heading", { name: /^Verdict / }).waitFor();
  const verdict = await page.locator("main").innerText();
  check("it names its clause", /\d+ – \w+/.test(verdict), verdict.slice(0, 300));
  check("it shows the span", /octets \d+ to \d+/.test(verdict), verdict.slice(0, 900));
  await picture(page, "verdict");
  await page.getByRole("link", { name: "shop", exact: true }).first().click();
  await page.getByRole("heading", { name: "Account shop" }).waitFor();
  await page.getByLabel("Sample").fill("5");
  await page.getByRole("button", { name: "Ask for proof" }).click();
  await page.getByRole("link", { name: "Request 1" }).click();
  await page.getByRole("button", { name: "Start the clock" }).click();
  const clock = page.locator(".clock").first();
  await clock.waitFor();
  const before = await clock.innerText();
  check("the clock has begun", /^2[34]:\d\d:\d\d left$/.test(before), before);
  await page.waitForFunction((before) => document.querySelector(".clock").textContent !== before, before);
  check("the clock counts down", true);
  await picture(page, "clock");
  await page.getByLabel("File").setInputFiles({ name: "form.txt", mimeType: "text/plain", buffer: Buffer.from("I agree") });
  await page.getByRole("button", { name: "Hand in" }).click();
  await page.getByRole("button", { name: "Accept" }).click();
  await page.locator("dd .state.good", { hasText: "accepted" }).waitFor();
  check("the evidence is accepted", true);
  await picture(page, "accepted");
  check("the browser has no complaint on the way", complaints.length === 0, complaints.join("; "));
  await context.close();
}

async function explain(browser, { admin }) {
  const page = await (await browser.newContext({ viewport: WIDTHS.desk })).newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  watch(page, admin, complaints);
  await signIn(page, admin, "viewer");
  await page.getByRole("link", { name: "Explain" }).click();
  await page.getByLabel("Account").fill("shop");
  await page.getByLabel("From (sender ID)").fill("SHOP");
  await page.getByLabel("To (number)").fill("32470123456");
  await page.getByLabel("Text", { exact: false }).first().fill("<img src=x onerror=alert(1)> please reply with your PIN code");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.locator("mark").first().waitFor();
  check("explain marks what a rule sees", (await page.locator("mark").first().innerText()).includes("PIN"));
  check("a script in a text is text", (await page.locator("main img").count()) === 0 && complaints.length === 0, complaints.join("; "));
  await picture(page, "explain");
  await page.goto(`http://${admin}/console/accounts/shop`);
  check("a viewer sees nothing to do", (await page.locator("main form").count()) === 0);
  await page.context().close();
}

async function look(browser, { admin }, name, options) {
  const context = await browser.newContext({ ...options, bypassCSP: false });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  watch(page, admin, complaints);
  await signIn(page, admin, "admin");
  for (const place of PAGES) {
    await page.goto(`http://${admin}/console/${place}`);
    await picture(page, `${name}-${place.replace(/\W+/g, "-") || "overview"}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(`${name}: /${place} fits its width`, wide <= 0, `${wide} pixels too wide`);
    const faults = await page.evaluate(`${AXE}; axe.run().then((said) => said.violations.map((it) =>
      it.id + " " + it.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(" | ")))`);
    check(`${name}: /${place} keeps nobody out`, faults.length === 0, faults.join("; "));
  }
  check(`${name}: the browser has no complaint`, complaints.length === 0, complaints.join("; "));
  await context.close();
}

async function withoutScript(browser, { admin }) {
  const context = await browser.newContext({ viewport: WIDTHS.desk, javaScriptEnabled: false });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await signIn(page, admin, "operator");
  await page.goto(`http://${admin}/console/verdicts`);
  check("without script: verdicts are a table", (await page.locator("tbody tr").count()) >= 1);
  await page.goto(`http://${admin}/console/complaints`);
  await page.getByLabel("Number").fill("32470123456");
  await page.getByLabel("At, as").fill("2026-01-02T03:04:05Z");
  await page.getByLabel("Text").fill("<script>alert(1)</script>");
  await page.getByRole("button", { name: "Take it" }).click();
  await page.getByRole("link", { name: "Case 1" }).click();
  check("without script: forms work", (await page.locator(".text").innerText()).includes("<script>"));
  await page.goto(`http://${admin}/console/imports`);
  await page.getByLabel("File").first().setInputFiles({ name: "c.csv", mimeType: "text/csv", buffer: Buffer.from(
    "msisdn,account,sender,purpose,method,at,wording,source\n32470123456,shop,SHOP,marketing,web,2026-01-02,Yes,shop\nx,shop,SHOP,marketing,web,2026-01-02,Yes,shop\n") });
  await page.getByRole("button", { name: "Import consents" }).click();
  await page.getByRole("heading", { name: "Done" }).waitFor();
  check("without script: a file is imported", (await page.locator("main").innerText()).includes("rejected"));
  await picture(page, "import");
  await context.close();
}

const begun = await start();
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu",
  "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
try {
  await newcomer(browser, begun);
  await send(begun.listen, "Nope", "hello", "<b>x</b>");
  await explain(browser, begun);
  await withoutScript(browser, begun);
  await look(browser, begun, "desk", { viewport: WIDTHS.desk });
  await look(browser, begun, "phone", { viewport: WIDTHS.phone, isMobile: true });
  await look(browser, begun, "dark", { viewport: WIDTHS.desk, colorScheme: "dark" });
} catch (error) {
  check("the walk comes to its end", false, String(error));
} finally {
  await browser.close();
  begun.proxy.kill("SIGTERM");
  if (begun.proxy.exitCode === null) await once(begun.proxy, "exit");
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
