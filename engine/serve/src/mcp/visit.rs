//! One request: who makes it, from which workspace, and in which era of the protocol.

use aa_run::caller::{Caller, LOCAL, Sees};
use aa_run::engine::Engine;
use aa_run::event::Origin;
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, ProtocolVersion};
use rmcp::service::RequestContext;

use super::seat::Seat;

/// Whoever has shown a key over HTTP; put into the request by what checks keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal(pub(crate) String);

/// What a request may do and see.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// The engine, for this caller in this workspace: runs of others are not there.
    pub(crate) engine: Engine,
    /// Whether every request stands alone: since 2026-07-28 there are no sessions and no requests
    /// from the server to the client.
    pub(crate) sessionless: bool,
}

impl Visit {
    /// Works out who asks.
    #[expect(clippy::unnecessary_wraps, clippy::unused_async, reason = "a workspace may be unknown")]
    pub(crate) async fn of(seat: &Seat, context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        let principal =
            context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Principal>());
        let principal = principal.map_or_else(|| LOCAL.to_owned(), |principal| principal.0.clone());
        let folder = seat.engine.settings().folder.clone();
        let caller = Caller { origin: Origin::Mcp, principal, sees: Sees::OwnIn(folder) };
        let version = context.protocol_version();
        let sessionless =
            version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        Ok(Self { engine: seat.engine.for_caller(caller), sessionless })
    }
}
