//! `aa tool import …`

use std::path::PathBuf;

use clap::Subcommand;

/// Arguments of `aa tool import`.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// What describes the service.
    #[command(subcommand)]
    pub(crate) from: From,
}

/// What describes a service.
#[derive(Debug, Subcommand)]
pub(crate) enum From {
    /// An `OpenAPI` document.
    #[command(about = "Make a tool module from an OpenAPI document (3.0 or 3.1, JSON or YAML)")]
    Openapi(OpenapiArgs),
}

/// Flags of `aa tool import openapi`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa tool import openapi petstore.json                     print the module
  aa tool import openapi forge.yaml --tag issues --out .aa/tools/forge.yaml

Every operation becomes a tool, its parameters and the members of its JSON body become arguments. What cannot
be taken over is said, and written into the module as comments. The effect class follows the method: GET and
HEAD read, DELETE destroys, PUT writes; of POST and PATCH nothing is known, so look at them.")]
pub(crate) struct OpenapiArgs {
    /// The document
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write the module to this file, which gives it its name
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// Only operations with this tag
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// What the names of all tools begin with (default: the module's name and `_`)
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
}
