//! What is answered: the response with its headers and dynamic metadata.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use envoy_types::pb::google::rpc::Status;
use serde::Serialize;
use tonic::Code;

use crate::settings::{Demand, Settings};
use crate::verifier::Claims;

/// One row of the reasons to refuse.
pub struct Refusal {
    reason: &'static str,
    status: i32,
    error: &'static str,
    text: &'static str,
}

const fn row(reason: &'static str, status: i32, error: &'static str, text: &'static str) -> Refusal {
    Refusal {
        reason,
        status,
        error,
        text,
    }
}

const INVALID: &str = "invalid_token";
const INSUFFICIENT: &str = "insufficient_scope";

#[rustfmt::skip]
mod rows {
    use super::{INSUFFICIENT, INVALID, Refusal, row};
    pub static POLICY_INVALID: Refusal = row("policy_invalid", 500, "", "The authorization policy of this route is not valid");
    pub static TOKEN_MISSING: Refusal = row("token_missing", 401, "", "A bearer token is required");
    pub static TOKEN_MALFORMED: Refusal = row("token_malformed", 401, INVALID, "The access token is not a well-formed signed JWT");
    pub static ISSUER_UNKNOWN: Refusal = row("issuer_unknown", 401, INVALID, "The access token comes from an issuer that is not accepted here");
    pub static KEY_UNKNOWN: Refusal = row("key_unknown", 401, INVALID, "The access token is signed with a key that is not known");
    pub static SIGNATURE_INVALID: Refusal = row("signature_invalid", 401, INVALID, "The signature of the access token is not valid");
    pub static TOKEN_EXPIRED: Refusal = row("token_expired", 401, INVALID, "The access token has expired");
    pub static TOKEN_NOT_YET_VALID: Refusal = row("token_not_yet_valid", 401, INVALID, "The access token is not valid yet");
    pub static TOKEN_USE_MISMATCH: Refusal = row("token_use_mismatch", 401, INVALID, "The token is of another kind than this route accepts");
    pub static AUDIENCE_MISMATCH: Refusal = row("audience_mismatch", 401, INVALID, "The access token is meant for another audience");
    pub static CLAIM_MISMATCH: Refusal = row("claim_mismatch", 403, INSUFFICIENT, "The access token does not meet the conditions of this route");
    pub static SCOPE_INSUFFICIENT: Refusal = row("scope_insufficient", 403, INSUFFICIENT, "The access token does not carry the scope that this route requires");
}
pub use rows::*;

/// What an answer says of a request.
pub struct Facts<'a> {
    pub id: &'a str,
    pub policy: &'a str,
    pub claims: Option<&'a Claims>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
    error_description: &'a str,
    reason: &'a str,
    request_id: &'a str,
}

pub fn allowed(settings: &Settings, facts: &Facts, claims: &Claims) -> CheckResponse {
    let response = OkHttpResponse {
        headers: vec![
            header("x-auth-subject", &claims.sub),
            header("x-auth-issuer", &settings.issuer_name),
            header("x-auth-client", &claims.client_id),
            header("x-auth-scopes", &claims.scope),
        ],
        headers_to_remove: settings.headers_to_remove.clone(),
        ..Default::default()
    };
    CheckResponse {
        status: Some(Status {
            code: Code::Ok.into(),
            ..Default::default()
        }),
        dynamic_metadata: Some(metadata(settings, "allow", "ok", facts)),
        http_response: Some(HttpResponse::OkResponse(response)),
    }
}

pub fn denied(settings: &Settings, why: &Refusal, facts: &Facts, demand: Option<&Demand>) -> CheckResponse {
    let code = if why.status == 401 {
        Code::Unauthenticated
    } else {
        Code::PermissionDenied
    };
    let body = Body {
        error: why.error,
        error_description: why.text,
        reason: why.reason,
        request_id: facts.id,
    };
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: why.status }),
        headers: vec![
            header("cache-control", "no-store"),
            header("content-type", "application/json"),
            header("www-authenticate", &challenge(settings, why, demand)),
        ],
        body: serde_json::to_string(&body).unwrap_or_default(),
    };
    CheckResponse {
        status: Some(Status {
            code: code.into(),
            ..Default::default()
        }),
        dynamic_metadata: Some(metadata(settings, "deny", why.reason, facts)),
        http_response: Some(HttpResponse::DeniedResponse(response)),
    }
}

/// The WWW-Authenticate header of RFC 6750 section 3.
fn challenge(settings: &Settings, why: &Refusal, demand: Option<&Demand>) -> String {
    let mut text = format!("Bearer realm=\"{}\"", settings.realm);
    if !why.error.is_empty() {
        text += &format!(", error=\"{}\", error_description=\"{}\"", why.error, why.text);
    }
    if let Some(demand) = demand {
        text += &format!(", scope=\"{}\"", demand.names());
    }
    text
}

fn metadata(settings: &Settings, decision: &str, reason: &str, facts: &Facts) -> Struct {
    let fields = settings.metadata.iter().filter_map(|name| {
        let value = match (name.as_str(), facts.claims) {
            ("decision", _) => decision,
            ("reason", _) => reason,
            ("policy", _) => facts.policy,
            ("request_id", _) => facts.id,
            ("subject", Some(claims)) => &claims.sub,
            ("client", Some(claims)) => &claims.client_id,
            ("issuer", Some(_)) => &settings.issuer_name,
            _ => return None,
        };
        Some((
            name.clone(),
            Value {
                kind: Some(Kind::StringValue(value.to_owned())),
            },
        ))
    });
    Struct {
        fields: fields.collect(),
    }
}

fn header(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..Default::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..Default::default()
    }
}
