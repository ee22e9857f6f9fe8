//! What the peer is told: the file that bench/place.py writes. The Go peer reads it too.

use std::collections::HashMap;
use std::error::Error;
use std::fs;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Settings {
    pub issuer: String,
    pub issuer_name: String,
    pub client_ids: Vec<String>,
    pub jwks_file: String,
    pub realm: String,
    pub policies: HashMap<String, Policy>,
    pub headers_to_remove: Vec<String>,
    /// The fields of dynamic metadata to send.
    pub metadata: Vec<String>,
}

/// What a route demands.
#[derive(Deserialize)]
pub struct Policy {
    #[serde(default)]
    pub scopes: Demand,
    #[serde(default)]
    pub groups: Demand,
}

/// A condition on a list of names.
#[derive(Default, Deserialize)]
pub struct Demand {
    #[serde(default)]
    pub any_of: Vec<String>,
    #[serde(default)]
    pub all_of: Vec<String>,
}

impl Settings {
    pub fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

impl Demand {
    pub fn is_met_by(&self, names: &[String]) -> bool {
        self.all_of.iter().all(|name| names.contains(name))
            && (self.any_of.is_empty() || self.any_of.iter().any(|name| names.contains(name)))
    }

    /// The names, as the `scope` of a challenge lists them.
    pub fn names(&self) -> String {
        self.all_of
            .iter()
            .chain(&self.any_of)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }
}
