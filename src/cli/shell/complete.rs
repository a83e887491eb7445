//! What can stand where the cursor is: keywords, schemas, tables, columns, functions, commands and what these take.

use std::collections::BTreeMap;

use clap::ValueEnum;
use datafusion::catalog::CatalogProvider;
use lake::contract::TableName;
use lake::run::{Lake, Session};

use super::meta::COMMANDS;
use super::split::{Piece, pieces};
use crate::cli::sql::Format;

/// The keywords of what can be asked.
const KEYWORDS: &str = "\
    all analyze and any array as asc between bigint boolean by case cast copy create cross csv current \
    date deallocate decimal desc describe distinct double drop else end escape except exclude execute \
    exists explain external extract false filter first following for from full group grouping having \
    history if ilike in inner int intersect interval is join json last lateral left like limit location \
    natural not null nulls of offset on options or order outer over parquet partition preceding prepare \
    qualify range recursive replace right row rows select set show stored table tables then timestamp to \
    true unbounded union using values version view when where with";

/// Whether a word, in capitals or not, is one of the keywords.
pub fn is_keyword(word: &str) -> bool {
    KEYWORDS.split(' ').any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// The words that a session knows.
#[derive(Debug, Default)]
pub struct Words {
    /// The columns of each table, by `schema.table`.
    pub tables: BTreeMap<String, Vec<String>>,
    /// The functions of all kinds.
    pub functions: Vec<String>,
    /// The questions of `sql/analyses`.
    pub analyses: Vec<String>,
}

impl Words {
    /// The words of a session. No table of the lake is opened for them: contracts name the columns.
    pub async fn of(lake: &Lake, session: &Session<'_>) -> Words {
        let mut words = Words::default();
        let catalogue = &session.catalogue;
        for schema in catalogue.schema_names() {
            let Some(provider) = catalogue.schema(&schema) else { continue };
            for table in provider.table_names() {
                let full = format!("{schema}.{table}");
                let contract = TableName::parse(&full).and_then(|name| lake.contract_of(&name).ok());
                let columns = match contract {
                    Some(contract) => contract.columns.into_iter().map(|column| column.name).collect(),
                    None => match provider.table(&table).await {
                        Ok(Some(table)) => table.schema().fields().iter().map(|f| f.name().clone()).collect(),
                        _ => Vec::new(),
                    },
                };
                words.tables.insert(full, columns);
            }
        }
        let state = session.context.state();
        words.functions.extend(state.scalar_functions().keys().cloned());
        words.functions.extend(state.aggregate_functions().keys().cloned());
        words.functions.extend(state.window_functions().keys().cloned());
        words.functions.extend(state.table_functions().keys().cloned());
        words.analyses.extend(lake.project.analyses.keys().cloned());
        words
    }

    /// What can stand at the byte `at` of a line, and where in it that begins; `before` is what was typed of the
    /// statement in the lines before.
    pub fn complete(&self, before: &str, line: &str, at: usize) -> (usize, Vec<String>) {
        let head = &line[..at];
        if before.is_empty() && head.trim_start().starts_with('\\') {
            return self.of_command(head);
        }
        let typed = format!("{before}{head}");
        if matches!(pieces(&typed).last(), Some((_, Piece::Begun(_, Some(_))))) {
            return (at, Vec::new());
        }
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let word = &head[head.trim_end_matches(is_of_word).len()..];
        let previous = typed[..typed.len() - word.len()].trim_end();
        let previous = &previous[previous.trim_end_matches(is_of_word).len()..];
        let is_of_table =
            ["from", "join", "table", "describe", "history"].iter().any(|w| previous.eq_ignore_ascii_case(w));
        let found = match word.rsplit_once('.') {
            Some((left, _)) if !self.is_schema(left) => {
                matching(self.columns_of(left, &format!("{before}{line}")), word)
            }
            Some(_) => self.tables_by(word),
            None if is_of_table => self.tables_by(word),
            None => matching(self.anything(word, &format!("{before}{line}")), word),
        };
        (at - word.len(), found)
    }

    /// What can stand in a command: its name, or what it takes. Files are another's business.
    fn of_command(&self, head: &str) -> (usize, Vec<String>) {
        let start = head.rfind(|c: char| c == '\\' || c.is_ascii_whitespace()).map_or(0, |at| at + 1);
        let word = &head[start..];
        let mut words = head.trim_start().trim_start_matches('\\').split_whitespace();
        let name = words.next().unwrap_or_default();
        let found = match name {
            _ if head[..start].trim() == "\\" => {
                COMMANDS.iter().map(|command| command.0.to_string()).collect()
            }
            "d" | "dt" | "history" => return (start, self.tables_by(word)),
            "i" => self.analyses.clone(),
            "timing" | "pager" => vec!["on".into(), "off".into()],
            "format" => Format::value_variants()
                .iter()
                .filter_map(|format| Some(format.to_possible_value()?.get_name().to_string()))
                .collect(),
            _ => Vec::new(),
        };
        (start, matching(found, word))
    }

    fn is_schema(&self, name: &str) -> bool {
        self.tables
            .keys()
            .any(|table| table.split('.').next().is_some_and(|schema| schema.eq_ignore_ascii_case(name)))
    }

    /// The tables whose full name or own name begins so.
    fn tables_by(&self, word: &str) -> Vec<String> {
        let word = word.to_lowercase();
        let own = |table: &str| table.split_once('.').is_some_and(|(_, own)| own.starts_with(&word));
        let mut tables: Vec<String> = self
            .tables
            .keys()
            .filter(|table| table.starts_with(&word) || own(table.as_str()))
            .cloned()
            .collect();
        // What begins otherwise takes the place of the word, unless something begins as it does.
        if tables.iter().any(|table| table.starts_with(&word)) {
            tables.retain(|table| table.starts_with(&word));
        }
        tables
    }

    /// The columns behind a table's name or another name for it in `text`, each with that before it.
    fn columns_of(&self, left: &str, text: &str) -> Vec<String> {
        let columns = self.named(text).get(&left.to_lowercase()).copied();
        columns.into_iter().flatten().map(|column| format!("{left}.{column}")).collect()
    }

    /// What can stand where anything can: of columns, those of the tables that `text` names, if it names any.
    fn anything(&self, word: &str, text: &str) -> Vec<String> {
        let named = self.named(text);
        let columns: Vec<&Vec<String>> =
            if named.is_empty() { self.tables.values().collect() } else { named.into_values().collect() };
        let mut found: Vec<String> = columns.into_iter().flatten().cloned().collect();
        if word.is_empty() {
            return if text.trim().is_empty() { Vec::new() } else { found };
        }
        let is_loud = word.chars().any(char::is_uppercase);
        let keywords = KEYWORDS.split(' ');
        found.extend(keywords.map(|word| if is_loud { word.to_uppercase() } else { word.to_string() }));
        found.extend(self.functions.iter().map(|function| format!("{function}(")));
        found.extend(self.tables.keys().cloned());
        found
    }

    /// The columns of the tables that a text names, by each name that stands for one there.
    fn named(&self, text: &str) -> BTreeMap<String, &Vec<String>> {
        let tokens = tokens(text);
        let mut named = BTreeMap::new();
        for (at, token) in tokens.iter().enumerate() {
            let name = token.to_lowercase();
            let full = if name.contains('.') { name } else { format!("gold.{name}") };
            let Some(columns) = self.tables.get(&full) else { continue };
            let own = full.split('.').next_back().unwrap_or_default().to_string();
            let mut behind = tokens[at + 1..].iter().skip_while(|token| token.eq_ignore_ascii_case("as"));
            let alias =
                behind.next().filter(|alias| alias.starts_with(char::is_alphabetic) && !is_keyword(alias));
            named.extend(alias.map(|alias| (alias.to_lowercase(), columns)));
            named.extend([(own, columns), (full, columns)]);
        }
        named
    }
}

/// The words of a text, points in them included, and all else but blanks, a character each.
fn tokens(text: &str) -> Vec<&str> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match rest.find(|c: char| !is_of_word(c)) {
            Some(0) => first.len_utf8(),
            Some(length) => length,
            None => rest.len(),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Those that begin with a word, in capitals or not; sorted, each once.
fn matching(mut found: Vec<String>, word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    found.retain(|text| text.to_lowercase().starts_with(&word));
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    //! Proves what is offered where.

    use super::*;

    fn words() -> Words {
        let columns = |names: &str| names.split(' ').map(String::from).collect::<Vec<_>>();
        let tables = [
            ("gold.rfm", "customer_id segment"),
            ("gold.rfm_segments", "segment customers"),
            ("silver.customers", "customer_id country"),
        ];
        Words {
            tables: tables.into_iter().map(|(table, names)| (table.to_string(), columns(names))).collect(),
            functions: vec!["sum".into(), "substr".into()],
            analyses: vec!["best_days".into(), "whales".into()],
        }
    }

    /// What is offered at the bar.
    fn offered(text: &str) -> Vec<String> {
        let (before, line) =
            text.rsplit_once('\n').map_or(("", text), |(_, line)| (&text[..text.len() - line.len()], line));
        let at = line.find('|').unwrap();
        words().complete(before, &line.replacen('|', "", 1), at).1
    }

    #[test]
    fn tables_stand_behind_from() {
        assert_eq!(offered("select * from gold.|"), ["gold.rfm", "gold.rfm_segments"]);
        assert_eq!(offered("select * FROM si|"), ["silver.customers"]);
        assert_eq!(offered("select * from rfm_|"), ["gold.rfm_segments"]);
        assert_eq!(offered("select * from\n|").len(), 3);
    }

    #[test]
    fn columns_are_those_of_the_tables_named() {
        assert_eq!(
            offered("select c| from gold.rfm"),
            ["case", "cast", "copy", "create", "cross", "csv", "current", "customer_id"]
        );
        assert_eq!(offered("select | from silver.customers"), ["country", "customer_id"]);
        assert_eq!(offered("select r.| from gold.rfm as r"), ["r.customer_id", "r.segment"]);
        assert_eq!(offered("select *\nfrom rfm r join silver.customers c on c.co|"), ["c.country"]);
        assert_eq!(offered("select rfm.s| from rfm"), ["rfm.segment"]);
        assert_eq!(offered("select coun|"), ["country"]);
    }

    #[test]
    fn functions_and_keywords_follow_the_beginning_of_a_word() {
        assert_eq!(offered("select su|"), ["substr(", "sum("]);
        assert_eq!(offered("SEL|"), ["SELECT"]);
        assert_eq!(offered("sel|"), ["select"]);
        assert!(offered("|").is_empty() && offered("select 'su|").is_empty());
    }

    #[test]
    fn commands_and_what_they_take_are_offered() {
        assert_eq!(offered("\\d|"), ["d", "dt"]);
        assert_eq!(offered("\\history rfm_|"), ["gold.rfm_segments"]);
        assert_eq!(offered("\\i wh|"), ["whales"]);
        assert_eq!(offered("\\format j|"), ["json"]);
        assert_eq!(offered("\\timing |"), ["off", "on"]);
    }
}
