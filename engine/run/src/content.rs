//! Results that are more than text: pictures, sound, and texts with an address.
//!
//! A tool of an MCP server gives them as the protocol has them. A tool that is written here gives
//! `{"$content": [...]}` with blocks such as `{type: image, file: plot.png, mime_type: image/png}`. In a
//! journal they are values like others, and big ones leave it as big values do.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The key of a mapping that is content.
pub const KEY: &str = "$content";
/// Biggest file that a block may name, in bytes.
const BIGGEST: u64 = 8 << 20;
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
/// there is no more to it than JSON.
///
/// # Errors
/// A block is none, or names a file that is not below the folder or cannot be read.
pub fn find(value: &Value, folder: &Path) -> Result<Option<Content>, String> {
    if let Some(blocks) = blocks(value, folder)? {
        return Ok(Some(Content { blocks, rest: without_bytes(value), alone: true }));
    }
    let Value::Object(entries) = value else { return Ok(None) };
    let (mut found, mut rest) = (Vec::new(), Map::new());
    for (name, entry) in entries {
        match blocks(entry, folder)? {
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
        return Ok(None);
    }
    let rest = Value::Object(rest);
    // Who looks at the words alone misses nothing but the bytes.
    found.insert(0, Block::Text(rest.to_string()));
    Ok(Some(Content { blocks: found, rest, alone: false }))
}

/// The blocks that a value is, if it is content and nothing else.
fn blocks(value: &Value, folder: &Path) -> Result<Option<Vec<Block>>, String> {
    match value {
        Value::Object(entries) if entries.len() == 1 && entries.contains_key(KEY) => {
            let Some(Value::Array(list)) = entries.get(KEY) else {
                return Err(format!("`{KEY}` is a list of blocks"));
            };
            if list.len() > MOST {
                return Err(format!("`{KEY}` has more than {MOST} blocks"));
            }
            list.iter().map(|entry| block(entry, folder)).collect::<Result<_, _>>().map(Some)
        }
        Value::Object(_) if is_foreign(value) => Ok(Some(vec![block(value, folder)?])),
        // What a foreign tool has given: texts, and at least one thing that is none.
        Value::Array(list)
            if list.len() <= MOST
                && list.iter().any(is_foreign)
                && list.iter().all(|entry| entry.is_string() || is_foreign(entry)) =>
        {
            list.iter().map(|entry| block(entry, folder)).collect::<Result<_, _>>().map(Some)
        }
        _ => Ok(None),
    }
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

fn block(value: &Value, folder: &Path) -> Result<Block, String> {
    let text = |names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str().map(str::to_owned));
    let need = |names: &[&str]| text(names).ok_or_else(|| format!("a block of `{KEY}` needs `{}`", names[0]));
    let kind = || text(&["mime_type", "mimeType"]);
    if let Value::String(words) = value {
        return Ok(Block::Text(words.clone()));
    }
    match text(&["type"]).as_deref() {
        Some("text") => Ok(Block::Text(need(&["text"])?)),
        Some(what @ ("image" | "audio")) => {
            let data = match text(&["data"]) {
                Some(data) => checked(data)?,
                None => STANDARD.encode(read(folder, &need(&["file"])?)?),
            };
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

/// The bytes of a file of the run's folder. A link may not lead out of it: what a tool names is shown to
/// whoever called, and they may not be allowed to read the rest of the disk.
fn read(folder: &Path, path: &str) -> Result<Vec<u8>, String> {
    let refused = |why: &str| format!("`{path}` of a block of `{KEY}` {why}");
    let real = folder.join(path).canonicalize().map_err(|error| refused(&crate::cause::cause(&error)))?;
    let folder = folder.canonicalize().map_err(|error| refused(&crate::cause::cause(&error)))?;
    if !real.starts_with(&folder) {
        return Err(refused("is not below the folder of the run"));
    }
    let file = File::open(&real).map_err(|error| refused(&crate::cause::cause(&error)))?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err(refused("is no file"));
    }
    let mut bytes = Vec::new();
    let read = file.take(BIGGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| refused(&crate::cause::cause(&error)))?;
    if bytes.len() as u64 > BIGGEST {
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

    fn found(value: Value) -> Option<Content> {
        find(&value, Path::new("/nonexistent")).unwrap()
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
        ] {
            assert_eq!(found(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn blocks_of_the_protocol_are_content() {
        let image = json!({"type": "image", "data": "AAAA", "mimeType": "image/png"});
        let block = Block::Image { data: "AAAA".to_owned(), mime_type: "image/png".to_owned() };
        assert_eq!(found(image.clone()).unwrap().blocks, [block.clone()]);
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
        assert_eq!(content.blocks.len(), 2);
        assert_eq!(content.rest["plot"]["$content"][0]["bytes"], 3);
        assert_eq!(content.blocks[0], Block::Text(content.rest.to_string()));
    }

    #[test]
    fn files_are_read_below_the_folder_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        std::fs::write(folder.path().join("secret"), "hidden").unwrap();
        std::fs::write(folder.path().join("run/plot.png"), [1, 2, 3]).unwrap();
        std::os::unix::fs::symlink("../secret", folder.path().join("run/link.png")).unwrap();
        let of = |file: &str| {
            let value = json!({"$content": [{"type": "image", "file": file, "mime_type": "image/png"}]});
            find(&value, &folder.path().join("run"))
        };
        let block = Block::Image { data: "AQID".to_owned(), mime_type: "image/png".to_owned() };
        assert_eq!(of("plot.png").unwrap().unwrap().blocks, [block]);
        for file in ["../secret", "link.png", "/etc/passwd", "gone.png", "."] {
            assert!(of(file).is_err(), "{file}");
        }
    }

    #[test]
    fn what_is_no_block_is_said() {
        let wrong = |blocks: Value| find(&json!({ "$content": blocks }), Path::new("/")).unwrap_err();
        assert_eq!(wrong(json!("x")), "`$content` is a list of blocks");
        assert!(wrong(json!([{"type": "film"}])).contains("has a `type`"));
        assert!(wrong(json!([{"type": "image", "data": "AAAA"}])).contains("needs `mime_type`"));
        assert!(wrong(json!([{"type": "image", "data": "&", "mime_type": "x"}])).contains("base64"));
        assert!(wrong(json!([{"type": "resource", "uri": "t://x"}])).contains("a `text` or a `blob`"));
    }
}
