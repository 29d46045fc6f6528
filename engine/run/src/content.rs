//! Results that are more than text: pictures, sound, and texts with an address.
//!
//! A tool of an MCP server gives them as the protocol has them. A command of one of the project's modules
//! gives `{"$content": [...]}` with blocks such as `{type: image, file: plot.png, mime_type: image/png}`, and
//! its files are opened before the result leaves the tool ([`open_files`]). Nothing else opens files: whoever
//! can shape a result could read them all. In a journal they are values like others, and big ones leave it
//! as big values do.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The key of a mapping that is content.
pub const KEY: &str = "$content";
/// Most bytes of all files that the blocks of a result name.
const BIGGEST: u64 = 8 << 20;
/// Most characters of all blocks of a result that are shown.
const LONGEST: usize = 12 << 20;
/// Most blocks of a result.
const MOST: usize = 100;

/// A piece of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Words.
    Text(String),
    /// A picture, in base64.
    Image {
        /// Its bytes.
        data: String,
        /// What kind.
        mime_type: String,
    },
    /// Sound, in base64.
    Audio {
        /// Its bytes.
        data: String,
        /// What kind.
        mime_type: String,
    },
    /// A text that has an address.
    Resource {
        /// The address.
        uri: String,
        /// What kind.
        mime_type: Option<String>,
        /// The text.
        text: String,
    },
    /// Bytes that have an address, in base64.
    Bytes {
        /// The address.
        uri: String,
        /// What kind.
        mime_type: Option<String>,
        /// The bytes.
        data: String,
    },
    /// An address alone.
    Link {
        /// The address.
        uri: String,
        /// What it is called.
        name: String,
        /// What it is.
        description: Option<String>,
        /// What kind.
        mime_type: Option<String>,
    },
}

impl Block {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Resource { text, .. } => text.len(),
            Self::Image { data, .. } | Self::Audio { data, .. } | Self::Bytes { data, .. } => data.len(),
            Self::Link { .. } => 0,
        }
    }
}

/// A result with the pieces of content that were found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// What is shown, in order.
    pub blocks: Vec<Block>,
    /// The result without the bytes, each replaced by how many there were.
    pub rest: Value,
    /// Whether the result is content and nothing else, so that the rest says no more than the blocks.
    pub alone: bool,
}

