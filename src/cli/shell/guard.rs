//! What statements of the shell may do: read the lake, name things for the session, set its settings, and copy answers
//! into files outside of the lake.

use std::path::{Component, Path, PathBuf};

use datafusion::catalog::CatalogProvider;
use datafusion::common::TableReference;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement, TableType};
use lake::engine::Catalogue;
use lake::error::{Error, Result};
use lake::run::{Lake, reads_only};
use url::Url;

/// An error if a plan would change more than the session.
pub fn check(lake: &Lake, catalogue: &Catalogue, plan: &LogicalPlan) -> Result<()> {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
            check_name(catalogue, &view.name, view.or_replace)?;
            reads_only(&view.input)
        }
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table)) => {
            check_name(catalogue, &table.name, table.or_replace || table.if_not_exists)
        }
        LogicalPlan::Ddl(DdlStatement::DropView(drop)) => {
            check_drop(catalogue, &drop.name, drop.if_exists, TableType::View)
        }
        LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => {
            check_drop(catalogue, &drop.name, drop.if_exists, TableType::Base)
        }
        LogicalPlan::Copy(copy) => {
            check_outside(lake, &copy.output_url)?;
            reads_only(&copy.input)
        }
        LogicalPlan::Statement(Statement::Prepare(prepare)) => reads_only(&prepare.input),
        LogicalPlan::Statement(
            Statement::SetVariable(_)
            | Statement::ResetVariable(_)
            | Statement::Execute(_)
            | Statement::Deallocate(_),
        ) => Ok(()),
        plan => reads_only(plan),
    }
}

/// What a plan that changes the session does to it, in words; none for one that answers with rows.
pub fn change(plan: &LogicalPlan) -> Option<String> {
    Some(match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
            format!("view {} is there for this session", full(&view.name))
        }
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table)) => {
            format!("table {} is there for this session", full(&table.name))
        }
        LogicalPlan::Ddl(DdlStatement::DropView(drop)) => format!("dropped {}", full(&drop.name)),
        LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => format!("dropped {}", full(&drop.name)),
        LogicalPlan::Statement(Statement::SetVariable(set)) => {
            format!("{} is {}", set.variable, set.value)
        }
        LogicalPlan::Statement(Statement::ResetVariable(reset)) => {
            format!("{} is what it was", reset.variable)
        }
        LogicalPlan::Statement(Statement::Prepare(prepare)) => format!("prepared {}", prepare.name),
        LogicalPlan::Statement(Statement::Deallocate(forgotten)) => format!("forgot {}", forgotten.name),
        _ => return None,
    })
}

/// A name with its schema.
fn full(name: &TableReference) -> String {
    format!("{}.{}", name.schema().unwrap_or("gold"), name.table())
}

/// What stands for a name: of the lake, of the session with its type, or nothing.
enum Meaning {
    Lake,
    Session(TableType),
    Nothing,
}

fn meaning(catalogue: &Catalogue, name: &TableReference) -> Result<Meaning> {
    let schema = name.schema().unwrap_or("gold");
    if let Some(provider) = catalogue.of_session(schema, name.table()) {
        return Ok(Meaning::Session(provider.table_type()));
    }
    match catalogue.schema(schema) {
        None => Err(Error::invalid(format!("there is no schema `{schema}`"))
            .hint(format!("schemas are {}", catalogue.schema_names().join(", ")))),
        Some(provider) if provider.table_exist(name.table()) => Ok(Meaning::Lake),
        Some(_) => Ok(Meaning::Nothing),
    }
}

/// An error if the session cannot give a name to something new.
fn check_name(catalogue: &Catalogue, name: &TableReference, may_exist: bool) -> Result<()> {
    match meaning(catalogue, name)? {
        Meaning::Nothing => Ok(()),
        Meaning::Session(_) if may_exist => Ok(()),
        Meaning::Session(_) => Err(Error::invalid(format!("`{}` is there already", full(name)))
            .hint("write `create or replace`, or drop it first")),
        Meaning::Lake => Err(of_lake(name)),
    }
}

/// An error if a name is not one of the session's to be dropped.
fn check_drop(
    catalogue: &Catalogue,
    name: &TableReference,
    may_lack: bool,
    dropped: TableType,
) -> Result<()> {
    match meaning(catalogue, name)? {
        Meaning::Session(is) if is == dropped => Ok(()),
        Meaning::Session(TableType::View) => {
            Err(Error::invalid(format!("`{}` is a view", full(name))).hint("write `drop view`"))
        }
        Meaning::Session(_) => {
            Err(Error::invalid(format!("`{}` is no view", full(name))).hint("write `drop table`"))
        }
        Meaning::Nothing if may_lack => Ok(()),
        Meaning::Nothing => Err(Error::invalid(format!("this session has named nothing `{}`", full(name)))),
        Meaning::Lake => Err(of_lake(name)),
    }
}

fn of_lake(name: &TableReference) -> Error {
    Error::invalid(format!("`{}` is of the lake, and SQL only reads that here", full(name))).hint(
        "tables are made by the jobs in sql/ and `lake run`; what this session names needs another name",
    )
}

/// An error if a file would be written below the root of the lake.
pub fn check_outside(lake: &Lake, target: &str) -> Result<()> {
    match is_below(&lake.store.location(), target) {
        false => Ok(()),
        true => Err(Error::invalid(format!("`{target}` lies in the lake, which only runs write"))
            .hint("name a file outside of it")),
    }
}

/// Whether `target`, a path or a URL, lies at or below `root`, which is either too.
fn is_below(root: &str, target: &str) -> bool {
    match (local(root), local(target)) {
        (Some(root), Some(target)) => resolved(&target).starts_with(resolved(&root)),
        (None, None) => {
            let root = root.trim_end_matches('/');
            target.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        _ => false,
    }
}

/// The path of what lies on this machine.
fn local(place: &str) -> Option<PathBuf> {
    match Url::parse(place) {
        Ok(url) if !Path::new(place).is_absolute() => match url.scheme() {
            "file" => url.to_file_path().ok(),
            _ => None,
        },
        _ => Some(place.into()),
    }
}

/// A path without `..` and links, as far as there is something there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    for above in plain.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize(), plain.strip_prefix(above)) {
            return real.join(rest);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    //! Proves which places lie in a lake, however they are written.

    use super::*;

    #[test]
    fn a_place_in_the_lake_is_known_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lakehouse");
        std::fs::create_dir(&root).unwrap();
        let below = |target: &str| is_below(root.to_str().unwrap(), target);
        let in_root = root.join("gold/x.csv");
        assert!(below(in_root.to_str().unwrap()) && below(root.to_str().unwrap()));
        assert!(below(&format!("file://{}", in_root.display())));
        assert!(below(folder.path().join("a/../lakehouse/x.csv").to_str().unwrap()));
        assert!(!below(folder.path().join("lakehouse.csv").to_str().unwrap()) && !below("x.csv"));
        assert!(!below("s3://bucket/x.csv"));
        assert!(is_below("s3://bucket/lake/", "s3://bucket/lake/x.csv"));
        assert!(!is_below("s3://bucket/lake/", "s3://bucket/lakes/x.csv"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_into_the_lake_leads_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lakehouse");
        std::fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink(&root, folder.path().join("link")).unwrap();
        let target = folder.path().join("link/x.csv");
        assert!(is_below(root.to_str().unwrap(), target.to_str().unwrap()));
    }
}
