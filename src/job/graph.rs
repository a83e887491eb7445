//! The dependency graph of tables, as the jobs' SQL draws it.

use std::collections::{BTreeMap, BTreeSet};

use super::Job;
use crate::config::with_nearest;
use crate::contract::TableName;
use crate::error::{Error, Result};

/// Who reads whom.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    parents: BTreeMap<TableName, BTreeSet<TableName>>,
    order: Vec<TableName>,
}

impl Graph {
    /// Draws the graph of `jobs`; tables without a job are its roots. A cycle is an error that names it.
    pub fn new<'a>(jobs: impl Iterator<Item = &'a Job>) -> Result<Graph> {
        let mut parents: BTreeMap<TableName, BTreeSet<TableName>> = BTreeMap::new();
        for job in jobs {
            for parent in job.reads() {
                parents.entry(parent).or_default();
            }
            parents.entry(job.name.clone()).or_default().extend(job.reads());
        }
        let mut graph = Graph { parents, order: Vec::new() };
        let names: Vec<TableName> = graph.parents.keys().cloned().collect();
        for name in names {
            graph.visit(&name, &mut Vec::new())?;
        }
        Ok(graph)
    }

    /// Every table after all the tables it reads; ties in the order of names.
    pub fn order(&self) -> &[TableName] {
        &self.order
    }

    /// The tables that `name` reads.
    pub fn parents(&self, name: &TableName) -> impl Iterator<Item = &TableName> {
        self.parents.get(name).into_iter().flatten()
    }

    /// The tables that read `name`.
    pub fn children<'a>(&'a self, name: &'a TableName) -> impl Iterator<Item = &'a TableName> {
        self.parents.iter().filter(|(_, parents)| parents.contains(name)).map(|(child, _)| child)
    }

    /// `names` and everything they are made from.
    pub fn with_ancestors(&self, names: impl IntoIterator<Item = TableName>) -> BTreeSet<TableName> {
        closure(names, |name| self.parents(name).cloned().collect())
    }

    /// The tables, of those that `exists` knows, that a selection means: `gold.rfm`, `gold.*`, `gold.rfm+` (and all that is made from it),
    /// several joined by commas.
    pub fn select(
        &self,
        selection: &str,
        exists: impl Fn(&TableName) -> bool,
    ) -> Result<BTreeSet<TableName>> {
        let mut selected = BTreeSet::new();
        for part in selection.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (pattern, descend) = part.strip_suffix('+').map_or((part, false), |pattern| (pattern, true));
            let matched = self.matching(pattern, &exists)?;
            match descend {
                false => selected.extend(matched),
                true => selected.extend(
                    closure(matched, |name| self.children(name).cloned().collect())
                        .into_iter()
                        .filter(&exists),
                ),
            }
        }
        if selected.is_empty() {
            return Err(
                Error::invalid("the selection is empty").hint("name tables, as in `--select gold.rfm`")
            );
        }
        Ok(selected)
    }

    fn matching(&self, pattern: &str, exists: &impl Fn(&TableName) -> bool) -> Result<Vec<TableName>> {
        let glob = glob::Pattern::new(pattern)
            .map_err(|e| Error::invalid(format!("the selection `{pattern}` cannot be read: {}", e.msg)))?;
        let matched: Vec<_> =
            self.order.iter().filter(|n| exists(n) && glob.matches(&n.to_string())).cloned().collect();
        if matched.is_empty() {
            let names: Vec<String> =
                self.order.iter().filter(|n| exists(n)).map(ToString::to_string).collect();
            let error = Error::invalid(format!("the selection `{pattern}` matches no table"));
            return Err(with_nearest(error, pattern, names.iter().map(String::as_str)));
        }
        Ok(matched)
    }

    fn visit(&mut self, name: &TableName, path: &mut Vec<TableName>) -> Result<()> {
        if self.order.contains(name) {
            return Ok(());
        }
        if let Some(start) = path.iter().position(|step| step == name) {
            let mut cycle: Vec<String> = path[start..].iter().map(|n| format!("`{n}`")).collect();
            cycle.push(format!("`{name}`"));
            return Err(Error::invalid("the jobs read each other in a circle")
                .detail(cycle.join(" reads "))
                .hint("take one of these tables out of the query that closes the circle"));
        }
        path.push(name.clone());
        for parent in self.parents.get(name).cloned().unwrap_or_default() {
            self.visit(&parent, path)?;
        }
        path.pop();
        self.order.push(name.clone());
        Ok(())
    }
}

/// `names` and everything reached from them by `step`.
fn closure(
    names: impl IntoIterator<Item = TableName>,
    step: impl Fn(&TableName) -> Vec<TableName>,
) -> BTreeSet<TableName> {
    let (mut found, mut queue) = (BTreeSet::new(), Vec::from_iter(names));
    while let Some(name) = queue.pop() {
        if found.insert(name.clone()) {
            queue.extend(step(&name));
        }
    }
    found
}
