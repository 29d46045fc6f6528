//! Folders of instructions that a server offers: what the skills extension of MCP (SEP-2640) calls skills.
//!
//! A file is fetched when somebody asks for it and never before. What is not what its entry says is not shown:
//! neither it nor anything else of its folder.

use std::time::Duration;

use aa_spec::source::Source;
use aa_spec::tool::ErrorKind;
use aa_spec::yaml;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rmcp::model::{
    ErrorCode, PaginatedRequestParams, ReadResourceRequestParams, ResourceContents, SKILL_MD, Skill,
    SkillResource, SkillResources,
};
use rmcp::service::ServiceError;
use serde_json::Value;
use tokio::time::timeout;

use super::link::Live;
use super::{McpModule, outside};
use crate::tool::ToolError;

/// A request for entries or a file may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most folders that a server may offer, and most pages of their list.
const FOLDERS: usize = 1000;
const PAGES: usize = 100;
/// Bytes of a file.
const BIGGEST: u64 = 16 << 20;

/// A folder of instructions that a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its files, as paths within it; empty when the server makes them up as it goes, and then none can be read.
    pub files: Vec<String>,
}

impl McpModule {
    /// What its server offers; fetches no file. Starts the server.
    ///
    /// # Errors
    /// It offers nothing of the kind, or something that the extension does not allow.
    pub(crate) fn guides(&self) -> Result<Vec<Guide>, ToolError> {
        let module = self.clone();
        let entries = self.parts.around.host.block(async move {
            let live = module.connect(&outside()).await?;
            entries(&live).await
        })?;
        Ok(entries.iter().map(told).collect())
    }

    /// A file of one of them, as its bytes; the first, `SKILL.md`, when none is named. Starts the server.
    ///
    /// # Errors
    /// There is none of that name, or it is not what its entry says.
    pub(crate) fn guide(&self, name: &str, file: Option<&str>) -> Result<Vec<u8>, ToolError> {
        let (module, name, file) = (self.clone(), name.to_owned(), file.map(str::to_owned));
        self.parts.around.host.block(async move {
            let live = module.connect(&outside()).await?;
            let entries = entries(&live).await?;
            let entry = entries.iter().find(|entry| entry.name() == name);
            let entry = entry.ok_or_else(|| unknown(&live, &name, &entries))?;
            // Whatever is wanted of it: the folder counts only with an introduction that is what it should be.
            let first = read(&live, entry, SKILL_MD).await?;
            is_introduced(entry, &first)?;
            match file.as_deref() {
                None | Some(SKILL_MD) => Ok(first),
                Some(file) => read(&live, entry, file).await,
            }
        })
    }
}

/// What the server says of its folders.
async fn entries(live: &Live) -> Result<Vec<Skill>, ToolError> {
    let (mut entries, mut params) = (Vec::new(), PaginatedRequestParams::default());
    for _ in 0..PAGES {
        let page = match timeout(PATIENCE, live.peer().list_skills(Some(params.clone()))).await {
            Ok(Ok(page)) => page,
            Ok(Err(ServiceError::McpError(error))) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                let message = format!("the server of `{}` offers no folders of instructions", live.module());
                return Err(ToolError::new(ErrorKind::NotFound, message));
            }
            Ok(Err(error)) => return Err(live.explain(&error).await),
            Err(_) => return Err(late(live)),
        };
        entries.extend(page.skills);
        match page.next_cursor {
            Some(cursor) if entries.len() <= FOLDERS => params.cursor = Some(cursor),
            Some(_) => break,
            None => {
                rmcp::model::validate_skills(&entries).map_err(|error| untrue(&error))?;
                return Ok(entries);
            }
        }
    }
    let what = format!("the server of `{}` never ends its list of folders", live.module());
    Err(ToolError::new(ErrorKind::Permanent, what))
}

fn told(entry: &Skill) -> Guide {
    Guide {
        name: entry.name().to_owned(),
        description: entry.frontmatter.description.clone(),
        files: files(entry).iter().filter_map(|file| within(entry, file)).map(str::to_owned).collect(),
    }
}

