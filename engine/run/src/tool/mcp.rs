//! Tools of MCP servers: processes and web services that say themselves what they can do.
//!
//! What a server says of its tools is kept when it is seen first ([`crate::store::Pinned`]) and
//! believed from then on: skills are checked against it without the server, and a call is
//! refused when the server has come to say something else, until a person has looked at it.
//! So a server is started only by a call or to be trusted: what a project that was just cloned
//! would start is not started by looking at its tools or checking its skills.
//!
//! Connections live on a thread of their own ([`host`]). Everything that a server may do wrong
//! becomes the error of the call that it does it to.

mod call;
mod client;
mod definition;
mod elicit;
mod guides;
mod host;
mod link;
mod news;
mod outcome;
mod pipe;
mod reach;
mod schema;
mod trusted;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::plan::resolve::{Touched, hosts};
use aa_spec::tool::recipe::mcp::{Reach, Server};
use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use async_trait::async_trait;
use chrono::Utc;
use serde_json::{Map, Value, json};

use self::call::Call;
pub(crate) use self::definition::is_invisible;
use self::definition::{Offer, Offers};
pub use self::guides::Guide;
pub(crate) use self::host::Host;
use self::link::{Link, Listing, Live};
use self::outcome::Reading;
use self::reach::Entry;
pub use self::trusted::{Saying, Trusted};
use super::configuration::Configuration;
use super::declared::filled;
use super::http::Web;
use super::native::invalid;
use super::process::Launcher;
use super::sent::Sending;
use super::{CallContext, Conceal, Tool, ToolError};
use crate::driver::Veil;
use crate::store::{LazyStore, Pinned};

/// A server that has failed to say what it can do is not asked again for this long.
const SULK: Duration = Duration::from_secs(10);

/// What all servers of a toolbox need.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) host: Arc<Host>,
    pub(crate) launcher: Arc<Launcher>,
    /// The way out.
    pub(crate) web: Arc<Web>,
    /// What modules are configured with.
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) store: LazyStore,
    /// Folder that servers run in.
    pub(crate) folder: PathBuf,
}

/// A module whose tools are a server's.
#[derive(Clone)]
pub(crate) struct McpModule {
    parts: Arc<Parts>,
}

struct Parts {
    server: Server,
    around: Surroundings,
    /// Under which its definitions are kept.
    key: String,
    /// Where the module is defined.
    source: String,
    link: Link,
    /// What was made of the definitions of a revision.
    offers: Mutex<Option<(i64, Arc<Offers>)>>,
    /// Why it could not say what it can do, and when that was.
    sulking: Mutex<Option<(Instant, String)>>,
}

/// A tool whose definition by its server is not the one that was trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The server's name for it.
    pub tool: String,
    /// What was trusted; `None` for a new tool.
    pub before: Option<Value>,
    /// What the server says now; `None` for one that is gone.
    pub after: Option<Value>,
}

/// What a server says of its tools now, beside what is trusted.
#[derive(Clone, Debug)]
pub struct Review {
    /// What has changed, by name.
    pub changes: Vec<Change>,
    listing: Vec<(String, Value)>,
}

/// What is known of a module over a server.
#[derive(Clone, Debug)]
pub struct McpEntry {
    /// The module's name.
    pub module: String,
    /// How it is reached: the command's first word, or the address without what may be secret.
    pub reach: String,
    /// Number of tools that can be called; `None` when it has never been asked.
    pub tools: Option<usize>,
    /// The effects that the server suggests for tools of which the module says nothing.
    pub suggestions: Vec<(String, Effect)>,
    /// Why some of its tools, or all of them, cannot be used.
    pub problems: Vec<String>,
}

impl McpModule {
    pub(crate) fn new(server: Server, source: String, around: Surroundings) -> Self {
        let (key, link) = (key(&server), Link::default());
        let (offers, sulking) = (Mutex::default(), Mutex::default());
        Self { parts: Arc::new(Parts { server, around, key, source, link, offers, sulking }) }
    }

