// Signs in with aws-amplify (SRP or a plain password) as standard input says, and prints the tokens as JSON.
import { text } from "node:stream/consumers";
import { Amplify } from "aws-amplify";
import { confirmSignIn, fetchAuthSession, signIn } from "aws-amplify/auth";
import { cognitoUserPoolsTokenProvider } from "aws-amplify/auth/cognito";

const asked = JSON.parse(await text(process.stdin));
const kept = new Map();
Amplify.configure({
  Auth: { Cognito: { userPoolId: asked.pool, userPoolClientId: asked.client, userPoolEndpoint: asked.endpoint } },
});
// Amplify keeps tokens in the browser's storage, which configure() sets. In memory, the refresh token can be read too.
cognitoUserPoolsTokenProvider.setKeyValueStorage({
  setItem: async (key, value) => void kept.set(key, value),
  getItem: async (key) => kept.get(key) ?? null,
  removeItem: async (key) => void kept.delete(key),
  clear: async () => kept.clear(),
});

const forced = asked.flow === "REFRESH_TOKEN_AUTH";
let { nextStep } = await signIn({
  username: asked.user,
  password: asked.password,
  options: { authFlowType: forced ? "USER_SRP_AUTH" : asked.flow },
});
if (nextStep.signInStep === "CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED")
  ({ nextStep } = await confirmSignIn({ challengeResponse: asked.new_password }));
if (nextStep.signInStep !== "DONE") throw new Error(nextStep.signInStep);
const { tokens } = await fetchAuthSession({ forceRefresh: forced });
console.log(JSON.stringify({
  access: tokens.accessToken.toString(),
  id: tokens.idToken.toString(),
  refresh: [...kept].find(([key]) => key.endsWith(".refreshToken"))[1],
}));
