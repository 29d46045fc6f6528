//! Results that are more than text, as the protocol has them.

use std::path::Path;

use aa_run::content::{self, Block};
use rmcp::model::{
    AudioContent, CallToolResponse, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, Resource,
    ResourceContents,
};
use serde_json::Value;

/// The answer that a result comes to: its content where it has some, and the same as JSON for programs
/// and as words for whoever reads only those. Files that it names are those of `folder`.
pub(crate) fn answer(value: Value, folder: &Path) -> CallToolResponse {
    result(value, folder).into()
}

/// The same, for whoever has more to say with it.
pub(crate) fn result(value: Value, folder: &Path) -> CallToolResult {
    match content::find(&value, folder) {
        // A text is no structure.
        Ok(None) if value.is_string() => {
            CallToolResult::success(vec![ContentBlock::text(value.as_str().unwrap_or_default())])
        }
        Ok(None) => CallToolResult::structured(value),
        Ok(Some(content)) => {
            let mut result = CallToolResult::success(content.blocks.into_iter().map(block).collect());
            // What is content and nothing else has no structure of its own.
            result.structured_content = (!content.alone).then_some(content.rest);
            result
        }
        Err(message) => CallToolResult::error(vec![ContentBlock::text(message)]),
    }
}

/// A piece of content as the protocol has it.
pub(crate) fn block(block: Block) -> ContentBlock {
    match block {
        Block::Text(text) => ContentBlock::text(text),
        Block::Image { data, mime_type } => ContentBlock::Image(ImageContent::new(data, mime_type)),
        Block::Audio { data, mime_type } => ContentBlock::Audio(AudioContent::new(data, mime_type)),
        Block::Link { uri, name, description, mime_type } => {
            let mut link = Resource::new(uri, name);
            link.description = description;
            link.mime_type = mime_type;
            ContentBlock::ResourceLink(link)
        }
        Block::Resource { .. } | Block::Bytes { .. } => match contents(block) {
            Some(contents) => ContentBlock::Resource(EmbeddedResource::new(contents)),
            None => ContentBlock::text(""),
        },
    }
}

/// What is at an address, if the block has one.
pub(crate) fn contents(block: Block) -> Option<ResourceContents> {
    match block {
        Block::Resource { uri, mime_type, text } => Some(ResourceContents::TextResourceContents {
            uri,
            mime_type: mime_type.or_else(|| Some("text/plain".to_owned())),
            text,
            meta: None,
        }),
        Block::Bytes { uri, mime_type, data } => Some(ResourceContents::BlobResourceContents {
            uri,
            mime_type: mime_type.or_else(|| Some("application/octet-stream".to_owned())),
            blob: data,
            meta: None,
        }),
        _ => None,
    }
}
