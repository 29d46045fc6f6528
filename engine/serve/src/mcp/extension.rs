//! The skills extension of the protocol: each skill as a folder with a `SKILL.md`, told with digests so
//! that a client can tell what it has read. It is still a draft, so it is only spoken where it was asked for.

use std::collections::BTreeMap;

use aa_run::export::{description, folder, shown_name};
use aa_spec::check::Strictness;
use rmcp::model::{
    CacheScope, DIRECTORY_MIME_TYPE, ErrorData, GetSkillResult, ListResourcesResult, ListSkillsResult,
    ReadResourceDirectoryResult, ReadResourceResult, Resource, ResourceContents, Skill, SkillFrontmatter,
    SkillResource, SkillResources,
};
use serde_json::json;

use super::resource::missing;
use super::server::Server;
use super::visit::Visit;

/// How long what is told may be kept, in milliseconds.
const SHORT_WHILE: u64 = 5_000;

/// A skill with its files, by address.
struct Folder {
    root: String,
    frontmatter: SkillFrontmatter,
    files: BTreeMap<String, String>,
}

/// Every skill that the client sees and that has no errors.
pub(crate) fn list(server: &Server, visit: &Visit) -> Result<ListSkillsResult, ErrorData> {
    let skills = folders(server, visit)?.iter().map(Folder::skill).collect();
    Ok(ListSkillsResult::with_all_items(skills)
        .with_ttl_ms(SHORT_WHILE)
        .with_cache_scope(CacheScope::Private))
}

/// One of them, by the address of its `SKILL.md`.
pub(crate) fn get(server: &Server, visit: &Visit, uri: &str) -> Result<GetSkillResult, ErrorData> {
    let folders = folders(server, visit)?;
    let folder = folders.iter().find(|folder| folder.sheet() == uri);
    let folder = folder
        .ok_or_else(|| ErrorData::invalid_params("there is no such skill", Some(json!({ "uri": uri }))))?;
    Ok(GetSkillResult::new(folder.skill()).with_ttl_ms(SHORT_WHILE).with_cache_scope(CacheScope::Private))
}

/// The sheets of all skills, for the list of resources.
pub(crate) fn resources(server: &Server, visit: &Visit) -> Result<Vec<Resource>, ErrorData> {
    let entry = |folder: &Folder| {
        Resource::new(folder.sheet(), folder.frontmatter.name.clone())
            .with_description(folder.frontmatter.description.clone())
            .with_mime_type("text/markdown")
    };
    Ok(folders(server, visit)?.iter().map(entry).collect())
}

/// A file of a skill.
pub(crate) fn read(server: &Server, visit: &Visit, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let folders = folders(server, visit)?;
    let text = folders.iter().find_map(|folder| folder.files.get(uri)).ok_or_else(|| missing(uri))?;
    let contents = ResourceContents::TextResourceContents {
        uri: uri.to_owned(),
        mime_type: Some(mime_type(uri).to_owned()),
        text: text.clone(),
        meta: None,
    };
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(SHORT_WHILE).with_cache_scope(CacheScope::Private))
}

/// What is in a folder: its files, and the folders below it.
pub(crate) fn directory(
    server: &Server,
    visit: &Visit,
    uri: &str,
) -> Result<ReadResourceDirectoryResult, ErrorData> {
    // Above all skills there is nothing but the scheme.
    let root = match uri.trim_end_matches('/') {
        scheme if scheme.ends_with(':') => format!("{scheme}//"),
        folder => format!("{folder}/"),
    };
    let mut entries = BTreeMap::<String, Resource>::new();
    for file in folders(server, visit)?.iter().flat_map(|folder| folder.files.keys()) {
        let Some(rest) = file.strip_prefix(&root) else { continue };
        let (address, name, kind) = match rest.split_once('/') {
            Some((folder, _)) => (format!("{root}{folder}"), folder, DIRECTORY_MIME_TYPE),
            None => (file.clone(), rest, mime_type(file)),
        };
        entries.insert(address.clone(), Resource::new(address, name).with_mime_type(kind));
    }
    if entries.is_empty() {
        return Err(ErrorData::invalid_params("there is no such folder", Some(json!({ "uri": uri }))));
    }
    let list =
        ListResourcesResult { resources: entries.into_values().collect(), ..ListResourcesResult::default() };
    Ok(list.with_ttl_ms(SHORT_WHILE).with_cache_scope(CacheScope::Private))
}

fn mime_type(uri: &str) -> &'static str {
    let is_markdown = std::path::Path::new(uri).extension().is_some_and(|of| of.eq_ignore_ascii_case("md"));
    if is_markdown { "text/markdown" } else { "application/yaml" }
}

fn folders(server: &Server, visit: &Visit) -> Result<Vec<Folder>, ErrorData> {
    let view = server.view(visit)?;
    Ok(view.skills.iter().filter_map(|entry| Folder::of(visit, &entry.name)).collect())
}

impl Folder {
    /// The folder of a skill; none when it has errors.
    fn of(visit: &Visit, name: &str) -> Option<Self> {
        let checked = visit.engine.check(name, Strictness { lenient: false, strict: false }).ok()?;
        let plan = checked.plan?;
        let root = format!("skill://{}/", shown_name(name));
        let files = folder(&plan, &checked.source).into_iter();
        let frontmatter = SkillFrontmatter::new(shown_name(&plan.skill.name), description(&plan));
        let files = files.map(|(path, text)| (format!("{root}{path}"), text)).collect();
        Some(Self { root, frontmatter, files })
    }

    fn sheet(&self) -> String {
        format!("{}SKILL.md", self.root)
    }

    fn skill(&self) -> Skill {
        let file = |(uri, text): (&String, &String)| SkillResource::from_bytes(uri.clone(), text.as_bytes());
        let files = self.files.iter().map(file).collect();
        Skill::new(self.sheet(), self.frontmatter.clone(), SkillResources::Files(files))
    }
}
