//! Patterns of mappings: the query engine quotes one that it cannot read, and does not know which file it is from.

use super::Step;
use crate::error::Error;
use crate::project::Project;

/// What the regular expressions of the engine say before they quote the pattern, in a line of its own.
const QUOTES: &str = "regex parse error:";

/// The error of a step; one about a pattern names the line of the mapping that the pattern is from.
pub(super) fn located(project: &Project, step: &Step, error: Error) -> Error {
    let text = error.to_string();
    let mut lines = text.lines().skip_while(|line| !line.ends_with(QUOTES)).skip(1).map(str::trim);
    // The letters may have lost their case on the way.
    let Some(pattern) = lines.next().map(str::to_lowercase).filter(|pattern| !pattern.is_empty()) else {
        return error;
    };
    let reason = lines.find_map(|line| line.strip_prefix("error: ")).unwrap_or("it is no pattern");
    let jobs = step.view.iter().chain(&step.tables).filter_map(|name| project.jobs.get(name));
    for mapping in jobs.flat_map(|job| job.reads()).filter_map(|read| project.mappings.get(&read)) {
        let mut lines = mapping.text.lines().zip(1..);
        if let Some((line, number)) = lines.find(|(line, _)| line.to_lowercase().contains(&pattern)) {
            return Error::invalid(format!("a pattern of `{}` cannot be read: {reason}", mapping.name))
                .detail(format!("at {}:{number}", mapping.path.display()))
                .detail(format!("{number:>4} | {line}"));
        }
    }
    error
}
