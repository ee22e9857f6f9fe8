// A certified OpenID provider over TLS for people in browsers: a login page that checks the password, a consent page on
// which scopes can be withheld, a sign-out page, and refresh tokens that rotate. Each person has access tokens of their own
// lifetime. The only argument is a JSON object: module, port, home, cert, key, secret and people.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const given = JSON.parse(process.argv[2]);
// Found by the test: `import` by name would not look into NODE_PATH.
const { Provider } = await import(pathToFileURL(given.module).href);
const people = Object.fromEntries(given.people.map((one) => [one.name, one]));

const provider = new Provider(`https://localhost:${given.port}`, {
  clients: [{ client_id: "orders-web", client_secret: given.secret, redirect_uris: [`${given.home}/oauth2/callback`],
    post_logout_redirect_uris: [`${given.home}/`], response_types: ["code"],
    grant_types: ["authorization_code", "refresh_token"] }],
  findAccount: (_context, id) => (people[id] ? { accountId: id, claims: () => ({ sub: id }) } : undefined),
  extraTokenClaims: (_context, token) => ({ groups: people[token.accountId].groups }),
  issueRefreshToken: (_context, _client, code) => people[code.accountId].refreshes,
  rotateRefreshToken: true,
  ttl: { AccessToken: (_context, token) => people[token.accountId].seconds },
  interactions: { url: (_context, interaction) => `/${interaction.prompt.name}/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: true, logoutSource: (context, form) => {
      context.body = page("Sign out?", `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
    } },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "https://orders.example.com",
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "orders/read orders/write", audience: "orders", accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } } }),
    },
  },
  pkce: { required: () => true },
});

const page = (title, content) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>
<h1>${title}</h1>${content}`;

function form({ prompt }, problem = "") {
  if (prompt.name === "login") {
    return page("Provider: sign in", `${problem}<form method="post"><label>Name <input name="username"></label>
<label>Password <input name="password" type="password"></label>
<button type="submit">Sign in</button> <button name="cancel">Cancel</button></form>`);
  }
  const scopes = Object.values(prompt.details.missingResourceScopes ?? {}).flat();
  return page("Provider: consent", `<form method="post">${scopes.map((scope) => `<label>
<input type="checkbox" name="scope" value="${scope}" checked> ${scope}</label>`).join("")}
<button name="allow">Allow</button> <button name="cancel">Cancel</button></form>`);
}

async function consented({ grantId, prompt, session, params }, allowed) {
  const grant = grantId ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(" "));
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    for (const scope of scopes) {
      if (allowed.includes(scope)) grant.addResourceScope(resource, scope);
      else grant.rejectResourceScope(resource, scope);
    }
  }
  return { consent: { grantId: await grant.save() } };
}

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  const sent = request.method === "POST" ? new URLSearchParams(await text(request)) : undefined;
  response.setHeader("content-type", "text/html; charset=utf-8");
  if (!sent) return response.end(form(details));
  const finish = (result) => provider.interactionFinished(request, response, result);
  if (sent.has("cancel")) return finish({ error: "access_denied", error_description: "the person cancelled" });
  if (details.prompt.name === "consent") return finish(await consented(details, sent.getAll("scope")));
  const one = people[sent.get("username")];
  if (one?.password === sent.get("password")) return finish({ login: { accountId: one.name } });
  return response.end(form(details, '<p role="alert">Wrong name or password</p>'));
}

const tls = { cert: readFileSync(given.cert), key: readFileSync(given.key) };
const answer = provider.callback();
createServer(tls, (request, response) => {
  if (!/^\/(login|consent)\//.test(request.url)) return answer(request, response);
  return interact(request, response).catch((error) => { response.writeHead(400).end(page("Provider: error", error.message)); });
}).listen(given.port, "127.0.0.1");