/// The content in a result: all of it, or in its topmost entries (outputs of a skill, say). None when
/// there is no more to it than JSON. What looks like content and is none is a value like others; in a
/// `$content`, a text in its place says what is wrong with it.
pub fn find(value: &Value) -> Option<Content> {
    if let Some(blocks) = blocks(value) {
        return Some(Content { blocks: bounded(blocks), rest: without_bytes(value), alone: true });
    }
    let Value::Object(entries) = value else { return None };
    let (mut found, mut rest) = (Vec::new(), Map::new());
    for (name, entry) in entries {
        match blocks(entry) {
            Some(blocks) => {
                found.extend(blocks);
                rest.insert(name.clone(), without_bytes(entry));
            }
            None => {
                rest.insert(name.clone(), entry.clone());
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    Some(Content { blocks: bounded(found), rest: Value::Object(rest), alone: false })
}

/// Blocks without those that are too many or too large together.
fn bounded(blocks: Vec<Block>) -> Vec<Block> {
    let (all, mut left) = (blocks.len(), LONGEST);
    let fits = |block: &Block| {
        let fits = block.len() <= left;
        left -= if fits { block.len() } else { 0 };
        fits
    };
    let mut shown: Vec<Block> = blocks.into_iter().take(MOST).filter(fits).collect();
    if shown.len() < all {
        shown.push(Block::Text(format!("[{} more are too large to be shown]", all - shown.len())));
    }
    shown
}

/// The blocks that a value is, if it is content and nothing else.
fn blocks(value: &Value) -> Option<Vec<Block>> {
    if let Some(list) = explicit(value) {
        let told = |message| Block::Text(format!("[not shown: {message}]"));
        return Some(list.iter().map(|entry| block(entry).unwrap_or_else(told)).collect());
    }
    match value {
        Value::Object(_) if is_foreign(value) => Some(vec![block(value).ok()?]),
        // What a foreign tool has given: texts, and at least one thing that is none.
        Value::Array(list)
            if list.iter().any(is_foreign)
                && list.iter().all(|entry| entry.is_string() || is_foreign(entry)) =>
        {
            list.iter().map(|entry| block(entry).ok()).collect()
        }
        _ => None,
    }
}

/// The list of a value that is `{"$content": [...]}`.
fn explicit(value: &Value) -> Option<&Vec<Value>> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    entries.get(KEY)?.as_array()
}

/// Puts the bytes of the files that blocks of a result name in the place of the names.
///
/// # Errors
/// A file is not below the folder, is a link, is too big, or cannot be read.
pub(crate) fn open_files(value: &mut Value, folder: &Path) -> Result<(), String> {
    let mut left = BIGGEST;
    if explicit(value).is_some() {
        return open_blocks(value, folder, &mut left);
    }
    let Value::Object(entries) = value else { return Ok(()) };
    let mut shown = entries.values_mut().filter(|entry| explicit(entry).is_some());
    shown.try_for_each(|entry| open_blocks(entry, folder, &mut left))
}

fn open_blocks(value: &mut Value, folder: &Path, left: &mut u64) -> Result<(), String> {
    let blocks = value.get_mut(KEY).and_then(Value::as_array_mut);
    for block in blocks.into_iter().flatten().filter_map(Value::as_object_mut) {
        let Some(Value::String(file)) = block.get("file") else { continue };
        let bytes = read(folder, file, *left)?;
        *left -= bytes.len() as u64;
        block.shift_remove("file");
        block.insert("data".to_owned(), STANDARD.encode(bytes).into());
    }
    Ok(())
}

/// Whether a value is a piece of content as the protocol has it, other than words: then it has the bytes, or an
/// address, and no key that does not belong there.
fn is_foreign(value: &Value) -> bool {
    let Value::Object(entries) = value else { return false };
    let has = |name: &str| entries.get(name).is_some_and(Value::is_string);
    match entries.get("type").and_then(Value::as_str) {
        Some("image" | "audio") => has("data") && has("mimeType"),
        Some("resource") => {
            entries.get("resource").is_some_and(|inner| inner.get("uri").is_some_and(Value::is_string))
        }
        Some("resource_link") => has("uri") && has("name"),
        _ => false,
    }
}

fn block(value: &Value) -> Result<Block, String> {
    let text = |names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str().map(str::to_owned));
    let need = |names: &[&str]| text(names).ok_or_else(|| format!("a block of `{KEY}` needs `{}`", names[0]));
    let kind = || text(&["mime_type", "mimeType"]);
    if let Value::String(words) = value {
        return Ok(Block::Text(words.clone()));
    }
    match text(&["type"]).as_deref() {
        Some("text") => Ok(Block::Text(need(&["text"])?)),
        Some(what @ ("image" | "audio")) => {
            if value.get("file").is_some() {
                return Err(
                    "only the result of a command of the project's modules may name a file".to_owned()
                );
            }
            let data = checked(need(&["data"])?)?;
            let mime_type = kind().ok_or_else(|| format!("a block of `{KEY}` needs `mime_type`"))?;
            Ok(if what == "image" {
                Block::Image { data, mime_type }
            } else {
                Block::Audio { data, mime_type }
            })
        }
        Some("resource") => resource(value.get("resource").unwrap_or(value)),
        Some("resource_link") => Ok(Block::Link {
            uri: need(&["uri"])?,
            name: text(&["name", "uri"]).unwrap_or_default(),
            description: text(&["description"]),
            mime_type: kind(),
        }),
        _ => Err(format!(
            "a block of `{KEY}` has a `type`: `text`, `image`, `audio`, `resource` or `resource_link`"
        )),
    }
}

fn resource(value: &Value) -> Result<Block, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let uri = text("uri").ok_or_else(|| format!("a block of `{KEY}` needs `uri`"))?;
    let mime_type = text("mime_type").or_else(|| text("mimeType"));
    match (text("text"), text("blob")) {
        (Some(text), None) => Ok(Block::Resource { uri, mime_type, text }),
        (None, Some(blob)) => Ok(Block::Bytes { uri, mime_type, data: checked(blob)? }),
        _ => Err(format!("a resource in `{KEY}` has a `text` or a `blob`")),
    }
}

fn checked(data: String) -> Result<String, String> {
    match STANDARD.decode(&data) {
        Ok(_) => Ok(data),
        Err(error) => Err(format!("the data of a block of `{KEY}` are not in base64: {error}")),
    }
}

/// The bytes of a file of the run's folder. No link is followed: what a tool names is shown to whoever
/// called, and they may not be allowed to read the rest of the disk.
fn read(folder: &Path, path: &str, most: u64) -> Result<Vec<u8>, String> {
    let refused = |why: &str| format!("`{path}` of a block of `{KEY}` {why}");
    let failed = |error: std::io::Error| refused(&crate::cause::cause(&error));
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(refused("is not below the folder of the run"));
    }
    let meant = folder.canonicalize().map_err(failed)?.join(path);
    if meant.canonicalize().map_err(failed)? != meant {
        return Err(refused("is a link, or behind one"));
    }
    let file = File::open(&meant).map_err(failed)?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err(refused("is no file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(refused("is too big"));
    }
    Ok(bytes)
}

