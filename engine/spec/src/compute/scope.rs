//! Which names belong to which part of a block.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, Comprehension, ExceptHandler, Expr, ExprContext, Parameters, Pattern, Stmt};

/// Names that a body gives a value, without the bodies inside it.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub(super) names: BTreeSet<String>,
    /// Those that are modules or classes: what stands behind their dot is their own.
    pub(super) modules: BTreeSet<String>,
    /// Those that are functions.
    pub(super) functions: BTreeSet<String>,
    /// What an import brings in of the prelude: the word by its name here.
    pub(super) words: BTreeMap<String, &'static str>,
    /// Names that belong to the outermost body all the same.
    pub(super) globals: BTreeSet<String>,
}

impl Bound {
    pub(super) fn of(body: &[Stmt]) -> Self {
        let mut bound = Self::default();
        bound.visit_body(body);
        let Self { names, globals, .. } = &mut bound;
        names.retain(|name| !globals.contains(name));
        bound
    }

    /// What a function binds: its parameters, and the names in its body.
    pub(super) fn of_function(parameters: &Parameters, body: &[Stmt]) -> Self {
        let mut bound = Self::of(body);
        bound.names.extend(parameters.iter().map(|parameter| parameter.name().to_string()));
        bound
    }

    pub(super) fn of_lambda(parameters: Option<&Parameters>) -> Self {
        parameters.map_or_else(Self::default, |parameters| Self::of_function(parameters, &[]))
    }

    /// The variables of a comprehension.
    pub(super) fn of_comprehension(generators: &[Comprehension]) -> Self {
        let mut bound = Self::default();
        for generator in generators {
            bound.visit_expr(&generator.target);
        }
        bound
    }

    fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    fn add_module(&mut self, name: &str) {
        self.add(name);
        self.modules.insert(name.to_owned());
    }

    /// Notes that an import brings in a word of the prelude; true if its name stays free.
    fn word(&mut self, path: &str, alias: &Alias) -> bool {
        let Some(word) = foreign_word(path) else { return false };
        let local = alias.asname.as_ref().map_or(word, |name| name.as_str());
        self.words.insert(local.to_owned(), word);
        self.modules.insert(local.to_owned());
        local == word
    }

    /// Inside a comprehension only `:=` binds, and that outside of it.
    fn comprehension(&mut self, parts: &[&Expr], generators: &[Comprehension]) {
        for part in parts {
            self.visit_expr(part);
        }
        for generator in generators {
            self.visit_expr(&generator.iter);
            generator.ifs.iter().for_each(|condition| self.visit_expr(condition));
        }
    }
}

impl<'a> Visitor<'a> for Bound {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                self.functions.insert(function.name.to_string());
                return self.add(&function.name);
            }
            Stmt::ClassDef(class) => return self.add_module(&class.name),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let root = || alias.name.split('.').next().unwrap_or_default();
                    if !self.word(&alias.name, alias) {
                        self.add_module(alias.asname.as_ref().map_or_else(root, |name| name.as_str()));
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_deref().unwrap_or_default();
                for alias in &import.names {
                    if !self.word(&format!("{module}.{}", alias.name), alias) {
                        self.add_module(alias.asname.as_ref().unwrap_or(&alias.name));
                    }
                }
            }
            Stmt::Global(global) => self.globals.extend(global.names.iter().map(ToString::to_string)),
            Stmt::Nonlocal(outer) => self.globals.extend(outer.names.iter().map(ToString::to_string)),
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        inner.name.iter().for_each(|name| self.add(name));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(capture) => capture.name.as_ref(),
            Pattern::MatchStar(capture) => capture.name.as_ref(),
            Pattern::MatchMapping(capture) => capture.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.add(name);
        }
        visitor::walk_pattern(self, pattern);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.ctx != ExprContext::Load => self.add(&name.id),
            Expr::Lambda(_) => {}
            Expr::ListComp(list) => self.comprehension(&[&*list.elt], &list.generators),
            Expr::SetComp(set) => self.comprehension(&[&*set.elt], &set.generators),
            Expr::Generator(all) => self.comprehension(&[&*all.elt], &all.generators),
            Expr::DictComp(map) => {
                let key = map.key.as_deref();
                let parts: Vec<&Expr> = key.into_iter().chain([&*map.value]).collect();
                self.comprehension(&parts, &map.generators);
            }
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}

