//! A list that comes in pages: all of it, or an error, and never quietly a part.

use std::collections::BTreeSet;

use aa_spec::template::{Expression, Scope};
use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::{Next, Pages};
use reqwest::Url;
use serde_json::Value;

use super::Api;
use super::answer::Said;
use super::outgoing::{Outgoing, Payload, origin};
use crate::tool::declared::{eval, unfit};
use crate::tool::http::client::{Answer, shown};
use crate::tool::native::invalid;
use crate::tool::process::bytes;
use crate::tool::{CallContext, ToolError};

/// All pages together may have this many times what one answer may have.
const PAGES_OF_BYTES: usize = 16;

/// The items of all pages, and the last page.
pub(super) struct All {
    pub(super) items: Vec<Value>,
    pub(super) last: Said,
}

/// A walk from page to page.
struct Walk<'a> {
    api: &'a Api,
    pages: &'a Pages,
    outgoing: Outgoing,
    scope: &'a Scope,
    /// Number of the page, from 1.
    number: u32,
    items: Vec<Value>,
    bytes: usize,
    /// How pages were asked for, to notice when they go round in circles.
    asked: BTreeSet<String>,
}

/// Gets page after page.
pub(super) async fn all(
    api: &Api,
    context: &CallContext,
    outgoing: Outgoing,
    scope: &Scope,
    pages: &Pages,
) -> Result<All, ToolError> {
    let wanted = wanted(pages.limit.as_ref(), scope)?;
    let mut walk =
        Walk { api, pages, outgoing, scope, number: 1, items: Vec::new(), bytes: 0, asked: BTreeSet::new() };
    walk.ask_for_first();
    loop {
        let (answer, said) = api.ask(context, &walk.outgoing, scope).await?;
        let got = walk.take(&answer, &said)?;
        let enough = wanted.is_some_and(|wanted| walk.items.len() >= wanted);
        if enough || !walk.ask_for_next(&answer, &said, got)? {
            walk.items.truncate(wanted.unwrap_or(usize::MAX));
            return Ok(All { items: walk.items, last: said });
        }
        walk.number += 1;
        if walk.number > pages.most_pages {
            return Err(walk.too_many("pages", pages.most_pages, "most_pages"));
        }
        (context.progress)(&format!("page {}, {} items so far", walk.number, walk.items.len()));
    }
}

