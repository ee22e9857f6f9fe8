//! An ext_authz server on tonic and jsonwebtoken: a peer of authz in `make bench`.
//!
//! `peer SOCKET SETTINGS_FILE CACHE_SIZE`
//!
//! A cache size of 0 verifies the token of every request. Tokio reads TOKIO_WORKER_THREADS from the environment.

mod answer;
mod authorizer;
mod settings;
mod verifier;

use std::error::Error;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use crate::authorizer::Authorizer;
use crate::settings::Settings;
use crate::verifier::Verifier;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, socket, settings, size] = arguments.as_slice() else {
        return Err("usage: peer SOCKET SETTINGS_FILE CACHE_SIZE".into());
    };
    let settings = Settings::read(settings)?;
    let verifier = Verifier::new(&settings, size.parse()?)?;
    let mut stop = signal(SignalKind::terminate())?;
    Server::builder()
        .add_service(AuthorizationServer::new(Authorizer::new(settings, verifier)))
        .serve_with_incoming_shutdown(UnixListenerStream::new(UnixListener::bind(socket)?), async move {
            stop.recv().await;
        })
        .await?;
    Ok(())
}
