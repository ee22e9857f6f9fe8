//! The call of Envoy's ext_authz filter.

use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use tonic::{Request, Response, Status};

use crate::answer::{self, Facts, allowed, denied};
use crate::settings::Settings;
use crate::verifier::Verifier;

pub struct Authorizer {
    settings: Settings,
    verifier: Verifier,
}

#[tonic::async_trait]
impl Authorization for Authorizer {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let attributes = request.into_inner().attributes.unwrap_or_default();
        Ok(Response::new(self.decide(attributes)))
    }
}

impl Authorizer {
    pub fn new(settings: Settings, verifier: Verifier) -> Self {
        Self { settings, verifier }
    }

    fn decide(&self, attributes: AttributeContext) -> CheckResponse {
        let http = attributes.request.and_then(|request| request.http).unwrap_or_default();
        let mut facts = Facts {
            id: http.headers.get("x-request-id").map_or("", String::as_str),
            policy: attributes.context_extensions.get("policy").map_or("", String::as_str),
            claims: None,
        };
        let Some(policy) = self.settings.policies.get(facts.policy) else {
            return denied(&self.settings, &answer::POLICY_INVALID, &facts, None);
        };
        let Some(token) = bearer(&http) else {
            return denied(&self.settings, &answer::TOKEN_MISSING, &facts, None);
        };
        let claims = match self.verifier.verify(token) {
            Ok(claims) => claims,
            Err(refusal) => return denied(&self.settings, refusal, &facts, None),
        };
        facts.claims = Some(&claims);
        if !policy.groups.is_met_by(&claims.groups) {
            return denied(&self.settings, &answer::CLAIM_MISMATCH, &facts, None);
        }
        if !policy.scopes.is_met_by(&claims.scopes) {
            return denied(
                &self.settings,
                &answer::SCOPE_INSUFFICIENT,
                &facts,
                Some(&policy.scopes),
            );
        }
        allowed(&self.settings, &facts, &claims)
    }
}

fn bearer(http: &HttpRequest) -> Option<&str> {
    let (scheme, token) = http.headers.get("authorization")?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
