// The scenes that are the same at every provider. `signIn(page, user)` fills in the pages of the provider.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { askedOfProvider, cookie, fetched, given, hasSession, home, isHome, person, refusal, shot, users } from "./driver.mjs";

const ELSEWHERE = "evil.example";

export const everyProvider = (signIn) => {
  async function enter(page, user, address = `${home}/`) {
    await page.goto(address);
    await signIn(page, user);
    await page.waitForURL(isHome);
  }

  return {
    async deepLink(context) {
      const page = await context.newPage();
      await page.goto(`${home}/?view=late%20orders&page=2`);
      const login = page.url();
      await signIn(page, users.staff);
      await page.waitForURL(`${home}/?view=**`);
      await shot(page, "deep-link");
      return { login, back: page.url(), heading: await page.textContent("h1") };
    },

    async missingGroup(context) {
      const page = await context.newPage();
      await enter(page, users.newcomer, `${home}/staff`);
      const first = { url: page.url(), ...(await refusal(page, "missing-group")) };
      const other = await person();
      try {
        const staff = await other.newPage();
        await enter(staff, users.staff, `${home}/staff`);
        return { ...first, staff: await staff.textContent("h1") };
      } finally {
        await other.close();
      }
    },

    async fetchAfterExpiry(context) {
      const page = await context.newPage();
      await enter(page, users.staff);
      const before = await fetched(page, "/orders");
      await context.clearCookies();
      const after = await fetched(page, "/orders");
      const root = await page.evaluate(async () => (await fetch("/", { redirect: "manual" })).status);
      return { before, after, root };
    },

    async refresh(context) {
      const page = await context.newPage();
      await enter(page, users.staff);
      const before = await cookie(context, "__Host-session");
      await context.clearCookies({ name: "__Host-session-expires" });
      await context.clearCookies({ name: "__Host-session" });
      const asked = askedOfProvider(page);
      await page.goto(`${home}/`);
      const after = await cookie(context, "__Host-session");
      return { heading: await page.textContent("h1"), asked, renewed: Boolean(after) && after !== before };
    },

    async twoTabs(context) {
      const [first, second] = [await context.newPage(), await context.newPage()];
      await first.goto(`${home}/?tab=1`);
      await second.goto(`${home}/?tab=2`);
      await signIn(first, users.staff);
      await first.waitForURL(`${home}/?tab=1`);
      await signIn(second, users.staff);
      await second.waitForURL(`${home}/?tab=2`);
      return { first: await first.textContent("h1"), second: await second.textContent("h1") };
    },

    async tampered(context) {
      const page = await context.newPage();
      let state = "";
      page.on("request", (request) => { state ||= new URL(request.url()).searchParams.get("state") ?? ""; });
      await page.goto(`${home}/`);
      const forged = Buffer.from(JSON.stringify({ url: `https://${ELSEWHERE}/`, csrf_token: "x.y" })).toString("base64url");
      const attempts = { state: `code=x&state=${state}x`, forgedState: `code=x&state=${forged}`,
        code: `code=x&state=${state}`, nothing: "", denied: `error=access_denied&state=${state}`,
        script: "error=%3Cscript%3Ealert(1)%3C/script%3E" };
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
      await signIn(page, users.staff);
      await page.waitForURL(`${home}/oauth2/callback**`);
      found.withoutNonce = { heading: await page.textContent("h1"), session: await hasSession(context),
        nonces: nonces.length };
      return found;
    },

    async openRedirect(context) {
      const found = {};
      for (const path of [`//${ELSEWHERE}/`, `/\\${ELSEWHERE}/`, `/%2F%2F${ELSEWHERE}/`, `/?next=https://${ELSEWHERE}/`,
        `/oauth2/signout?redirect=https://${ELSEWHERE}/&logout_uri=https://${ELSEWHERE}/`]) {
        const page = await context.newPage();
        const hosts = [];
        page.on("framenavigated", (frame) => hosts.push(new URL(frame.url()).hostname));
        const answer = await page.goto(`${home}${path}`).catch(() => null);
        if (answer && await page.locator('input[name="username"]').count()) {
          await signIn(page, users.staff);
          await page.waitForURL(isHome);
        }
        // A response without a body becomes a page of Chromium itself, of the host chromewebdata.
        const known = [new URL(home).hostname, new URL(given.provider).hostname, "", "chromewebdata"];
        found[path] = hosts.filter((host) => !known.includes(host));
      }
      return found;
    },

    async oversizedCookies(context) {
      const page = await context.newPage();
      await context.addCookies(Array.from({ length: 18 }, (_, number) => (
        { name: `big${number}`, value: "x".repeat(4000), url: `${home}/` })));
      // Over HTTP/2 Envoy resets the stream, over HTTP/1.1 it answers: `max_request_headers_kb` in its API reference.
      const answer = await page.goto(`${home}/orders`).catch((error) => error.message);
      await shot(page, "oversized-cookies");
      const status = typeof answer === "string" ? /net::(\w+)/.exec(answer)[1] : answer.status();
      await context.clearCookies({ name: /^big/ });
      const again = await page.goto(`${home}/orders`);
      return { status, again: again.status() };
    },

    // Other applications of the same site can set many small ones. Over HTTP/2 each is a header field of its own.
    async manyCookies(context) {
      const page = await context.newPage();
      await context.addCookies(Array.from({ length: 150 }, (_, number) => (
        { name: `small${number}`, value: "x".repeat(40), url: `${home}/` })));
      await enter(page, users.staff);
      return { heading: await page.textContent("h1"), orders: await fetched(page, "/orders") };
    },

    // A page that reloads itself without a session begins many logins. Each leaves a nonce and a code verifier.
    async unfinishedLogins(context) {
      const headers = { "sec-fetch-mode": "navigate" };
      for (let number = 0; number < 70; number += 1) {
        await context.request.get(`${home}/?number=${number}`, { headers, maxRedirects: 0 });
      }
      const cookies = (await context.cookies(home)).length;
      const page = await context.newPage();
      await enter(page, users.staff);
      return { cookies, heading: await page.textContent("h1") };
    },

    async cookieAndBearer(context) {
      const page = await context.newPage();
      await enter(page, users.staff);
      return { cookie: await fetched(page, "/orders"),
        both: await fetched(page, "/orders", { authorization: "Bearer not.a.token" }),
        lower: await fetched(page, "/orders", { authorization: "bearer not.a.token" }) };
    },

    async preflight(context) {
      const tls = { cert: readFileSync(given.cert), key: readFileSync(given.key) };
      const server = createServer(tls, (_request, answer) => {
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
  };
};