    /// Whether a name (with every `-` as `_`) may be that of a tool of this server.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        let server = &self.parts.server;
        name.starts_with(&server.prefix)
            || server.tools.values().any(|tool| tool.name.as_deref() == Some(name))
    }

    /// The tool of a name, as far as it is known without asking the server.
    pub(crate) fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let offers = self.known().ok()??;
        let offer = offers.tools.get(name)?.clone();
        Some(Arc::new(McpTool { module: self.clone(), offer }))
    }

    /// Changes with what is known of its tools; `None` while nothing is.
    pub(crate) fn revision(&self) -> Option<i64> {
        let store = self.parts.around.store.get().ok()?;
        store.pinned_revision(&self.parts.key).ok()?
    }

    /// The names of its tools, as far as they are known without asking the server.
    pub(crate) fn names(&self) -> Vec<String> {
        let offers = self.known().ok().flatten();
        offers.map(|offers| offers.tools.keys().cloned().collect()).unwrap_or_default()
    }

    /// Why it has no tools, as far as it was asked.
    pub(crate) fn failure(&self) -> Option<String> {
        self.sulking().as_ref().map(|(_, why)| why.clone())
    }

    /// Why it has no tools, and what to do about it; `None` when they are known.
    pub(crate) fn ignorance(&self) -> Option<String> {
        self.failure().or_else(|| {
            let module = &self.parts.server.module;
            let unasked = self.known().is_ok_and(|known| known.is_none());
            unasked.then(|| {
                format!("the server of `{module}` was never asked which tools it has; `aa tool trust {module}` asks it")
            })
        })
    }

    /// What is known of it, without asking it.
    pub(crate) fn entry(&self) -> McpEntry {
        let server = &self.parts.server;
        let reach = match &server.reach {
            Reach::Command { argv, .. } => argv.first().map(|part| part.source().clone()),
            Reach::Http { url, .. } => Some(url.source().clone()),
        };
        let reach = reach.as_ref().and_then(Value::as_str).unwrap_or_default();
        let known = self.known();
        let mut problems: Vec<String> = self.failure().into_iter().collect();
        problems.extend(known.as_ref().err().map(|error| error.message.clone()));
        let offers = known.ok().flatten();
        problems.extend(offers.iter().flat_map(|offers| offers.problems.clone()));
        let suggested = |offer: &Offer| Some((offer.spec.name.clone(), offer.suggested?));
        McpEntry {
            module: server.module.clone(),
            reach: reach.split('?').next().unwrap_or_default().to_owned(),
            tools: offers.as_ref().map(|offers| offers.tools.len()),
            suggestions: offers
                .iter()
                .flat_map(|offers| offers.tools.values().filter_map(suggested))
                .collect(),
            problems,
        }
    }

    /// What the server says now, beside what is trusted. Starts it.
    ///
    /// # Errors
    /// It does not say anything.
    pub(crate) fn review(&self) -> Result<Review, ToolError> {
        let module = self.clone();
        let listing = self.parts.around.host.block(async move { module.ask(&outside()).await })?;
        let pinned = self.pinned()?.map(|pinned| pinned.tools).unwrap_or_default();
        Ok(Review { changes: changes(&pinned, &listing), listing: listing.to_vec() })
    }

    /// Trusts what a server was seen to say.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(crate) fn trust(&self, review: Review) -> Result<(), ToolError> {
        let module = self.clone();
        self.parts.around.host.block(async move { module.pin(review.listing, true).await })?;
        *self.sulking() = None;
        Ok(())
    }

    /// Asks the server which tools it has when it has never been asked, and keeps the answer.
    /// May take a while.
    pub(crate) async fn meet(&self) {
        let sulks = self.sulking().as_ref().is_some_and(|(since, _)| since.elapsed() < SULK);
        if sulks || !self.known().is_ok_and(|known| known.is_none()) {
            return;
        }
        let module = self.clone();
        let seen = self.parts.around.host.run(async move {
            let listing = module.ask(&outside()).await?;
            module.pin(listing.to_vec(), false).await
        });
        *self.sulking() = seen.await.err().map(|error| (Instant::now(), error.message));
    }

    /// Starts the server, unless it runs. May take a while.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn wake(&self) -> Result<(), ToolError> {
        let module = self.clone();
        self.parts.around.host.run(async move { module.connect(&outside()).await.map(drop) }).await
    }

    fn sulking(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.parts.sulking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is made of the definitions that are kept; `None` when there are none.
    fn known(&self) -> Result<Option<Arc<Offers>>, ToolError> {
        let parts = &self.parts;
        let store = parts.around.store.get().map_err(|error| unkept(&error))?;
        let Some(revision) = store.pinned_revision(&parts.key).map_err(|error| unkept(&error))? else {
            return Ok(None);
        };
        let mut offers = parts.offers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = offers.as_ref().filter(|(known, _)| *known == revision) {
            return Ok(Some(Arc::clone(known)));
        }
        let pinned = store.pinned(&parts.key).map_err(|error| unkept(&error))?;
        let Some(Pinned { revision, tools, .. }) = pinned else { return Ok(None) };
        let made = Arc::new(Offers::new(&parts.server, &parts.source, &tools));
        *offers = Some((revision, Arc::clone(&made)));
        Ok(Some(made))
    }

    fn pinned(&self) -> Result<Option<Pinned>, ToolError> {
        let parts = &self.parts;
        let store = parts.around.store.get().map_err(|error| unkept(&error))?;
        store.pinned(&parts.key).map_err(|error| unkept(&error))
    }

    async fn pin(&self, listing: Vec<(String, Value)>, over: bool) -> Result<(), ToolError> {
        let parts = &self.parts;
        let store = parts.around.store.get().map_err(|error| unkept(&error))?;
        let server = (parts.key.as_str(), parts.server.module.as_str());
        store.pin(server, listing, over, Utc::now()).await.map_err(|error| unkept(&error))
    }

    /// The connection. What the module is configured with is hidden in all that comes back
    /// from the call, whether or not it is what starts the server.
    async fn connect(&self, context: &CallContext) -> Result<Arc<Live>, ToolError> {
        let Parts { server, around, link, .. } = &*self.parts;
        let veil = Arc::new(Veil::closed());
        let context = &noting(context, &veil);
        if let Reach::Command { argv, .. } = &server.reach {
            around.configuration.refuse_exposed(&server.module, &server.config, argv)?;
        }
        let config = around.configuration.of(&server.module, &server.config, context).await?;
        let entry = Entry::new(server, Value::Object(config), context, Arc::clone(&veil))?;
        let live = link.connect(server, around, &entry, &context.progress).await;
        live.map_err(|error| without_secrets(&veil, error))
    }

    /// What the server says now.
    async fn ask(&self, context: &CallContext) -> Result<Listing, ToolError> {
        let live = self.connect(context).await?;
        live.listing().await.map_err(|error| without_secrets(live.veil(), error))
    }
}

