// An OpenID provider whose access tokens live for seconds, which rotates refresh tokens, and with which clients register
// themselves. Arguments: port, the address of Envoy, the resource. Listens as soon as `/jwks` answers.
import Provider from "oidc-provider";

const [port, home, resource] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "orders-web", client_secret: "secret-of-at-least-32-characters-0", redirect_uris: [`${home}/oauth2/callback`],
      response_types: ["code"], grant_types: ["authorization_code", "refresh_token"] },
    { client_id: "suite", client_secret: "secret-of-at-least-32-characters-1", redirect_uris: [],
      response_types: [], grant_types: ["client_credentials"] },
  ],
  scopes: ["openid", "offline_access", "orders/read", "orders/write"],
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
  rotateRefreshToken: true,
  features: {
    registration: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, indicator, client) => ({
        scope: "orders/read orders/write", audience: indicator, accessTokenFormat: "jwt",
        accessTokenTTL: client.clientId === "orders-web" ? 2 : 3600, jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  pkce: { required: () => true },
});
provider.listen(Number(port), "127.0.0.1");
