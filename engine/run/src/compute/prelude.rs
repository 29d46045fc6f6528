//! Names that a block has without defining them, as Python text in front of its own.
//!
//! To add some: put a file beside the others in `prelude/` and a line into [`PARTS`], or
//! into [`definitions`] when blocks use a part of it.
//! Only what a block needs is put in front of it, so that it stays quick to compile.

mod definitions;

/// A piece of Python, and what it is about.
struct Part {
    /// Names that it defines.
    defines: &'static [&'static str],
    /// Names of other parts that it uses.
    needs: &'static [&'static str],
    /// The text; empty for what the interpreter itself answers.
    text: &'static str,
}

/// In the order in which they are put in front of a block.
const PARTS: &[Part] = &[
    Part { defines: &["call_tool", "run_skill", "_dir"], needs: &[], text: "" },
    Part { defines: &["re"], needs: &[], text: "import re\n" },
    Part { defines: &["json"], needs: &[], text: "import json\n" },
    Part { defines: &["math"], needs: &[], text: "import math\n" },
    Part { defines: &["datetime"], needs: &[], text: "from datetime import datetime\n" },
    Part { defines: &["date"], needs: &[], text: "from datetime import date\n" },
    Part { defines: &["timedelta"], needs: &[], text: "from datetime import timedelta\n" },
    Part { defines: &["timezone"], needs: &[], text: "from datetime import timezone\n" },
    Part { defines: &["Path"], needs: &[], text: "from pathlib import Path\n" },
    Part { defines: &["ToolError"], needs: &[], text: "ToolError = RuntimeError\n" },
    Part { defines: &["load_config"], needs: &[], text: "def load_config(*_): return config\n" },
    Part {
        defines: &["_attr", "_attr_or_none", "_getattr", "_hasattr"],
        needs: &[],
        text: include_str!("prelude/attribute.py"),
    },
    Part { defines: &["_bound", "_first"], needs: &[], text: include_str!("prelude/names.py") },
    Part { defines: &["_merge", "_merge_into"], needs: &[], text: include_str!("prelude/merge.py") },
    Part { defines: &["_re_sub"], needs: &[], text: include_str!("prelude/re_sub.py") },
    Part { defines: &["_percent"], needs: &[], text: include_str!("prelude/percent.py") },
    Part { defines: &["_utcnow", "_fromtimestamp"], needs: &[], text: include_str!("prelude/clock.py") },
];

/// The text that defines these names, ending with a line end.
///
/// # Errors
/// The first name that no part defines.
pub(super) fn assemble<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    let mut wanted = vec![false; PARTS.len()];
    let (defined, mut left): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| definitions::has(name));
    while let Some(name) = left.pop() {
        let Some(place) = PARTS.iter().position(|part| part.defines.contains(&name)) else {
            return Err(name.to_owned());
        };
        if !std::mem::replace(&mut wanted[place], true) {
            left.extend(PARTS[place].needs);
        }
    }
    let parts = PARTS.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(part, _)| part.text);
    Ok(parts.collect::<String>() + &definitions::text(defined))
}

/// The names among these words that some part defines.
pub(super) fn mentioned(code: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    let is_known =
        |name: &&str| definitions::has(name) || PARTS.iter().any(|part| part.defines.contains(name));
    // No name is that short, and a long text has many such words.
    code.split(word).filter(|name| name.len() > 1).filter(is_known)
}
