// The scenes at the Cognito emulator: those of every provider, and those of its login and sign-out pages.
import { everyProvider } from "./every_provider.mjs";
import { given, hasSession, home, isHome, person, play, refusal, shot, submit, users } from "./driver.mjs";

const LOOKS = [["en-US", "light"], ["ja-JP", "light"], ["en-US", "dark"], ["ja-JP", "dark"]];

async function enter(page, user, address = `${home}/`) {
  await page.goto(address);
  await submit(page, user);
  await page.waitForURL(isHome);
}

await play({
  ...everyProvider(submit),

  async wrongPassword(context) {
    const page = await context.newPage();
    await page.goto(`${home}/`);
    await submit(page, users.staff, "not the password");
    await page.waitForLoadState();
    await shot(page, "wrong-password");
    return { url: page.url(), session: await hasSession(context) };
  },

  async signOut(context) {
    const page = await context.newPage();
    await enter(page, users.staff);
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
    await enter(page, users.staff);
    const query = new URLSearchParams({ client_id: given.clientId, logout_uri: `${home}/` });
    await page.goto(`${given.provider}/logout?${query}`);
    await page.waitForURL(`${home}/`);
    return { heading: await page.textContent("h1"), session: await hasSession(context) };
  },

  // Every provider gets these pages from the same files.
  async pages() {
    const found = {};
    for (const [language, scheme] of LOOKS) {
      const context = await person(language, scheme);
      try {
        const page = await context.newPage();
        await page.goto(`${home}/orders`);
        const name = `${language.slice(0, 2)}-${scheme}`;
        found[`sign-in-${name}`] = await refusal(page, `sign-in-${name}`);
        await enter(page, users.newcomer, `${home}/staff`);
        found[`forbidden-${name}`] = await refusal(page, `forbidden-${name}`);
      } finally {
        await context.close();
      }
    }
    return found;
  },

  async away() {
    const found = {};
    for (const [language, scheme] of LOOKS) {
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
});
