//! Lists that come in pages.

use super::{Compiler, Known, PAGE};
use crate::template::Expression;
use crate::tool::module::{self, Paginate, Request};

/// How a long list comes in pages.
#[derive(Clone, Debug)]
pub struct Pages {
    /// How to get the next one.
    pub next: Next,
    /// Gives the items of a page; `None` for the body.
    pub items: Option<Expression>,
    /// How many items are wanted, over the arguments.
    pub limit: Option<Expression>,
    /// More pages than this are an error.
    pub most_pages: u32,
    /// More items than this are an error.
    pub most_items: u32,
}

/// How to get the next page.
#[derive(Clone, Debug)]
pub enum Next {
    /// The `Link` header says.
    Link,
    /// By its number.
    Page {
        /// Parameter of the query.
        query: String,
        /// Number of the first page.
        first: u32,
        /// Items of a full page.
        size: Option<Expression>,
        /// Whether there is another page.
        more: Option<Expression>,
    },
    /// By the number of items before it.
    Offset {
        /// Parameter of the query.
        query: String,
        /// Items of a full page.
        size: Option<Expression>,
        /// Whether there is another page.
        more: Option<Expression>,
    },
    /// A page gives the URL of the next.
    Url(Expression),
    /// A page gives a value for the query of the next.
    Query(String, Expression),
    /// A page gives a value for the JSON body of the next.
    Json(String, Expression),
}

impl Compiler<'_> {
    pub(super) fn pages(&mut self, paginate: &Paginate, request: &Request) -> Option<Pages> {
        let next = self.next(paginate)?;
        if matches!(next, Next::Json(..))
            && !matches!(&request.json, Some(json) if !json.entries().is_empty())
        {
            let message = format!("`{}` has no JSON mapping for the cursor to go into", self.tool.name.value);
            self.error("missing-key", self.tool.name.span, message);
        }
        Some(Pages {
            next,
            items: paginate.items.as_ref().and_then(|items| self.expression(items, Known::and(&PAGE[..3]))),
            limit: paginate.limit.as_ref().and_then(|limit| self.expression(limit, Known::TOOL)),
            most_pages: paginate.most_pages.map_or(100, |most| most.value),
            most_items: paginate.most_items.map_or(10_000, |most| most.value),
        })
    }

    fn next(&mut self, paginate: &Paginate) -> Option<Next> {
        let link = paginate.link.is_some_and(|link| link.value);
        let ways = [link, paginate.page.is_some(), paginate.offset.is_some(), paginate.cursor.is_some()];
        if ways.iter().filter(|there| **there).count() != 1 {
            let message = format!(
                "`paginate` of `{}` has one of `link`, `page`, `offset` and `cursor`",
                self.tool.name.value
            );
            self.error("bad-value", self.tool.name.span, message);
            return None;
        }
        if let Some(page) = &paginate.page {
            return Some(Next::Page {
                query: page.query.value.clone(),
                first: page.first.unwrap_or(1),
                size: self.optional(page.size.as_ref(), Known::TOOL),
                more: self.optional(page.more.as_ref(), Known::and(&PAGE)),
            });
        }
        if let Some(offset) = &paginate.offset {
            return Some(Next::Offset {
                query: offset.query.value.clone(),
                size: self.optional(offset.size.as_ref(), Known::TOOL),
                more: self.optional(offset.more.as_ref(), Known::and(&PAGE)),
            });
        }
        paginate.cursor.as_ref().map_or(Some(Next::Link), |cursor| self.cursor(cursor))
    }

    fn cursor(&mut self, cursor: &module::Cursor) -> Option<Next> {
        let from = self.expression(&cursor.from, Known::and(&PAGE[..3]))?;
        match (&cursor.query, &cursor.json) {
            (Some(query), None) => Some(Next::Query(query.value.clone(), from)),
            (None, Some(json)) => Some(Next::Json(json.value.clone(), from)),
            (None, None) => Some(Next::Url(from)),
            (Some(_), Some(json)) => {
                self.error("stray-key", json.span, "a cursor goes into `query` or `json`, not both");
                None
            }
        }
    }
}
