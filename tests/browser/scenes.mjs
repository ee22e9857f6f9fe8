// Plays scenes in Chromium at the given address and prints, as JSON, what the person or the page then sees.
// Arguments: a JSON object with home, cognito, users, folder, cert, key, pagePort, playwright, axe, scenes.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { pathToFileURL } from "node:url";

const given = JSON.parse(process.argv[2]);
const { chromium } = (await import(pathToFileURL(given.playwright).href)).default;
const axe = readFileSync(given.axe, "utf8");
const { home, users } = given;
const SLOW = 30_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function person(language = "en-US", scheme = "light") {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: language, colorScheme: scheme,
    viewport: { width: 1000, height: 700 } });
  context.setDefaultTimeout(SLOW);
  context.setDefaultNavigationTimeout(SLOW);
  return context;
}

async function signIn(page, user, address = `${home}/`) {
  await page.goto(address);
  await submit(page, user);
  await page.waitForURL((url) => url.origin === home && !url.pathname.startsWith("/oauth2/"));
}

async function submit(page, user, password = user.password) {
  await page.fill('input[name="username"]', user.name);
  await page.fill('input[name="password"]', password);
  await page.click('button[type="submit"], input[type="submit"]');
}

async function shot(page, name) {
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

async function refusal(page, name) {
  await shot(page, name);
  const { links, reached } = await keyboard(page);
  return { lang: await page.getAttribute("html", "lang"), heading: await page.textContent("h1"),
    body: await page.textContent("main"), violations: await examine(page), links, reached };
}

const hasSession = async (context) => (await context.cookies(home)).some((one) => one.name === "__Host-session");

const scenes = {
  async deepLink(context) {
    const page = await context.newPage();
    await page.goto(`${home}/?view=late%20orders&page=2`);
    const login = page.url();
    await submit(page, users.staff);
    await page.waitForURL(`${home}/?view=**`);
    await shot(page, "deep-link");
    return { login, back: page.url(), heading: await page.textContent("h1") };
  },

  async wrongPassword(context) {
    const page = await context.newPage();
    await page.goto(`${home}/`);
    await submit(page, users.staff, "not the password");
    await page.waitForLoadState();
    await shot(page, "wrong-password");
    return { url: page.url(), session: await hasSession(context) };
  },

  async missingGroup(context) {
    const page = await context.newPage();
    await signIn(page, users.newcomer, `${home}/staff`);
    const first = { url: page.url(), ...(await refusal(page, "missing-group")) };
    const other = await person();
    try {
      const staff = await other.newPage();
      await signIn(staff, users.staff, `${home}/staff`);
      return { ...first, staff: await staff.textContent("h1") };
    } finally {
      await other.close();
    }
  },

  async fetchAfterExpiry(context) {
    const page = await context.newPage();
    await signIn(page, users.staff);
    const ask = () => page.evaluate(async () => {
      const answer = await fetch("/orders", { headers: { accept: "application/json" } });
      return { status: answer.status, type: answer.headers.get("content-type"), url: answer.url,
        redirected: answer.redirected, challenge: answer.headers.get("www-authenticate") };
    });
    const before = await ask();
    await context.clearCookies();
    const after = await ask();
    const root = await page.evaluate(async () => {
      const answer = await fetch("/", { redirect: "manual" });
      return { status: answer.status, type: answer.type };
    });
    return { before, after, root };
  },

  async refresh(context) {
    const page = await context.newPage();
    await signIn(page, users.staff);
    const value = async () => (await context.cookies(home)).find((one) => one.name === "__Host-session")?.value;
    const before = await value();
    await context.clearCookies({ name: "__Host-session-expires" });
    await context.clearCookies({ name: "__Host-session" });
    const visited = [];
    page.on("framenavigated", (frame) => visited.push(frame.url()));
    await page.goto(`${home}/`);
    return { heading: await page.textContent("h1"), visited, renewed: Boolean(await value()) && (await value()) !== before };
  },

  async twoTabs(context) {
    const [first, second] = [await context.newPage(), await context.newPage()];
    await first.goto(`${home}/?tab=1`);
    await second.goto(`${home}/?tab=2`);
    await submit(first, users.staff);
    await first.waitForURL(`${home}/?tab=1`);
    await submit(second, users.staff);
    await second.waitForURL(`${home}/?tab=2`);
    return { first: await first.textContent("h1"), second: await second.textContent("h1") };
  },

  async signOut(context) {
    const page = await context.newPage();
    await signIn(page, users.staff);
    await page.goto(`${home}/oauth2/signout`);
    await page.waitForURL("**/oauth2/authorize**");
    await shot(page, "signed-out");
    const session = await hasSession(context);
    await page.goBack().catch(() => undefined);
    const orders = await page.goto(`${home}/orders`);
    return { url: page.url(), session, orders: orders.status() };
  },

  async signOutAtProvider(context) {
    const page = await context.newPage();
    await signIn(page, users.staff);
    const query = new URLSearchParams({ client_id: given.clientId, logout_uri: `${home}/` });
    await page.goto(`${given.cognito}/logout?${query}`);
    await page.waitForURL(`${home}/`);
    return { heading: await page.textContent("h1"), session: await hasSession(context) };
  },

  async tampered(context) {
    const page = await context.newPage();
    await page.goto(`${home}/`);
    const state = new URL(page.url()).searchParams.get("state");
    const forged = Buffer.from(JSON.stringify({ url: "https://evil.example/", csrf_token: "x.y" })).toString("base64url");
    const attempts = { state: `code=x&state=${state}x`, forgedState: `code=x&state=${forged}`, code: `code=x&state=${state}`,
      nothing: "", denied: `error=access_denied&state=${state}`, script: "error=%3Cscript%3Ealert(1)%3C/script%3E" };
    const found = {};
    for (const [name, query] of Object.entries(attempts)) {
      const answer = await page.goto(`${home}/oauth2/callback?${query}`);
      found[name] = { status: answer.status(), url: page.url(), heading: await page.textContent("h1"),
        session: await hasSession(context), scripts: await page.$$eval("script", (all) => all.length) };
    }
    await shot(page, "tampered-callback");
    await page.goto(`${home}/`);
    const nonces = (await context.cookies(home)).filter((one) => one.name.includes("nonce"));
    await context.clearCookies({ name: /nonce/ });
    await submit(page, users.staff);
    await page.waitForURL(`${home}/oauth2/callback**`);
    found.withoutNonce = { heading: await page.textContent("h1"), session: await hasSession(context),
      nonces: nonces.length };
    return found;
  },

  async openRedirect(context) {
    const found = {};
    for (const path of ["//evil.example/", "/\\evil.example/", "/%2F%2Fevil.example/", "/?next=https://evil.example/",
      "/oauth2/signout?redirect=https://evil.example/&logout_uri=https://evil.example/"]) {
      const page = await context.newPage();
      const hosts = [];
      page.on("framenavigated", (frame) => hosts.push(new URL(frame.url()).hostname));
      const answer = await page.goto(`${home}${path}`).catch(() => null);
      if (answer && await page.locator('input[name="username"]').count()) {
        await submit(page, users.staff);
        await page.waitForURL((url) => url.origin === home && !url.pathname.startsWith("/oauth2/"));
      }
      // A response without a body becomes a page of Chromium itself, of the host chromewebdata.
      found[path] = hosts.filter((host) => !["127.0.0.1", "", "chromewebdata"].includes(host));
    }
    return found;
  },

  async oversizedCookies(context) {
    const page = await context.newPage();
    await context.addCookies(Array.from({ length: 18 }, (_, number) => (
      { name: `big${number}`, value: "x".repeat(4000), url: `${home}/` })));
    const answer = await page.goto(`${home}/orders`);
    await shot(page, "oversized-cookies");
    const status = answer.status();
    await context.clearCookies({ name: /^big/ });
    const again = await page.goto(`${home}/orders`);
    return { status, again: again.status() };
  },

  async cookieAndBearer(context) {
    const page = await context.newPage();
    await signIn(page, users.staff);
    return page.evaluate(async () => {
      const ask = async (headers) => {
        const answer = await fetch("/orders", { headers: { accept: "application/json", ...headers } });
        return { status: answer.status, challenge: answer.headers.get("www-authenticate") };
      };
      return { cookie: await ask({}), both: await ask({ authorization: "Bearer not.a.token" }),
        lower: await ask({ authorization: "bearer not.a.token" }) };
    });
  },

  async preflight(context) {
    const server = createServer({ cert: readFileSync(given.cert), key: readFileSync(given.key) }, (_request, answer) => {
      answer.setHeader("content-type", "text/html");
      answer.end("<!doctype html><title>app</title>");
    });
    await new Promise((done) => { server.listen(given.pagePort, "127.0.0.1", done); });
    try {
      const page = await context.newPage();
      await page.goto(`https://127.0.0.1:${given.pagePort}/`);
      const ask = (headers) => page.evaluate(async ([url, sent]) => {
        try {
          const answer = await fetch(url, { headers: sent });
          return { status: answer.status, challenge: answer.headers.get("www-authenticate"), body: await answer.text() };
        } catch (error) {
          return { failed: String(error) };
        }
      }, [`${home}/orders`, headers]);
      return { refused: await ask({ authorization: "Bearer not.a.token" }), simple: await ask({}),
        forbiddenHeader: await ask({ "x-auth-subject": "root" }) };
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },

  async pages() {
    const found = {};
    for (const [language, scheme] of [["en-US", "light"], ["ja-JP", "light"], ["en-US", "dark"], ["ja-JP", "dark"]]) {
      const context = await person(language, scheme);
      try {
        const page = await context.newPage();
        await page.goto(`${home}/orders`);
        const name = `${language.slice(0, 2)}-${scheme}`;
        found[`sign-in-${name}`] = await refusal(page, `sign-in-${name}`);
        await signIn(page, users.newcomer, `${home}/staff`);
        found[`forbidden-${name}`] = await refusal(page, `forbidden-${name}`);
      } finally {
        await context.close();
      }
    }
    return found;
  },

  async away() {
    const found = {};
    for (const [language, scheme] of [["en-US", "light"], ["ja-JP", "light"], ["en-US", "dark"], ["ja-JP", "dark"]]) {
      const context = await person(language, scheme);
      try {
        const page = await context.newPage();
        const answer = await page.goto(`${home}/orders`);
        const name = `unavailable-${language.slice(0, 2)}-${scheme}`;
        found[name] = { status: answer.status(), ...(await refusal(page, name)) };
      } finally {
        await context.close();
      }
    }
    return found;
  },
};

const seen = {};
try {
  for (const name of given.scenes) {
    const context = await person();
    const began = Date.now();
    try {
      seen[name] = await scenes[name](context);
    } catch (error) {
      seen[name] = { error: String(error) };
    } finally {
      await context.close();
    }
    process.stderr.write(`${name} ${Date.now() - began} ms\n`);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
