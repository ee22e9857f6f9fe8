// Signs in at the given address with a real browser and prints, as JSON, what the person then sees.
// Arguments: address, user name, password, file for a screenshot, playwright-core's entry file.
import { pathToFileURL } from "node:url";

const [address, user, password, screenshot, playwright] = process.argv.slice(2);
const { chromium } = (await import(pathToFileURL(playwright).href)).default;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1100, height: 850 } });
  await page.goto(address);
  const loginPage = page.url();
  await page.fill('input[name="username"]', user);
  await page.fill('input[name="password"]', password);
  await page.click('button[type="submit"], input[type="submit"]');
  await page.waitForURL(address);
  const heading = await page.textContent("h1");
  const verified = Object.fromEntries(await page.$$eval("table:first-of-type tr",
    (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))));
  const cookies = (await page.context().cookies()).map((cookie) => cookie.name);
  const seenByScripts = await page.evaluate(() => document.cookie);
  const unlabelled = await page.$$eval("a, th", (all) => all.filter((one) => !one.textContent.trim()).length);
  await page.screenshot({ path: screenshot, fullPage: true });
  await page.click('a[href="/oauth2/signout"]');
  await page.waitForURL("**/oauth2/authorize**");
  await page.goto(new URL("/orders", address).href);
  const orders = await page.textContent("body");
  console.log(JSON.stringify({ loginPage, heading, verified, cookies, seenByScripts, unlabelled, orders }));
} finally {
  await browser.close();
}