/// A tool of a server.
struct McpTool {
    module: McpModule,
    offer: Offer,
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.offer.spec
    }

    fn touches(&self) -> Touched {
        let Parts { server, around, .. } = &*self.module.parts;
        let (scope, secrets) = around.configuration.known(&server.module, &server.config);
        let mut places = Vec::new();
        match &server.reach {
            Reach::Http { url, .. } => hosts(&filled(url, &scope), &mut places),
            Reach::Command { argv, .. } => {
                let program = argv.first().map(|program| filled(program, &scope));
                places.extend(program.as_ref().and_then(Value::as_str).map(str::to_owned));
            }
        }
        Touched { places, secrets }
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        let spec = &self.offer.spec;
        let args = Value::Object(args);
        aa_spec::input::fits(&spec.input, &args)
            .map_err(|message| invalid(format!("the arguments of `{}` do not fit: {message}", spec.name)))?;
        let Value::Object(args) = args else { return Err(invalid("the arguments are a mapping")) };
        context.sent.not_yet();
        let (module, offer, context) = (self.module.clone(), self.offer.clone(), context.clone());
        self.module.parts.around.host.run(async move { module.call(&offer, &context, args).await }).await
    }
}

impl McpModule {
    async fn call(
        &self,
        offer: &Offer,
        context: &CallContext,
        args: Map<String, Value>,
    ) -> Result<Value, ToolError> {
        let server = &self.parts.server;
        let live = tokio::select! {
            biased;
            live = self.ready(offer, context) => live?,
            () = context.cancel.cancelled() => {
                let message = format!("stopped while the server of `{}` was started", server.module);
                return Err(ToolError::new(ErrorKind::Cancelled, message));
            }
            () = call::until(context.deadline) => {
                let message = format!("the server of `{}` was not ready in time", server.module);
                return Err(ToolError::new(ErrorKind::Timeout, message));
            }
        };
        let left = Duration::from_millis(server.call_ms);
        let mut call = Call { live: &live, context, left, sending: Sending::default() };
        let result = call.make(&offer.remote, args).await?;
        live.is_useful();
        let reading = Reading {
            tool: &offer.spec.name,
            output: &offer.spec.output,
            text: offer.text,
            limit: self.parts.around.launcher.output_bytes(),
        };
        reading.value(result)
    }

