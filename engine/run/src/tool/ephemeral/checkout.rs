//! `ephemeral_checkout`: one commit of a repository, in a namespace.

use std::path::Path;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::git;
use super::manifest::Manifest;
use super::merge_request::short;
use super::namespace::{CheckedOut, delete};
use super::repository::Repository;
use super::{Local, broken};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

pub(super) struct Checkout(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace to check out in.
    namespace: String,
    /// Folder, bundle or address of a git repository, or `sample` for the one that comes
    /// with `aa`; by default what the configuration says, else the sample.
    #[serde(default)]
    repository: Option<String>,
    /// Reference to fetch, e.g. `refs/merge-requests/123/head` or `refs/heads/main`.
    #[schemars(regex(pattern = "^refs/"))]
    reference: String,
    /// Full id of the commit to check out; by default what the reference stands for.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9a-f]{40,64}$"))]
    commit: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace that it is in.
    namespace: String,
    /// Name of the service, from its manifest.
    service: String,
    /// Full id of the commit.
    commit: String,
    /// The first digits of it.
    short: String,
    /// First line of its message.
    subject: String,
    /// Who wrote it.
    author: String,
    /// When, as RFC 3339.
    date: String,
    /// Where it is.
    folder: String,
}

#[async_trait]
impl Native for Checkout {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_checkout",
        module: "ephemeral",
        description: "Fetch one commit of a repository and check it out in a namespace",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let record = self.0.namespaces.read(&args.namespace)?;
        let repository = self.0.repository(context, args.repository.as_deref())?;
        let folder = self.0.namespaces.source(&record.name);
        let present = record.checkout.filter(|present| {
            present.repository == repository.name()
                && present.reference == args.reference
                && args.commit.as_ref() == Some(&present.commit)
                && folder.is_dir()
        });
        if present.is_none() {
            let commit = self.fetch(context, &repository, &args, &folder).await?;
            let checkout =
                CheckedOut { repository: repository.name(), reference: args.reference.clone(), commit };
            let name = record.name.clone();
            self.0
                .on_disk(move |namespaces| {
                    namespaces.update(&name, |record| {
                        record.checkout = Some(checkout);
                        record.built = None;
                    })
                })
                .await?;
        }
        self.describe(context, record.name, &folder).await
    }
}

impl Checkout {
    /// Makes the checkout anew; returns its commit.
    async fn fetch(
        &self,
        context: &CallContext,
        repository: &Repository,
        args: &Args,
        folder: &Path,
    ) -> Result<String, ToolError> {
        let address = repository.address(&self.0)?;
        let draft = folder.with_extension("new");
        let place = draft.display().to_string();
        for old in [draft.clone(), folder.to_owned()] {
            self.0.on_disk(move |_| delete(&old)).await?;
        }
        git(&self.0, context, &["init", "--quiet", "--template=", &place]).await?;
        let depth: &[&str] = if repository.is_remote() { &["--depth=1"] } else { &[] };
        let fetch = |what: String| {
            let mut words =
                vec!["-C".to_owned(), place.clone(), "fetch".into(), "--quiet".into(), "--no-tags".into()];
            words.extend(depth.iter().map(|word| (*word).to_owned()));
            words.extend([address.clone(), what]);
            words
        };
        let words = fetch(args.reference.clone());
        git(&self.0, context, &as_words(&words)).await?;
        let newest = self.head(context, &place, "FETCH_HEAD").await?;
        let wanted = args.commit.clone().unwrap_or_else(|| newest.clone());
        if wanted != newest {
            // The reference has moved on. Its older commit may still be had by its id.
            let words = fetch(wanted.clone());
            git(&self.0, context, &as_words(&words)).await.map_err(|error| moved(args, &newest, &error))?;
        }
        git(&self.0, context, &["-C", &place, "checkout", "--quiet", "--detach", &wanted]).await?;
        std::fs::rename(&draft, folder).map_err(|error| broken("cannot keep the checkout", &error))?;
        Ok(wanted)
    }

    async fn head(&self, context: &CallContext, place: &str, what: &str) -> Result<String, ToolError> {
        let commit = format!("{what}^{{commit}}");
        let said = git(&self.0, context, &["-C", place, "rev-parse", "--verify", &commit]).await?;
        Ok(said.trim().to_owned())
    }

    async fn describe(
        &self,
        context: &CallContext,
        namespace: String,
        folder: &Path,
    ) -> Result<Output, ToolError> {
        let place = folder.display().to_string();
        let said = git(&self.0, context, &["-C", &place, "log", "-1", "--format=%H%n%an%n%aI%n%s"]).await?;
        let mut lines = said.lines().map(str::to_owned);
        let mut line = || lines.next().unwrap_or_default();
        let (commit, author, date, subject) = (line(), line(), line(), line());
        let service = Manifest::read(folder)?.service.value;
        Ok(Output { namespace, service, short: short(&commit), commit, subject, author, date, folder: place })
    }
}

fn as_words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn moved(args: &Args, newest: &str, cause: &ToolError) -> ToolError {
    let message = format!("`{}` has moved on to {}", args.reference, short(newest));
    ToolError::new(ErrorKind::NotFound, message).details(json!({
        "wanted": args.commit,
        "newest": newest,
        "cause": cause.message,
        "hint": "run it again to deploy the newest commit",
    }))
}
