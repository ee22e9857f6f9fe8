// The scenes at a certified OpenID provider: those of every provider, and those that need consent, access tokens that end,
// rotating refresh tokens, single sign-on or the provider's own sign-out.
import { everyProvider } from "./every_provider.mjs";
import { askedOfProvider, cookie, fetched, given, hasSession, home, isHome, person, play, refusal, shot, submit,
  users } from "./driver.mjs";

const isAt = (name) => (url) => url.origin === given.provider && url.pathname.startsWith(`/${name}/`);
const SIGN_OUT = `${given.provider}/session/end?${new URLSearchParams({ client_id: given.clientId,
  post_logout_redirect_uri: `${home}/` })}`;

// The login page, and the consent page if the provider shows it.
async function signIn(page, user, withheld = "") {
  await submit(page, user);
  await page.waitForURL((url) => isHome(url) || isAt("consent")(url) || url.pathname.startsWith("/oauth2/callback"));
  if (isAt("consent")(new URL(page.url()))) await consent(page, withheld);
}

async function consent(page, withheld = "") {
  if (withheld) await page.uncheck(`input[value="${withheld}"]`);
  await page.click('button[name="allow"]');
}

async function enter(page, user, withheld = "") {
  await page.goto(`${home}/`);
  await signIn(page, user, withheld);
  await page.waitForURL(isHome);
}

const expiry = (user) => new Promise((done) => { setTimeout(done, (user.seconds + 1) * 1000); });

const heading = (page) => page.textContent("h1");