/// The same value with the bytes of its blocks counted, not shown.
fn without_bytes(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(without_bytes).collect(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("data" | "blob", Value::String(data)) => ("bytes".to_owned(), json!(data.len() / 4 * 3)),
                _ => (name.clone(), without_bytes(value)),
            })
            .collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: impl std::borrow::Borrow<Value>) -> Option<Content> {
        find(value.borrow())
    }

    #[test]
    fn plain_values_are_no_content() {
        for value in [
            json!(null),
            json!("text"),
            json!({"type": "image"}),
            json!({"type": "image", "data": 3, "mimeType": "image/png"}),
            json!({"type": "text", "text": "x"}),
            json!([{"type": "resource", "name": "x"}]),
            json!([1, {"type": "image", "data": "AAAA", "mimeType": "image/png"}]),
            json!({"a": {"b": {"$content": []}}}),
            json!({"$content": "x"}),
            json!({"type": "image", "data": "https://x/a.png", "mimeType": "image/png"}),
            json!({"icon": {"type": "image", "data": "https://x/a.png", "mimeType": "image/png"}}),
        ] {
            assert_eq!(found(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn blocks_of_the_protocol_are_content() {
        let image = json!({"type": "image", "data": "AAAA", "mimeType": "image/png"});
        let block = Block::Image { data: "AAAA".to_owned(), mime_type: "image/png".to_owned() };
        assert_eq!(found(&image).unwrap().blocks, std::slice::from_ref(&block));
        let both = found(json!(["words", image])).unwrap();
        assert_eq!(both.blocks, [Block::Text("words".to_owned()), block]);
        assert_eq!(both.rest, json!(["words", {"type": "image", "bytes": 3, "mimeType": "image/png"}]));
        let resource =
            json!({"type": "resource", "resource": {"uri": "t://x", "mimeType": "text/plain", "text": "y"}});
        let expected = Block::Resource {
            uri: "t://x".to_owned(),
            mime_type: Some("text/plain".to_owned()),
            text: "y".to_owned(),
        };
        assert_eq!(found(resource).unwrap().blocks, [expected]);
    }

    #[test]
    fn outputs_of_a_skill_keep_their_words() {
        let outputs = json!({"n": 3, "plot": {"$content": [{"type": "image", "data": "AAAA", "mime_type": "image/png"}]}});
        let content = found(outputs).unwrap();
        assert_eq!(content.blocks.len(), 1);
        assert_eq!(
            content.rest,
            json!({"n": 3, "plot": {"$content": [{"type": "image", "bytes": 3, "mime_type": "image/png"}]}})
        );
    }

    #[test]
    fn files_are_opened_below_the_folder_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        std::fs::write(folder.path().join("secret"), "hidden").unwrap();
        std::fs::write(folder.path().join("run/plot.png"), [1, 2, 3]).unwrap();
        std::os::unix::fs::symlink("plot.png", folder.path().join("run/link.png")).unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("run/up")).unwrap();
        let named =
            |file: &str| json!({"$content": [{"type": "image", "file": file, "mime_type": "image/png"}]});
        let opened = |mut value: Value| {
            open_files(&mut value, &folder.path().join("run")).map(|()| find(&value).unwrap().blocks)
        };
        let block = Block::Image { data: "AQID".to_owned(), mime_type: "image/png".to_owned() };
        assert_eq!(opened(named("plot.png")), Ok(vec![block.clone()]));
        assert_eq!(opened(json!({"a": 1, "plot": named("plot.png")})), Ok(vec![block]));
        for file in ["../secret", "link.png", "up/secret", "/etc/passwd", "gone.png", "."] {
            assert!(opened(named(file)).is_err(), "{file}");
        }
        // What was not opened where it was made is opened nowhere.
        let Block::Text(told) = &find(&named("plot.png")).unwrap().blocks[0] else { panic!("no picture") };
        assert!(told.starts_with("[not shown: only the result of a command"), "{told}");
    }

    #[test]
    fn what_is_no_block_is_said_in_its_place() {
        let wrong = |block: Value| match &found(json!({ "$content": [block, {"type": "text", "text": "x"}] }))
            .unwrap()
            .blocks[..]
        {
            [Block::Text(told), Block::Text(rest)] if rest == "x" => told.clone(),
            blocks => panic!("{blocks:?}"),
        };
        assert!(wrong(json!({"type": "film"})).contains("has a `type`"));
        assert!(wrong(json!({"type": "image", "data": "AAAA"})).contains("needs `mime_type`"));
        assert!(wrong(json!({"type": "image", "data": "&", "mime_type": "x"})).contains("base64"));
        assert!(wrong(json!({"type": "resource", "uri": "t://x"})).contains("a `text` or a `blob`"));
    }

    #[test]
    fn too_much_is_counted() {
        let half = json!({"type": "text", "text": "x".repeat(LONGEST / 2)});
        let blocks =
            found(json!({"$content": [half, half, half, {"type": "text", "text": ""}]})).unwrap().blocks;
        assert_eq!(blocks.len(), 4);
        assert_eq!(blocks[3], Block::Text("[1 more are too large to be shown]".to_owned()));
        let many = found(json!({"$content": vec![json!({"type": "text", "text": "y"}); MOST + 5]})).unwrap();
        assert_eq!(many.blocks.len(), MOST + 1);
    }
}
