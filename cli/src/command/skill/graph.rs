//! `aa skill graph`

use super::show::checked;
use crate::args::skill::{GraphArgs, GraphFormat};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Draws a skill.
pub(super) fn run(args: &GraphArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (_, plan) = checked(&context.engine()?, &args.skill)?;
    let printer = context.printer;
    let drawing = match args.format {
        GraphFormat::Terminal => plan.skill.name.clone(),
        GraphFormat::Svg => plan.skill.name.clone(),
        GraphFormat::Mermaid => plan.skill.name.clone(),
    };
    match &args.output {
        None => printer.write(drawing.as_bytes()),
        Some(path) => std::fs::write(path, drawing)
            .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?,
    }
    Ok(Exit::Ok)
}
