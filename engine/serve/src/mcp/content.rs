//! Results that are more than text, as the protocol has them.

use aa_run::content::{self, Block, Content};
use rmcp::model::{
    AudioContent, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, Resource, ResourceContents,
};
use serde_json::{Value, json};

use super::result::{self, Whole};

/// The answer that a result comes to which is more than text: its content, and what else there is as JSON for
/// programs and as words for whoever reads only those. None when it is no more.
pub(crate) fn result(value: &Value, whole: Whole<'_>) -> Option<CallToolResult> {
    let Content { blocks, rest, alone } = content::find(value)?;
    let blocks = blocks.into_iter().map(block);
    // What is content and nothing else has no structure of its own.
    if alone {
        return Some(CallToolResult::success(blocks.collect()));
    }
    let mut shown = result::of(rest, false, whole);
    shown.content.extend(blocks);
    Some(shown)
}

/// An answer of content for a call of which a schema has been announced: strict clients want what it says. Of an error they
/// want nothing.
pub(crate) fn announced(mut shown: CallToolResult, wrapped: bool) -> CallToolResult {
    if shown.is_error == Some(true) {
        return shown;
    }
    // Without anything beside the content, there is none of what was announced; but an object it has to be.
    let none = if wrapped { Value::Null } else { json!({}) };
    let rest = shown.structured_content.take().unwrap_or(none);
    shown.structured_content = Some(if wrapped { json!({ "result": rest }) } else { rest });
    shown
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