fn files(entry: &Skill) -> &[SkillResource] {
    match &entry.resources {
        SkillResources::Files(files) => files,
        _ => &[],
    }
}

/// Where in its folder a file is.
fn within<'a>(entry: &Skill, file: &'a SkillResource) -> Option<&'a str> {
    file.uri.strip_prefix(entry.uri.strip_suffix(SKILL_MD)?)
}

/// A file that is what its entry says.
async fn read(live: &Live, entry: &Skill, path: &str) -> Result<Vec<u8>, ToolError> {
    let file = files(entry).iter().find(|file| within(entry, file) == Some(path));
    let file = file.ok_or_else(|| {
        let message = match entry.resources {
            SkillResources::Dynamic => {
                format!(
                    "the files of `{}` are made up as they are asked for, so none can be checked",
                    entry.name()
                )
            }
            _ => format!("there is no file `{path}` in `{}`", entry.name()),
        };
        ToolError::new(ErrorKind::NotFound, message)
    })?;
    if file.size > BIGGEST {
        let message =
            format!("`{path}` of `{}` has {} bytes, and at most {BIGGEST} are read", entry.name(), file.size);
        return Err(ToolError::new(ErrorKind::Permanent, message));
    }
    let asked = live.peer().read_resource(ReadResourceRequestParams::new(&file.uri));
    let answer = match timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(live.explain(&error).await),
        Err(_) => return Err(late(live)),
    };
    let bytes = match &answer.contents[..] {
        [ResourceContents::TextResourceContents { text, .. }] => text.clone().into_bytes(),
        [ResourceContents::BlobResourceContents { blob, .. }] => {
            BASE64_STANDARD.decode(blob).map_err(|error| untrue(&error))?
        }
        several => return Err(untrue(&format!("`{}` is {} files", file.uri, several.len()))),
    };
    file.verify(&bytes).map_err(|error| untrue(&error))?;
    Ok(bytes)
}

/// Whether the front matter of the introduction is that of the entry, field by field.
fn is_introduced(entry: &Skill, introduction: &[u8]) -> Result<(), ToolError> {
    let said = serde_json::to_value(&entry.frontmatter).map_err(|error| untrue(&error))?;
    if front_matter(introduction).is_some_and(|found| found == said) {
        return Ok(());
    }
    Err(untrue(&format!("the front matter of `{}` is not what the server has listed", entry.uri)))
}

/// What stands between the first two lines of `---`.
fn front_matter(introduction: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(introduction).ok()?;
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"))?;
    let (end, _) = rest
        .match_indices("\n---")
        .find(|(at, _)| rest[at + 4..].lines().next().is_none_or(|line| line.trim_end().is_empty()))?;
    let node = yaml::parse(&Source::new(SKILL_MD, rest[..=end].to_owned())).ok()?;
    Some(node.to_json())
}

fn unknown(live: &Live, name: &str, entries: &[Skill]) -> ToolError {
    let near = aa_spec::name::suggest(name, entries.iter().map(Skill::name));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let message = format!("the server of `{}` offers nothing called `{name}`{hint}", live.module());
    ToolError::new(ErrorKind::NotFound, message)
}

fn untrue(what: &impl ToString) -> ToolError {
    ToolError::new(
        ErrorKind::Permanent,
        format!("not used, as it is not what was announced: {}", what.to_string()),
    )
}

fn late(live: &Live) -> ToolError {
    let message = format!("the server of `{}` did not answer within {} s", live.module(), PATIENCE.as_secs());
    ToolError::new(ErrorKind::Timeout, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn front_matter_is_what_stands_between_its_lines() {
        let read = |text: &str| front_matter(text.as_bytes());
        let told = Some(json!({"name": "a", "description": "b --- c"}));
        assert_eq!(read("---\nname: a\ndescription: b --- c\n---\n\nText\n---\n"), told);
        assert_eq!(read("---\r\nname: a\r\ndescription: b --- c\r\n---\r\n"), told);
        for broken in ["", "name: a", "---\nname: a\n", "---\nname: [\n---\n", "---\nname: a\n---more\n"] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }
}
