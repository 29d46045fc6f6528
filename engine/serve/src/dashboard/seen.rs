//! Who looks at which address, and what was typed there.

use std::collections::BTreeMap;
use std::sync::Arc;

use aa_run::engine::StartError;
use aa_run::event::RunId;
use aa_run::key::Guest;
use aa_run::persona::ViewError;
use aa_run::store::StoreError;
use aa_spec::name::{list, suggest};
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};

use super::Dashboard;
use super::page::{self, Frame};
use crate::api::problem::Problem;
use crate::api::visitor::Visitor;

/// Rows of a page that are kept in their places.
const HELD: usize = 200;
/// The longest form, in bytes.
const LONGEST: usize = 1 << 20;

/// A look at a page.
#[derive(Debug)]
pub(super) struct Seen {
    /// Who looks.
    pub(super) visitor: Visitor,
    /// What their pages look like.
    pub(super) frame: Frame,
    /// What stands behind the question mark.
    pub(super) query: Fields,
    pub(super) dashboard: Arc<Dashboard>,
}

/// Names and texts, as forms and addresses have them.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(BTreeMap<String, Vec<String>>);

/// A form that was sent.
#[derive(Debug)]
pub(super) struct Posted(Fields);

/// What a page comes to.
pub(super) type Shown<T = Response> = Result<T, Trouble>;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Trouble {
    problem: Problem,
    frame: Option<Box<(Frame, Arc<Dashboard>)>>,
}

impl Fields {
    /// Of a form or the part of an address behind the question mark.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut fields = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in form_urlencoded::parse(text) {
            fields.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self(fields)
    }

    /// Whether a field is there, and be it empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text of a field; none when it is not there or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|texts| texts.first()).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The text of a field; empty when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All texts of a field.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The runs that a page shows already, by the ids of their rows.
    pub(super) fn held(&self, row: &str) -> impl Iterator<Item = RunId> {
        let rows = self.text("held").split(',').take(HELD);
        rows.filter_map(move |id| id.strip_prefix(row)?.parse().ok().map(RunId))
    }

    /// The number of a run, if one is given.
    pub(super) fn run(&self, name: &str) -> Result<Option<RunId>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.trim().trim_start_matches('#').parse();
        number.map(|number| Some(RunId(number))).map_err(|_| odd(name, text, "the number of a run"))
    }

    /// One of some words, or nothing. Another one is no filter that could be left out: what is shown then would be
    /// taken for what was asked for.
    pub(super) fn word(&self, name: &str, known: &[&str]) -> Result<String, Problem> {
        is_known(name, self.text(name), known)?;
        Ok(self.text(name).to_owned())
    }

    /// The same of several.
    pub(super) fn words(&self, name: &str, known: &[&str]) -> Result<Vec<String>, Problem> {
        let all = self.all(name).map(|word| is_known(name, word, known).map(|()| word.to_owned()));
        all.collect()
    }
}

fn is_known(name: &str, word: &str, known: &[&str]) -> Result<(), Problem> {
    if word.is_empty() || known.contains(&word) {
        return Ok(());
    }
    let problem = odd(name, word, &format!("one of {}", list(known)));
    let near = suggest(word, known.iter().copied());
    Err(problem.hint(near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default()))
}

/// Something in the address that says nothing.
fn odd(name: &str, text: &str, wanted: &str) -> Problem {
    Problem::of("bad-query", format!("`{name}` in the address must be {wanted}, not `{text}`"))
}

impl std::ops::Deref for Posted {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}

impl Seen {
    /// A page of this look.
    pub(super) fn page(&self, title: &str, main: &maud::Markup) -> Response {
        page::whole(&self.dashboard.assets, &self.frame, title, main)
    }

    /// Says on a page like all others why there is none.
    pub(super) fn trouble(&self, problem: impl Into<Problem>) -> Trouble {
        let frame = Some(Box::new((self.frame.clone(), Arc::clone(&self.dashboard))));
        Trouble { problem: problem.into(), frame }
    }
}

impl FromRequestParts<Arc<Dashboard>> for Seen {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, Trouble> {
        let guest = parts.extensions.get::<Arc<Guest>>().cloned();
        let guest = guest.ok_or_else(|| Problem::of("unauthorised", "a key is needed"))?;
        let visitor = Visitor::new(&dashboard.engine, guest);
        Ok(Self {
            frame: Frame::of(&parts.headers, &parts.uri, &visitor),
            visitor,
            query: Fields::read(parts.uri.query().unwrap_or_default().as_bytes()),
            dashboard: Arc::clone(dashboard),
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Trouble;

    async fn from_request(request: Request, _: &S) -> Result<Self, Trouble> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.unwrap_or_default().starts_with("application/x-www-form-urlencoded") {
            return Err(Problem::of("bad-body", "this is no form").into());
        }
        let body = to_bytes(request.into_body(), LONGEST).await;
        let body = body.map_err(|_| Problem::of("too-large", "the form is too long"))?;
        Ok(Self(Fields::read(&body)))
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        page::trouble(&self.problem, self.frame.as_deref())
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self { problem, frame: None }
    }
}

impl From<StartError> for Trouble {
    fn from(error: StartError) -> Self {
        Problem::from(error).into()
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<ViewError> for Trouble {
    fn from(error: ViewError) -> Self {
        Problem::from(error).into()
    }
}

/// Shows the page where what was done can be seen.
pub(super) fn then(address: &str) -> Response {
    Redirect::to(address).into_response()
}
