//! A tonic client: sends one CheckRequest many times over one connection and prints the answers.
//!
//! `client SOCKET MESSAGE_FILE CALLS`
//!
//! Prints a line per distinct outcome: its number, a blank, and `allow`, `deny` or the gRPC status.

use std::collections::BTreeMap;
use std::error::Error;

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use prost::Message;
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, socket, file, calls] = arguments.as_slice() else {
        return Err("usage: client SOCKET MESSAGE_FILE CALLS".into());
    };
    let request = CheckRequest::decode(std::fs::read(file)?.as_slice())?;
    let channel = Endpoint::try_from(format!("unix://{socket}"))?.connect().await?;
    let client = AuthorizationClient::new(channel);
    let mut remaining: usize = calls.parse()?;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    while remaining > 0 {
        let mut running = JoinSet::new();
        for _ in 0..remaining.min(AT_ONCE) {
            let (mut client, request) = (client.clone(), request.clone());
            running.spawn(async move { client.check(request).await });
        }
        remaining -= running.len();
        while let Some(done) = running.join_next().await {
            let outcome = match done? {
                Ok(answer) => match answer.into_inner().status {
                    Some(status) if status.code != 0 => "deny".to_string(),
                    _ => "allow".to_string(),
                },
                Err(status) => format!("{:?}", status.code()),
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    for (outcome, number) in outcomes {
        println!("{number} {outcome}");
    }
    Ok(())
}
