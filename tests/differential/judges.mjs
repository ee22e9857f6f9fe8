// Two libraries' verdicts on tokens: reads one JSON object from standard input, writes one to standard output.
// Configured as their documentation tells an application to that accepts access tokens of one client of one user pool.
import { readFileSync } from 'node:fs'
import { CognitoJwtVerifier } from 'aws-jwt-verify'
import { createLocalJWKSet, jwtVerify } from 'jose'

const { tokens, jwks, issuer, userPoolId, clientId, leeway } = JSON.parse(readFileSync(0, 'utf8'))

const cognito = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse: 'access', graceSeconds: leeway })
cognito.cacheJwks(jwks)
const keys = createLocalJWKSet(jwks)

const awsJwtVerify = async (token) => void cognito.verifySync(token)
const jose = async (token) => {
  const options = { issuer, algorithms: ['RS256'], requiredClaims: ['exp'], clockTolerance: leeway }
  const { payload } = await jwtVerify(token, keys, options)
  if (payload.token_use !== 'access' || payload.client_id !== clientId) throw new Error('not ours')
}

const verdict = async (judge, token) => judge(token).then(() => true, () => false)
const verdicts = {}
for (const [name, token] of Object.entries(tokens)) {
  verdicts[name] = { 'aws-jwt-verify': await verdict(awsJwtVerify, token), jose: await verdict(jose, token) }
}
process.stdout.write(JSON.stringify(verdicts))
