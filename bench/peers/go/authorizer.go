package main

import (
	"context"
	"errors"
	"strings"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/golang-jwt/jwt/v5"
)

// refusal is one row of the reasons to refuse.
type refusal struct {
	reason string
	status int
	error  string
	text   string
}

var (
	policyInvalid     = &refusal{"policy_invalid", 500, "", "The authorization policy of this route is not valid"}
	tokenMissing      = &refusal{"token_missing", 401, "", "A bearer token is required"}
	tokenMalformed    = &refusal{"token_malformed", 401, "invalid_token", "The access token is not a well-formed signed JWT"}
	issuerUnknown     = &refusal{"issuer_unknown", 401, "invalid_token", "The access token comes from an issuer that is not accepted here"}
	keyUnknown        = &refusal{"key_unknown", 401, "invalid_token", "The access token is signed with a key that is not known"}
	signatureInvalid  = &refusal{"signature_invalid", 401, "invalid_token", "The signature of the access token is not valid"}
	tokenExpired      = &refusal{"token_expired", 401, "invalid_token", "The access token has expired"}
	tokenNotYetValid  = &refusal{"token_not_yet_valid", 401, "invalid_token", "The access token is not valid yet"}
	tokenUseMismatch  = &refusal{"token_use_mismatch", 401, "invalid_token", "The token is of another kind than this route accepts"}
	audienceMismatch  = &refusal{"audience_mismatch", 401, "invalid_token", "The access token is meant for another audience"}
	claimMismatch     = &refusal{"claim_mismatch", 403, "insufficient_scope", "The access token does not meet the conditions of this route"}
	scopeInsufficient = &refusal{"scope_insufficient", 403, "insufficient_scope", "The access token does not carry the scope that this route requires"}
)

type authorizer struct {
	auth.UnimplementedAuthorizationServer
	settings *Settings
	verifier *verifier
}

// Check answers one call of Envoy's ext_authz filter.
func (a *authorizer) Check(_ context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	attributes := request.GetAttributes()
	headers := attributes.GetRequest().GetHttp().GetHeaders()
	about := facts{id: headers["x-request-id"], policy: attributes.GetContextExtensions()["policy"]}
	policy, found := a.settings.Policies[about.policy]
	if !found {
		return a.denied(policyInvalid, about, nil), nil
	}
	scheme, token, _ := strings.Cut(headers["authorization"], " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return a.denied(tokenMissing, about, nil), nil
	}
	claims, err := a.verifier.verify(token)
	if err != nil {
		return a.denied(refusalOf(err), about, nil), nil
	}
	about.claims = claims
	if !policy.Groups.metBy(claims.Groups) {
		return a.denied(claimMismatch, about, nil), nil
	}
	if !policy.Scopes.metBy(claims.scopes) {
		return a.denied(scopeInsufficient, about, policy.Scopes), nil
	}
	return a.allowed(about), nil
}

func refusalOf(err error) *refusal {
	for _, each := range []struct {
		err     error
		refusal *refusal
	}{
		{errKey, keyUnknown},
		{jwt.ErrTokenMalformed, tokenMalformed},
		{jwt.ErrTokenSignatureInvalid, signatureInvalid},
		{jwt.ErrTokenExpired, tokenExpired},
		{jwt.ErrTokenNotValidYet, tokenNotYetValid},
		{jwt.ErrTokenInvalidIssuer, issuerUnknown},
		{errUse, tokenUseMismatch},
		{errClient, audienceMismatch},
	} {
		if errors.Is(err, each.err) {
			return each.refusal
		}
	}
	return tokenMalformed
}