await play({
  ...everyProvider(signIn),

  async wrongPassword(context) {
    const page = await context.newPage();
    await page.goto(`${home}/`);
    await submit(page, users.staff, "not the password");
    await page.waitForSelector('p[role="alert"]');
    await shot(page, "oidc-wrong-password");
    const session = await hasSession(context);
    await signIn(page, users.staff);
    await page.waitForURL(isHome);
    return { session, then: await heading(page) };
  },

  // The person cancels on the consent page, reads why nothing happened, and tries again with the page's own button.
  async consentDenied() {
    const found = {};
    for (const language of ["en", "ja"]) {
      const context = await person(language === "ja" ? "ja-JP" : "en-US");
      try {
        const page = await context.newPage();
        await page.goto(`${home}/?view=late`);
        await submit(page, users.staff);
        await page.waitForURL(isAt("consent"));
        await shot(page, "oidc-consent");
        await page.click('button[name="cancel"]');
        await page.waitForURL(`${home}/oauth2/callback**`);
        found[language] = { ...(await refusal(page, `oidc-consent-denied-${language}`)), session: await hasSession(context) };
        await page.click("main a");
        await page.waitForURL(isAt("consent"));
        await consent(page);
        await page.waitForURL(`${home}/`);
        found[language].then = await heading(page);
      } finally {
        await context.close();
      }
    }
    return found;
  },

  async loginAbandoned(context) {
    const page = await context.newPage();
    await page.goto(`${home}/`);
    await page.click('button[name="cancel"]');
    await page.waitForURL(`${home}/oauth2/callback**`);
    const seen = { ...(await refusal(page, "oidc-login-abandoned")), session: await hasSession(context) };
    await page.click("main a");
    await page.waitForURL(isAt("login"));
    await page.goBack();
    return { ...seen, back: await heading(page) };
  },

  // The person withholds a scope, is refused, and signs in with another account from the link on the page.
  async withheldScope(context) {
    const page = await context.newPage();
    await enter(page, users.staff, "orders/read");
    const start = await heading(page);
    const answer = await page.goto(`${home}/orders`);
    const seen = { start, status: answer.status(), ...(await refusal(page, "oidc-withheld-scope")) };
    await page.click('main a[href="/oauth2/signout"]');
    await page.waitForURL(`${given.provider}/**`);
    await page.click('button[name="logout"]');
    await page.waitForURL(isAt("login"));
    await signIn(page, users.newcomer);
    await page.waitForURL(isHome);
    const orders = await page.goto(`${home}/orders`);
    return { ...seen, then: await heading(page), orders: orders.status() };
  },

  async expiry(context) {
    const page = await context.newPage();
    await enter(page, users.brief);
    const asked = askedOfProvider(page);
    const tokens = [await cookie(context, "__Host-session-refresh")];
    await expiry(users.brief);
    await page.goto(`${home}/`);
    const start = await heading(page);
    tokens.push(await cookie(context, "__Host-session-refresh"));
    await expiry(users.brief);
    const orders = await fetched(page, "/orders");
    tokens.push(await cookie(context, "__Host-session-refresh"));
    return { start, orders, asked, tokens: new Set(tokens.filter(Boolean)).size };
  },

  // Both tabs outlive the access token; the second uses the refresh token that the first one got.
  async expiryInTwoTabs(context) {
    const [first, second] = [await context.newPage(), await context.newPage()];
    await enter(first, users.brief);
    await second.goto(`${home}/?tab=2`);
    await expiry(users.brief);
    await first.goto(`${home}/?tab=1`);
    await expiry(users.brief);
    const asked = askedOfProvider(second);
    await second.reload();
    return { first: await heading(first), second: await heading(second), asked };
  },

  // The provider takes the second use of a refresh token for theft and ends the grant.
  async fetchesAtOnceAfterExpiry(context) {
    const page = await context.newPage();
    await enter(page, users.brief);
    await expiry(users.brief);
    const answers = await page.evaluate(() => Promise.all(Array.from({ length: 6 }, async (_, number) => (
      (await fetch(`/orders?part=${number}`, { headers: { accept: "application/json" } })).status))));
    await expiry(users.brief);
    await page.goto(`${home}/`);
    await page.waitForURL((url) => isHome(url) || isAt("consent")(url));
    const asked = isAt("consent")(new URL(page.url()));
    if (asked) await consent(page);
    await page.waitForURL(isHome);
    return { answers, asked, then: await heading(page) };
  },

  // Without a refresh token the provider's own session brings a navigation back; a script gets a 401.
  async expiryWithoutRefreshToken(context) {
    const page = await context.newPage();
    await enter(page, users.unrefreshed);
    const refresh = (await cookie(context, "__Host-session-refresh")) !== undefined;
    await expiry(users.unrefreshed);
    const script = await fetched(page, "/orders");
    const asked = askedOfProvider(page);
    await page.goto(`${home}/?view=late`);
    return { refresh, script, asked, back: page.url(), then: await heading(page) };
  },

  async signOut(context) {
    const page = await context.newPage();
    await enter(page, users.staff);
    await page.click('a[href="/oauth2/signout"]');
    await page.waitForURL(`${given.provider}/session/end?**`);
    await shot(page, "oidc-sign-out");
    const asked = { url: page.url(), session: await hasSession(context) };
    await page.click('button[name="logout"]');
    await page.waitForURL(isAt("login"));
    await shot(page, "oidc-signed-out");
    const back = await context.newPage();
    const orders = await back.goto(`${home}/orders`);
    await signIn(page, users.newcomer);
    await page.waitForURL(isHome);
    return { ...asked, orders: orders.status(), then: await heading(page) };
  },

  async signOutAtProvider(context) {
    const page = await context.newPage();
    await enter(page, users.staff);
    await page.goto(SIGN_OUT);
    await page.click('button[name="logout"]');
    await page.waitForURL(`${home}/`);
    return { heading: await heading(page), session: await hasSession(context) };
  },

  // The provider ends the refresh token with its session, so this session ends with its access token.
  async signOutAtProviderThenExpiry(context) {
    const page = await context.newPage();
    await enter(page, users.brief);
    const elsewhere = await context.newPage();
    await elsewhere.goto(SIGN_OUT);
    await elsewhere.click('button[name="logout"]');
    await elsewhere.waitForURL((url) => isHome(url) || isAt("login")(url));
    await expiry(users.brief);
    const script = await fetched(page, "/orders");
    await page.goto(`${home}/`);
    return { script, login: isAt("login")(new URL(page.url())) };
  },
});
