//! One request: who makes it, from which workspace, and in which era of the protocol.

use std::sync::Arc;

use aa_run::caller::{Caller, Sees};
use aa_run::engine::Engine;
use aa_run::event::Origin;
use aa_run::key::Guest;
use aa_run::persona::Choice;
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, ProtocolVersion};
use rmcp::service::RequestContext;

use super::seat::Seat;

/// What a request may do and see.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// The engine, for this caller in this workspace: runs of others are not there.
    pub(crate) engine: Engine,
    /// Whether every request stands alone: since 2026-07-28 there are no sessions and no requests
    /// from the server to the client.
    pub(crate) sessionless: bool,
    /// Who asks, and which personas they may play.
    pub(crate) guest: Arc<Guest>,
}

impl Visit {
    /// Works out who asks.
    #[expect(clippy::unnecessary_wraps, clippy::unused_async, reason = "a workspace may be unknown")]
    pub(crate) async fn of(seat: &Seat, context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        // Over HTTP the door has put it there; on stdio it is whoever has started us.
        let guest = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Arc<Guest>>());
        let guest = guest.map_or_else(|| Arc::new(Guest::local()), Arc::clone);
        let principal = guest.principal.clone();
        let folder = seat.engine.settings().folder.clone();
        let caller = Caller { origin: Origin::Mcp, principal, sees: Sees::OwnIn(folder) };
        let version = context.protocol_version();
        let sessionless =
            version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        Ok(Self { engine: seat.engine.for_caller(caller), sessionless, guest })
    }

    /// Whether they may see what was chosen: a key that opens some personas opens nothing else.
    pub(crate) fn may_see(&self, choice: &Choice) -> bool {
        match choice {
            Choice::Persona(name) => self.guest.may_play(name),
            _ => self.guest.personas.is_none(),
        }
    }
}
