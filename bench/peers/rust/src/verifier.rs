//! Verifies tokens, and remembers the claims of those whose signature was good.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use lru::LruCache;
use serde::Deserialize;

use crate::answer::{self, Refusal};
use crate::settings::Settings;

const LEEWAY_SECONDS: u64 = 10;

/// The claims of an access token that are read.
#[derive(Deserialize)]
pub struct Claims {
    pub sub: String,
    pub exp: u64,
    pub client_id: String,
    pub token_use: String,
    pub scope: String,
    #[serde(rename = "cognito:groups", default)]
    pub groups: Vec<String>,
    #[serde(skip)]
    pub scopes: Vec<String>,
}

pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
    client_ids: Vec<String>,
    validation: Validation,
    known: Option<Mutex<LruCache<String, Arc<Claims>>>>,
}

impl Verifier {
    pub fn new(settings: &Settings, size: usize) -> Result<Self, Box<dyn Error>> {
        let document: JwkSet = serde_json::from_slice(&fs::read(&settings.jwks_file)?)?;
        let mut keys = HashMap::new();
        for key in &document.keys {
            let id = key.common.key_id.clone().ok_or("a key without kid")?;
            keys.insert(id, DecodingKey::from_jwk(key)?);
        }
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        // The access tokens of Cognito name their client in `client_id` and have no `aud`.
        validation.validate_aud = false;
        validation.set_issuer(&[&settings.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        let known = NonZeroUsize::new(size).map(|size| Mutex::new(LruCache::new(size)));
        Ok(Self {
            keys,
            client_ids: settings.client_ids.clone(),
            validation,
            known,
        })
    }

    /// Returns the claims of a good token. Time is checked for a known token too.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, &'static Refusal> {
        let Some(known) = &self.known else {
            return self.decode(token).map(Arc::new);
        };
        if let Some(claims) = known.lock().unwrap().get(token).cloned() {
            return if now() < claims.exp + LEEWAY_SECONDS {
                Ok(claims)
            } else {
                Err(&answer::TOKEN_EXPIRED)
            };
        }
        let claims = Arc::new(self.decode(token)?);
        known.lock().unwrap().put(token.to_owned(), claims.clone());
        Ok(claims)
    }

    fn decode(&self, token: &str) -> Result<Claims, &'static Refusal> {
        let header = decode_header(token).map_err(|_| &answer::TOKEN_MALFORMED)?;
        let key = header
            .kid
            .and_then(|id| self.keys.get(&id))
            .ok_or(&answer::KEY_UNKNOWN)?;
        let mut claims = decode::<Claims>(token, key, &self.validation)
            .map_err(|error| refusal_of(error.kind()))?
            .claims;
        if claims.token_use != "access" {
            return Err(&answer::TOKEN_USE_MISMATCH);
        }
        if !self.client_ids.contains(&claims.client_id) {
            return Err(&answer::AUDIENCE_MISMATCH);
        }
        claims.scopes = claims.scope.split_whitespace().map(str::to_owned).collect();
        Ok(claims)
    }
}

fn refusal_of(kind: &ErrorKind) -> &'static Refusal {
    match kind {
        ErrorKind::InvalidSignature => &answer::SIGNATURE_INVALID,
        ErrorKind::ExpiredSignature => &answer::TOKEN_EXPIRED,
        ErrorKind::ImmatureSignature => &answer::TOKEN_NOT_YET_VALID,
        ErrorKind::InvalidIssuer => &answer::ISSUER_UNKNOWN,
        _ => &answer::TOKEN_MALFORMED,
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
