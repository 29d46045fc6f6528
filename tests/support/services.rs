//! Servers that speak the routes, checks and errors of real services, for tests.
//!
//! They keep state, and take nothing that the service would not: a wrong token, an unknown
//! route, a parameter that nobody expects is an error like the service's own.

pub(crate) mod gitlab;
pub(crate) mod jira;
pub(crate) mod quay;
pub(crate) mod slack;

use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};

use super::server;
pub(crate) use super::server::{Reply, Request};

/// A service that answers one request after the other.
pub(crate) trait Service: Send + 'static {
    /// Answers a request.
    fn answer(&mut self, request: &Request) -> Reply;

    /// Takes a connection over that wants to be a WebSocket.
    fn socket(_: &Arc<Mutex<Self>>, _: &Request, _: TcpStream) {}
}

/// A running service; it ends with the process.
#[derive(Debug)]
pub(crate) struct Server<S> {
    pub(crate) url: String,
    state: Arc<Mutex<S>>,
    inner: server::Server,
}

impl<S: Service> Server<S> {
    pub(crate) fn start(service: S) -> Self {
        let state = Arc::new(Mutex::new(service));
        let shared = Arc::clone(&state);
        let server = server::Server::taking(move |request, stream| {
            if request.headers.get("upgrade").is_some_and(|value| value == "websocket") {
                return S::socket(&shared, request, stream);
            }
            let reply = shared.lock().unwrap().answer(request);
            reply.send(stream);
        });
        Self { url: server.url.clone(), state, inner: server }
    }

    /// The state of the service.
    pub(crate) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap()
    }

    /// What has been asked since the last time, as `METHOD /path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let name = |request: Request| format!("{} /{}", request.method, request.path.join("/"));
        self.inner.news().into_iter().map(name).collect()
    }
}
