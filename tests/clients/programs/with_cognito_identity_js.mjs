// Signs in with amazon-cognito-identity-js (SRP) as standard input says, and prints the tokens as JSON.
import { text } from "node:stream/consumers";
import { AuthenticationDetails, CognitoUser, CognitoUserPool } from "amazon-cognito-identity-js";

const asked = JSON.parse(await text(process.stdin));
const pool = new CognitoUserPool({ UserPoolId: asked.pool, ClientId: asked.client, endpoint: asked.endpoint });
const user = new CognitoUser({ Username: asked.user, Pool: pool });
const details = new AuthenticationDetails({ Username: asked.user, Password: asked.password });

const signIn = () => new Promise((onSuccess, onFailure) => {
  const callbacks = {
    onSuccess,
    onFailure,
    newPasswordRequired: () => user.completeNewPasswordChallenge(asked.new_password, {}, callbacks),
  };
  user.authenticateUser(details, callbacks);
});
const refresh = (session) => new Promise((resolve, reject) =>
  user.refreshSession(session.getRefreshToken(), (error, fresh) => (error ? reject(error) : resolve(fresh))));

let session = await signIn();
if (asked.flow === "REFRESH_TOKEN_AUTH") session = await refresh(session);
console.log(JSON.stringify({
  access: session.getAccessToken().getJwtToken(),
  id: session.getIdToken().getJwtToken(),
  refresh: session.getRefreshToken().getToken(),
}));
