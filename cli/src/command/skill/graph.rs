//! `aa skill graph`

use aa_run::cause::cause;
use aa_spec::graph;

use super::show::checked;
use crate::args::skill::{GraphArgs, GraphFormat};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Draws a skill.
pub(super) fn run(args: &GraphArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (_, plan) = checked(&context.engine()?, &args.skill)?;
    let printer = context.printer;
    let drawing = match args.format {
        GraphFormat::Terminal => graph::terminal(&plan.skill, printer.out_columns().unwrap_or(100)),
        GraphFormat::Svg => graph::svg(&plan.skill, &graph::Marks::new()),
        GraphFormat::Mermaid => graph::mermaid(&plan.skill),
    };
    match &args.output {
        None => printer.write(drawing.as_bytes()),
        Some(path) => std::fs::write(path, drawing).map_err(|error| {
            Failure::failed(format!("cannot write `{}`: {}", path.display(), cause(&error)))
        })?,
    }
    Ok(Exit::Ok)
}
