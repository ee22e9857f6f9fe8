package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// facts are what an answer says of a request.
type facts struct {
	id, policy string
	claims     *Claims
}

func (a *authorizer) allowed(about facts) *auth.CheckResponse {
	claims := about.claims
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(code.Code_OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
			Headers: []*core.HeaderValueOption{
				header("x-auth-subject", claims.Subject),
				header("x-auth-issuer", a.settings.IssuerName),
				header("x-auth-client", claims.ClientID),
				header("x-auth-scopes", claims.Scope),
			},
			HeadersToRemove: a.settings.HeadersToRemove,
		}},
		DynamicMetadata: a.metadata("allow", "ok", about),
	}
}

func (a *authorizer) denied(why *refusal, about facts, demand *Demand) *auth.CheckResponse {
	grpcCode := code.Code_PERMISSION_DENIED
	if why.status == 401 {
		grpcCode = code.Code_UNAUTHENTICATED
	}
	body, _ := json.Marshal(struct {
		Error       string `json:"error,omitempty"`
		Description string `json:"error_description"`
		Reason      string `json:"reason"`
		RequestID   string `json:"request_id"`
	}{why.error, why.text, why.reason, about.id})
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(grpcCode)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(why.status)},
			Headers: []*core.HeaderValueOption{
				header("cache-control", "no-store"),
				header("content-type", "application/json"),
				header("www-authenticate", a.challenge(why, demand)),
			},
			Body: string(body),
		}},
		DynamicMetadata: a.metadata("deny", why.reason, about),
	}
}

// challenge is the WWW-Authenticate header of RFC 6750 section 3.
func (a *authorizer) challenge(why *refusal, demand *Demand) string {
	text := fmt.Sprintf("Bearer realm=%q", a.settings.Realm)
	if why.error != "" {
		text += fmt.Sprintf(", error=%q, error_description=%q", why.error, why.text)
	}
	if demand != nil {
		text += fmt.Sprintf(", scope=%q", strings.Join(slices.Concat(demand.AllOf, demand.AnyOf), " "))
	}
	return text
}

func (a *authorizer) metadata(decision, reason string, about facts) *structpb.Struct {
	fields := make(map[string]*structpb.Value, len(a.settings.Metadata))
	for _, name := range a.settings.Metadata {
		switch name {
		case "decision":
			fields[name] = structpb.NewStringValue(decision)
		case "reason":
			fields[name] = structpb.NewStringValue(reason)
		case "policy":
			fields[name] = structpb.NewStringValue(about.policy)
		case "request_id":
			fields[name] = structpb.NewStringValue(about.id)
		}
		if about.claims == nil {
			continue
		}
		switch name {
		case "subject":
			fields[name] = structpb.NewStringValue(about.claims.Subject)
		case "client":
			fields[name] = structpb.NewStringValue(about.claims.ClientID)
		case "issuer":
			fields[name] = structpb.NewStringValue(a.settings.IssuerName)
		}
	}
	return &structpb.Struct{Fields: fields}
}

func header(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: name, Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
