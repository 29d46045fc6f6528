//! `aa serve`: the HTTP server.

use aa_run::cause::cause;
use aa_serve::http;
use aa_serve::mcp::Options;
use tokio::net::TcpListener;

use super::mcp::choice;
use crate::args::mcp::ServeArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};

pub(crate) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let options = Options { choice: choice(&args.shown), skills_extension: args.skills_extension };
    wait(async {
        let failed = |error: std::io::Error| {
            Failure::failed(format!("cannot serve at `{}`: {}", args.listen, cause(&error)))
        };
        let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
        context.printer.say(format_args!("serving at http://{}", listener.local_addr().map_err(failed)?));
        http::serve(listener, &engine, &options).await.map_err(failed)
    })?;
    Ok(Exit::Ok)
}