/// `memory` or `parsers`, if that is what a path of the other system names.
pub(super) fn foreign_word(path: &str) -> Option<&'static str> {
    let is_foreign = matches!(path.split('.').next(), Some("scripts" | "server"));
    let word = ["memory", "parsers"].into_iter().find(|word| path.rsplit('.').next() == Some(word));
    word.filter(|_| is_foreign)
}

/// Names that functions set for the block, however deep inside.
#[derive(Default)]
struct Globals(BTreeSet<String>);

impl<'a> Visitor<'a> for Globals {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Global(global) = statement {
            self.0.extend(global.names.iter().map(ToString::to_string));
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// What kind of body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Runs where it stands.
    Comprehension,
    /// Runs later, or never.
    Function,
    /// Hides its names from the functions in it.
    Class,
}

/// Whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A function or comprehension of the block.
    Inner,
    /// The block, which has certainly set it before.
    Block,
    /// The block sets it somewhere, but perhaps not before.
    Perhaps,
    /// Not the block.
    Outside,
}

/// The bodies around a place, and what is certain there.
#[derive(Debug)]
pub(super) struct Scopes {
    /// Names of the block itself.
    pub(super) block: Bound,
    inner: Vec<(Body, Bound)>,
    /// Names of the block that certainly have a value here.
    pub(super) certain: BTreeSet<String>,
}

impl Scopes {
    pub(super) fn new(body: &[Stmt]) -> Self {
        let (mut block, mut globals) = (Bound::of(body), Globals::default());
        globals.visit_body(body);
        block.names.extend(globals.0);
        Self { block, inner: Vec::new(), certain: BTreeSet::new() }
    }

    pub(super) fn enter(&mut self, body: Body, bound: Bound) {
        self.inner.push((body, bound));
    }

    pub(super) fn leave(&mut self) {
        self.inner.pop();
    }

    /// Whether the place runs when the block comes to it.
    pub(super) fn runs_here(&self) -> bool {
        self.inner.iter().all(|(body, _)| *body == Body::Comprehension)
    }

    pub(super) fn is_outermost(&self) -> bool {
        self.inner.is_empty()
    }

    pub(super) fn in_class(&self) -> bool {
        self.inner.last().is_some_and(|(body, _)| *body == Body::Class)
    }

    pub(super) fn owner(&self, name: &str) -> Owner {
        if self.bound_inside(name).is_some() {
            return Owner::Inner;
        }
        if !self.block.names.contains(name) && !self.is_global(name) {
            return Owner::Outside;
        }
        if self.certain.contains(name) { Owner::Block } else { Owner::Perhaps }
    }

    /// Whether it names a module or a class of the block.
    pub(super) fn is_module(&self, name: &str) -> bool {
        self.bound_inside(name).unwrap_or(&self.block).modules.contains(name)
    }

    /// The word of the prelude that an import has given this name.
    pub(super) fn word(&self, name: &str) -> Option<&'static str> {
        let inner = self.inner.iter().rev().map(|(_, bound)| bound);
        let mut bodies = inner.chain([&self.block]);
        let bound = bodies.find(|bound| bound.words.contains_key(name) || bound.names.contains(name))?;
        bound.words.get(name).copied()
    }

    fn bound_inside(&self, name: &str) -> Option<&Bound> {
        let last = self.inner.len().checked_sub(1)?;
        let visible = |(at, (body, _)): &(usize, &(Body, Bound))| *body != Body::Class || *at == last;
        let mut bodies = self.inner.iter().enumerate().rev().filter(visible);
        bodies.find(|(_, (_, bound))| bound.names.contains(name)).map(|(_, (_, bound))| bound)
    }

    /// Whether some function sets it for the block.
    fn is_global(&self, name: &str) -> bool {
        self.inner.iter().any(|(_, bound)| bound.globals.contains(name))
    }
}
