// A browser for the scenes: opens it, fills in login pages, examines refusal pages, plays scenes and prints what they saw.
// The program's only argument is a JSON object, `given`: home, provider, clientId, users, folder, cert, key, pagePort,
// playwright, axe and scenes, the names of those to play.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

export const given = JSON.parse(process.argv[2]);
export const { home, users } = given;
const { chromium } = (await import(pathToFileURL(given.playwright).href)).default;
const axe = readFileSync(given.axe, "utf8");
const SLOW = 30_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// A person with an empty browser profile.
export async function person(language = "en-US", scheme = "light") {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: language, colorScheme: scheme,
    viewport: { width: 1000, height: 700 } });
  context.setDefaultTimeout(SLOW);
  context.setDefaultNavigationTimeout(SLOW);
  return context;
}

// Fill in the login page. It is the caller who waits for the page that follows.
export async function submit(page, user, password = user.password) {
  await page.fill('input[name="username"]', user.name);
  await page.fill('input[name="password"]', password);
  await page.click('button[type="submit"], input[type="submit"]');
}

export const isHome = (url) => url.origin === home && !url.pathname.startsWith("/oauth2/");

export async function shot(page, name) {
  await page.screenshot({ path: `${given.folder}/${name}.png`, fullPage: true });
}

// The violations of axe-core's rules, contrast included. Evaluated, not added as a script: the pages' policy forbids that.
async function examine(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`);
}

// The links that Tab reaches, each with whether its focus can be seen.
async function keyboard(page) {
  const links = await page.$$eval("a", (all) => all.length);
  const reached = [];
  for (let step = 0; step < links; step += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => {
      const here = document.activeElement;
      const style = getComputedStyle(here);
      return { tag: here.tagName, outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
    }));
  }
  return { links, reached };
}

// What a person finds on a refusal page.
export async function refusal(page, name) {
  await shot(page, name);
  const { links, reached } = await keyboard(page);
  return { lang: await page.getAttribute("html", "lang"), heading: await page.textContent("h1"),
    body: await page.textContent("main"), violations: await examine(page), links, reached };
}

// What a script in the page gets from an address.
export const fetched = (page, path, headers = {}) => page.evaluate(async ([address, sent]) => {
  const answer = await fetch(address, { headers: { accept: "application/json", ...sent } });
  return { status: answer.status, type: answer.headers.get("content-type"), redirected: answer.redirected,
    challenge: answer.headers.get("www-authenticate") };
}, [path, headers]);

// What the browser asks the provider from now on. Single sign-on brings a person back with redirects alone.
export function askedOfProvider(page) {
  const asked = [];
  page.on("request", (request) => { if (request.url().startsWith(given.provider)) asked.push(request.url()); });
  return asked;
}

export const cookie = async (context, name) => (await context.cookies(home)).find((one) => one.name === name)?.value;
export const hasSession = async (context) => (await cookie(context, "__Host-session")) !== undefined;

// Play the scenes that `given` names, print what they saw, and end the browser. Two are played at once: some only wait.
export async function play(scenes) {
  const [waiting, seen] = [[...given.scenes], {}];
  const playRest = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) seen[name] = await playOne(name, scenes[name]);
  };
  try {
    await Promise.all([playRest(), playRest()]);
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(seen));
}

// Play a scene with a person of its own.
async function playOne(name, scene) {
  const context = await person();
  const began = Date.now();
  try {
    return await scene(context);
  } catch (error) {
    return { error: `${error} at ${context.pages().map((page) => page.url()).join(" ")}` };
  } finally {
    await context.close();
    process.stderr.write(`${name} ${Date.now() - began} ms\n`);
  }
}