fn wanted(limit: Option<&Expression>, scope: &Scope) -> Result<Option<usize>, ToolError> {
    let Some(limit) = limit else { return Ok(None) };
    match eval(limit, scope)? {
        Value::Null => Ok(None),
        Value::Number(number) if number.as_u64().is_some() => {
            Ok(number.as_u64().map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
        }
        _ => Err(invalid(format!("`{}` must be a whole number of items, or null", limit.source()))),
    }
}

impl Walk<'_> {
    fn ask_for_first(&mut self) {
        match &self.pages.next {
            Next::Page { query, first, .. } => self.outgoing.set_query(query, &first.to_string()),
            Next::Offset { query, .. } => self.outgoing.set_query(query, "0"),
            Next::Link | Next::Url(_) | Next::Query(..) | Next::Json(..) => {}
        }
        self.asked.insert(self.outgoing.url.to_string());
    }

    /// Keeps the items of a page; gives how many there were.
    fn take(&mut self, answer: &Answer, said: &Said) -> Result<usize, ToolError> {
        self.bytes += answer.content.len();
        let most = self.api.services.limit.saturating_mul(PAGES_OF_BYTES);
        if self.bytes > most {
            let message = format!("the pages of `{}` have more than {}", answer.url, bytes(most));
            return Err(ToolError::new(ErrorKind::Permanent, message));
        }
        let items = match &self.pages.items {
            Some(items) => eval(items, &self.page_scope(said))?,
            None => said.body.clone(),
        };
        let Value::Array(items) = items else {
            let what = self.pages.items.as_ref().map_or("body", Expression::source);
            let message = format!("`{what}` of a page of `{}` is no list", answer.url);
            return Err(ToolError::new(ErrorKind::Permanent, message));
        };
        let got = items.len();
        self.items.extend(items);
        if self.items.len() > self.pages.most_items as usize {
            return Err(self.too_many("items", self.pages.most_items, "most_items"));
        }
        Ok(got)
    }

    /// Changes the request to that for the next page; false when there is none.
    fn ask_for_next(&mut self, answer: &Answer, said: &Said, got: usize) -> Result<bool, ToolError> {
        let scope = self.page_scope(said);
        let count = self.items.len();
        let asked = match &self.pages.next {
            Next::Link => {
                let next = answer.headers.get("link").and_then(|link| next_link(link));
                let Some(next) = next else { return Ok(false) };
                self.go_to(&next)?
            }
            Next::Url(from) => {
                let Some(next) = cursor(from, &scope)? else { return Ok(false) };
                self.go_to(&next)?
            }
            Next::Page { query, first, size, more } => {
                if !goes_on(size.as_ref(), more.as_ref(), &scope, got)? {
                    return Ok(false);
                }
                self.outgoing.set_query(query, &(first + self.number).to_string());
                return Ok(true);
            }
            Next::Offset { query, size, more } => {
                if !goes_on(size.as_ref(), more.as_ref(), &scope, got)? {
                    return Ok(false);
                }
                self.outgoing.set_query(query, &count.to_string());
                count.to_string()
            }
            Next::Query(name, from) => {
                let Some(cursor) = cursor(from, &scope)? else { return Ok(false) };
                self.outgoing.set_query(name, &cursor);
                cursor
            }
            Next::Json(name, from) => {
                let Some(cursor) = cursor(from, &scope)? else { return Ok(false) };
                if let Payload::Json(Value::Object(body)) = &mut self.outgoing.payload {
                    body.insert(name.clone(), cursor.clone().into());
                }
                cursor
            }
        };
        if self.asked.insert(asked) {
            return Ok(true);
        }
        let message = format!("the pages of `{}` go round in circles", answer.url);
        Err(ToolError::new(ErrorKind::Permanent, message))
    }

    /// Follows the URL of the next page, which must be on the same host.
    fn go_to(&mut self, next: &str) -> Result<String, ToolError> {
        let url = self.outgoing.url.join(next);
        let failed = |why: String| ToolError::new(ErrorKind::Permanent, why);
        let url: Url = url.map_err(|_| failed("the URL of the next page is none".to_owned()))?;
        if origin(&url) != origin(&self.outgoing.url) {
            let message = format!(
                "the next page of `{}` is on another host: `{}`",
                shown(&self.outgoing.url),
                shown(&url)
            );
            return Err(failed(message));
        }
        self.outgoing.url = url;
        Ok(self.outgoing.url.to_string())
    }

    fn page_scope(&self, said: &Said) -> Scope {
        let mut scope = self.scope.child();
        said.enter(&mut scope);
        let first = if let Next::Page { first, .. } = &self.pages.next { *first } else { 1 };
        scope.set("page", &(first + self.number - 1).into());
        scope.set("count", &self.items.len().into());
        scope
    }

    fn too_many(&self, what: &str, most: u32, key: &str) -> ToolError {
        let message = format!(
            "`{}` gives more than {most} {what}; ask for less, or raise `{key}`",
            self.api.declared.spec.name
        );
        ToolError::new(ErrorKind::Permanent, message)
    }
}

/// Whether another page is worth asking for.
fn goes_on(
    size: Option<&Expression>,
    more: Option<&Expression>,
    scope: &Scope,
    got: usize,
) -> Result<bool, ToolError> {
    if let Some(more) = more {
        return more.is_true(scope).map_err(unfit);
    }
    let full = match size {
        Some(size) => match eval(size, scope)?.as_u64() {
            Some(full) if full > 0 => full,
            _ => return Err(invalid(format!("`{}` must be a number of items from 1 on", size.source()))),
        },
        None => 1,
    };
    Ok(got as u64 >= full)
}

/// What leads to the next page; nothing after the last.
fn cursor(from: &Expression, scope: &Scope) -> Result<Option<String>, ToolError> {
    match eval(from, scope)? {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err(invalid(format!("`{}` must be text, a number or null", from.source()))),
    }
}

/// The target of `rel="next"` in a `Link` header.
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let end = end_of_parameters(after);
        if after[..end].split(';').any(is_next) {
            return Some(target.trim().to_owned());
        }
        rest = &after[end..];
    }
    None
}

/// Where the parameters of one link end: at a comma outside of quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let relations = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel")
        && relations.split_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
}
