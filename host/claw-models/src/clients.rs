//! The HTTP clients that all entries share. They follow no redirect, take no proxy from
//! the environment (a proxy is a `base_url`), send no referer and keep no cookies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use rustls::ClientConfig;

/// A client for each connect timeout in use; all of them outlive a change of the
/// configuration, and so do their connections.
#[derive(Debug)]
pub(crate) struct Clients {
    tls: ClientConfig,
    by_connect_timeout: Mutex<HashMap<Duration, Client>>,
}

impl Clients {
    /// No client yet; the trusted certificates are read from the system.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub(crate) fn try_new() -> Result<Self, rustls::Error> {
        Ok(Clients {
            tls: tls()?,
            by_connect_timeout: Mutex::default(),
        })
    }

    /// The client with this connect timeout.
    ///
    /// # Errors
    /// The HTTP library refuses its settings.
    pub(crate) fn get(&self, connect: Duration) -> Result<Client, reqwest::Error> {
        let mut clients = self.by_connect_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&connect) {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(connect)
            .tcp_keepalive(Duration::from_secs(30))
            .http2_adaptive_window(false)
            .user_agent(concat!("claw/", env!("CARGO_PKG_VERSION")))
            .build()?;
        clients.insert(connect, client.clone());
        Ok(client)
    }
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        Err(error) => {
            // A machine without certificates can still use providers over plain HTTP.
            tracing::warn!(%error, "no trusted certificates: no provider can be reached over https");
            builder
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
