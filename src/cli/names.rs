//! What users call tables and publications, and what is said about names that mean nothing.

use chrono::NaiveDate;
use lake::contract::TableName;
use lake::error::Result;
use lake::project::Project;

/// The table that a command's argument names; whether it has been built is not asked.
pub fn table_name(project: &Project, name: &str) -> Result<TableName> {
    match TableName::parse(name) {
        Some(table) if !project.is_view(&table) => Ok(table),
        _ => Err(project.unknown_name(name)),
    }
}

/// Reads what stands for a publication: a run's id or the beginning of it, a day, an instant, or `as-of-DATE`.
/// Whether there is such a publication is not asked.
pub fn publication(text: &str) -> std::result::Result<String, String> {
    let is_of_id = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let is_id = !text.is_empty() && text.bytes().enumerate().all(is_of_id);
    let day = text.strip_prefix("as-of-").unwrap_or(text).split([' ', 'T', 't']).next();
    let is_day = day.is_some_and(|day| day.parse::<NaiveDate>().is_ok());
    match is_id || is_day {
        true => Ok(text.into()),
        false => Err("it is no run's id or the beginning of one, and no day or instant, such as 2026-01-31 \
                      or 2026-01-31T12:00:00Z"
            .into()),
    }
}

/// Reads how many of a list are shown.
pub fn limit(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least 1 is shown".into()),
        Ok(limit) => Ok(limit),
        Err(e) => Err(format!("{e}")),
    }
}

#[cfg(test)]
mod tests {
    //! Proves what can stand for a publication.

    use super::*;

    #[test]
    fn runs_days_and_instants_are_told_from_other_texts() {
        let run = "01a1ff43-8b5d-7fe1-822c-c010e1d4ff2f";
        for text in [
            run,
            &run[..4],
            &run[..9],
            "2026-01-31",
            "2026-01-31 12:00",
            "2026-01-31T12:00:00.123456Z",
            "as-of-2011-06-01",
        ] {
            assert_eq!(publication(text).as_deref(), Ok(text));
        }
        for text in ["", "yesterday", "2026-02-30", "2026-13-01T00:00:00Z", "as-of-june", "01a1ff438"] {
            assert!(publication(text).is_err(), "{text}");
        }
    }
}