    /// A connection to a server that still says of the tool what was trusted.
    async fn ready(&self, offer: &Offer, context: &CallContext) -> Result<Arc<Live>, ToolError> {
        let live = self.connect(context).await?;
        let listing = live.listing().await?;
        let now = listing.iter().find(|(tool, _)| *tool == offer.remote).map(|(_, definition)| definition);
        if now == Some(&offer.definition) {
            return Ok(live);
        }
        let what = match now {
            Some(_) => "describes it differently than when it was first seen",
            None => "does not have it any more",
        };
        let (name, module) = (&offer.spec.name, &self.parts.server.module);
        let message = format!(
            "`{name}` is held back: its server {what}; `aa tool trust {module}` shows what has changed"
        );
        Err(ToolError::new(ErrorKind::Permanent, message)
            .details(json!({"before": offer.definition, "now": now})))
    }
}

/// What of a server has changed.
fn changes(pinned: &[(String, Value)], listing: &[(String, Value)]) -> Vec<Change> {
    let find = |tools: &[(String, Value)], name: &str| {
        tools.iter().find(|(tool, _)| tool == name).map(|(_, definition)| definition.clone())
    };
    let mut names: Vec<&String> = pinned.iter().chain(listing).map(|(tool, _)| tool).collect();
    names.sort_unstable();
    names.dedup();
    let change = |tool: &String| {
        let (before, after) = (find(pinned, tool), find(listing, tool));
        (before != after).then(|| Change { tool: tool.clone(), before, after })
    };
    names.into_iter().filter_map(change).collect()
}

/// Under which the definitions of a server are kept: another command or address is another server.
fn key(server: &Server) -> String {
    let reach = match &server.reach {
        Reach::Command { argv, folder, .. } => {
            let argv: Vec<&Value> = argv.iter().map(aa_spec::template::Template::source).collect();
            json!({"command": argv, "folder": folder})
        }
        Reach::Http { url, .. } => json!({"url": url.source()}),
    };
    let text = json!([server.module, reach]).to_string();
    aa_spec::plan::digest(text).chars().take(32).collect()
}

/// A call of which a veil hears what it hides: what a server says of its tools is kept without being part of a call.
fn noting(context: &CallContext, veil: &Arc<Veil>) -> CallContext {
    let (veil, conceal) = (Arc::clone(veil), Arc::clone(&context.conceal));
    let conceal: Conceal = Arc::new(move |name, value| {
        conceal(name, value)?;
        veil.conceal(name, value)
    });
    CallContext { conceal, ..context.clone() }
}

/// An error for those who do not make a call.
fn without_secrets(veil: &Veil, mut error: ToolError) -> ToolError {
    error.message = veil.hide(&error.message);
    veil.hide_value(&mut error.details);
    error
}

/// Where no call is made.
fn outside() -> CallContext {
    CallContext::detached("/")
}

fn unkept(error: &crate::store::StoreError) -> ToolError {
    let message = format!("cannot look up what is known of a server: {error}");
    ToolError::new(ErrorKind::Permanent, message)
}

#[cfg(test)]
mod tests;
