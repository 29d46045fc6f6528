//! TCP ports: whether somebody listens, and waiting until somebody does.

use std::time::Duration;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::http::outward;
use super::native::{Face, Native, bounded, invalid};
use super::{CallContext, ToolError};

/// `port_check`.
pub(super) struct PortCheck;

/// `wait_port`.
pub(super) struct WaitPort;

/// How long to wait between two attempts.
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckArgs {
    /// Name or address of the host.
    #[serde(default = "this_host")]
    host: String,
    /// Number of the port.
    #[schemars(range(min = 1))]
    port: u16,
    /// How long to wait for an answer.
    #[serde(default = "two_seconds")]
    timeout: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Checked {
    /// Whether somebody listens.
    open: bool,
    /// Why not, e.g. `connection refused`; empty when somebody does.
    reason: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitArgs {
    /// Name or address of the host.
    #[serde(default = "this_host")]
    host: String,
    /// Number of the port.
    #[schemars(range(min = 1))]
    port: u16,
    /// How long to wait in all.
    #[serde(default = "half_a_minute")]
    timeout: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Opened {
    /// How often it was tried.
    attempts: u32,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
}

fn this_host() -> String {
    "127.0.0.1".to_owned()
}

fn two_seconds() -> String {
    "2s".to_owned()
}

fn half_a_minute() -> String {
    "30s".to_owned()
}

#[async_trait]
impl Native for PortCheck {
    type Args = CheckArgs;
    type Output = Checked;

    const FACE: Face = Face {
        name: "port_check",
        module: "net",
        description: "Whether somebody listens on a TCP port",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: CheckArgs) -> Result<Checked, ToolError> {
        let patience = duration(&args.timeout)?;
        let reason = bounded(context, connect((&args.host, args.port), context, patience)).await?;
        Ok(Checked { open: reason.is_none(), reason: reason.unwrap_or_default() })
    }
}

#[async_trait]
impl Native for WaitPort {
    type Args = WaitArgs;
    type Output = Opened;

    const FACE: Face = Face {
        name: "wait_port",
        module: "net",
        description: "Waits until somebody listens on a TCP port",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: WaitArgs) -> Result<Opened, ToolError> {
        let start = Instant::now();
        let until = start + duration(&args.timeout)?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let left = until.saturating_duration_since(Instant::now());
            let Some(reason) = bounded(context, connect((&args.host, args.port), context, left)).await?
            else {
                let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Ok(Opened { attempts, elapsed_ms });
            };
            if Instant::now() + INTERVAL >= until {
                let message = format!(
                    "nobody listens on {}:{} within {}: {reason}",
                    args.host, args.port, args.timeout
                );
                return Err(ToolError::new(ErrorKind::Timeout, message));
            }
            bounded(context, sleep(INTERVAL)).await?;
        }
    }
}

/// Connects and hangs up; gives the reason when that is not possible.
async fn connect((host, port): (&str, u16), context: &CallContext, patience: Duration) -> Option<String> {
    let connected = async {
        if context.fence.keeps_outward() {
            return TcpStream::connect(outward::found(host, port).await?).await;
        }
        TcpStream::connect((host, port)).await
    };
    match timeout(patience, connected).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Some("connection refused".to_owned()),
            _ => Some(error.to_string()),
        },
        Err(_) => Some("no answer".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, ToolError> {
    aa_spec::duration::parse_ms(text).map(Duration::from_millis).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;
    use crate::tool::native;

    async fn call(native: impl Native, args: Value) -> Result<Value, ToolError> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        native::tool(native).call(&CallContext::detached("/"), args).await
    }

    #[tokio::test]
    async fn a_port_is_open_or_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = call(PortCheck, json!({ "port": port })).await.unwrap();
        assert_eq!(open, json!({"open": true, "reason": ""}));
        drop(listener);
        let closed = call(PortCheck, json!({ "port": port })).await.unwrap();
        assert_eq!(closed, json!({"open": false, "reason": "connection refused"}));
        let error = call(WaitPort, json!({"port": port, "timeout": "20ms"})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        let message = format!("nobody listens on 127.0.0.1:{port} within 20ms: connection refused");
        assert_eq!(error.message, message);
    }

    #[tokio::test]
    async fn waiting_ends_when_somebody_listens() {
        let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let wait = call(WaitPort, json!({"port": reserved.port()}));
        let open = async {
            tokio::task::yield_now().await;
            TcpListener::bind(reserved).await.unwrap()
        };
        let (opened, _listener) = tokio::join!(wait, open);
        assert!(opened.unwrap()["attempts"].as_u64().unwrap() >= 1);
    }
}
