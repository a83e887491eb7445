//! `COPY … TO STDOUT`: the rows of a query as the bytes of a file, text, CSV or binary. Files of this machine are
//! neither read nor written.

use std::fmt::Debug;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, CopySource, CopyTarget, Ident, Statement,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion_postgres::pgwire::api::portal::Format as WireFormat;
use datafusion_postgres::pgwire::api::results::{QueryResponse, Tag};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use datafusion_postgres::pgwire::messages::data::DataRow;
use futures::{Sink, SinkExt, StreamExt};
use tokio_util::bytes::{BufMut, BytesMut};

use super::errors;

/// What a binary file begins with: a signature, no flags, no extension.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What a statement asks a file to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    format: Format,
    delimiter: u8,
    null: String,
    has_header: bool,
    quote: u8,
    escape: u8,
    /// The columns whose values are always quoted.
    quoted: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Csv,
    Binary,
}

/// Options as they are written today, and as they were.
#[derive(Clone)]
pub(super) struct Options(pub(super) Vec<CopyOption>, pub(super) Vec<CopyLegacyOption>);

/// Makes the table that is copied to a client a query for its rows. Gives whether there was such a table.
pub(super) fn ask_for_rows(statement: &mut Statement) -> Result<bool, ParserError> {
    let Statement::Copy { source, to: true, target: CopyTarget::Stdout, .. } = statement else {
        return Ok(false);
    };
    let CopySource::Table { table_name, columns } = source else { return Ok(false) };
    let columns: Vec<String> = columns.iter().map(Ident::to_string).collect();
    let columns = if columns.is_empty() { "*".into() } else { columns.join(", ") };
    let text = format!("SELECT {columns} FROM {table_name}");
    *source = CopySource::Query(Parser::new(&PostgreSqlDialect {}).try_with_sql(&text)?.parse_query()?);
    Ok(true)
}

impl Options {
    /// The form that they mean.
    pub(super) fn form(self) -> PgWireResult<Form> {
        let Options(mut options, old) = self;
        for option in old {
            options.extend(modern(option)?);
        }
        let named = options.iter().rev().find_map(|option| match option {
            CopyOption::Format(name) => Some(name.value.to_lowercase()),
            _ => None,
        });
        let mut form = Form::of(match named.as_deref() {
            None | Some("text") => Format::Text,
            Some("csv") => Format::Csv,
            Some("binary") => Format::Binary,
            Some(other) => return Err(invalid("22023", format!("COPY format \"{other}\" not recognized"))),
        });
        for option in options {
            form.set(option)?;
        }
        form.checked()
    }
}

impl Form {
    fn of(format: Format) -> Form {
        let (delimiter, null) = if format == Format::Csv { (b',', "") } else { (b'\t', "\\N") };
        let (null, quoted) = (null.to_string(), Vec::new());
        Form { format, delimiter, null, has_header: false, quote: b'"', escape: b'"', quoted }
    }

    fn set(&mut self, option: CopyOption) -> PgWireResult<()> {
        let is_csv = self.format == Format::Csv;
        match option {
            CopyOption::Format(_) | CopyOption::Freeze(false) | CopyOption::Header(false) => {}
            CopyOption::Encoding(name) if ["utf8", "utf-8"].contains(&name.to_lowercase().as_str()) => {}
            CopyOption::Delimiter(_) | CopyOption::Null(_) | CopyOption::Header(_)
                if self.format == Format::Binary =>
            {
                return Err(invalid("42601", format!("cannot specify {option} in BINARY mode")));
            }
            CopyOption::Delimiter(character) => self.delimiter = byte("delimiter", character)?,
            CopyOption::Null(text) => self.null = text,
            CopyOption::Header(true) => self.has_header = true,
            CopyOption::Quote(character) if is_csv => {
                // What escapes is the quote itself unless something else is said.
                if self.escape == self.quote {
                    self.escape = byte("escape", character)?;
                }
                self.quote = byte("quote", character)?;
            }
            CopyOption::Escape(character) if is_csv => self.escape = byte("escape", character)?,
            CopyOption::ForceQuote(columns) if is_csv => {
                self.quoted = columns.into_iter().map(|column| column.value).collect();
            }
            other => return Err(invalid("0A000", format!("COPY TO STDOUT does not know {other} here"))),
        }
        Ok(())
    }

    /// Itself, where its parts can be told from each other.
    fn checked(self) -> PgWireResult<Form> {
        let ends_lines = |byte: u8| byte == b'\n' || byte == b'\r';
        let is_mixed = match self.format {
            Format::Csv => self.delimiter == self.quote || self.null.as_bytes().contains(&self.quote),
            // What follows a backslash means something.
            _ => {
                let delimiter = self.delimiter;
                b"\\.".contains(&delimiter) || delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit()
            }
        };
        let is_mixed = is_mixed
            || ends_lines(self.delimiter)
            || self.null.bytes().any(|byte| ends_lines(byte) || byte == self.delimiter);
        match is_mixed {
            true => Err(invalid("22023", "COPY delimiter, quote and null string cannot be told apart")),
            false => Ok(self),
        }
    }

    /// The form in which values are asked of the encoder.
    pub(super) fn wire_format(&self) -> WireFormat {
        if self.format == Format::Binary { WireFormat::UnifiedBinary } else { WireFormat::UnifiedText }
    }

    /// Sends rows, and gives what is to be said of them when all are sent.
    pub(super) async fn send<C>(
        &self,
        client: &mut C,
        schema: &SchemaRef,
        mut rows: QueryResponse,
    ) -> PgWireResult<Tag>
    where
        C: Sink<PgWireBackendMessage> + Unpin,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        if let Some(unknown) = self.quoted.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(invalid("42703", format!("column \"{unknown}\" does not exist")));
        }
        let quoted: Vec<bool> = names.iter().map(|name| self.quoted.iter().any(|q| q == name)).collect();
        let code = i16::from(self.format == Format::Binary);
        let columns = i16::try_from(names.len()).unwrap_or(i16::MAX);
        let begin = CopyOutResponse::new(i8::from(code == 1), columns, vec![code; names.len()]);
        client.feed(PgWireBackendMessage::CopyOutResponse(begin)).await?;
        let (mut buffer, mut sent) = (BytesMut::new(), 0);
        if self.has_header {
            let values = names.iter().map(|name| Some(name.as_bytes()));
            self.line(&mut buffer, values, &vec![false; names.len()]);
            client.feed(data(&mut buffer)).await?;
        }
        if self.format == Format::Binary {
            // Clients look for it in the message of the first row.
            buffer.put_slice(SIGNATURE);
        }
        while let Some(row) = rows.data_rows().next().await {
            self.row(&mut buffer, &row?, &quoted);
            client.feed(data(&mut buffer)).await?;
            sent += 1;
        }
        if self.format == Format::Binary {
            buffer.put_i16(-1);
            client.feed(data(&mut buffer)).await?;
        }
        client.feed(PgWireBackendMessage::CopyDone(CopyDone::new())).await?;
        Ok(Tag::new("COPY").with_rows(sent))
    }

    fn row(&self, buffer: &mut BytesMut, row: &DataRow, quoted: &[bool]) {
        match self.format {
            Format::Binary => {
                buffer.put_i16(row.field_count);
                buffer.put_slice(&row.data);
            }
            _ => self.line(buffer, Values(&row.data), quoted),
        }
    }

    fn line<'v>(
        &self,
        buffer: &mut BytesMut,
        values: impl Iterator<Item = Option<&'v [u8]>>,
        quoted: &[bool],
    ) {
        for (at, (value, is_quoted)) in values.zip(quoted).enumerate() {
            if at > 0 {
                buffer.put_u8(self.delimiter);
            }
            match value {
                None => buffer.put_slice(self.null.as_bytes()),
                Some(value) if self.format == Format::Text => self.escaped(buffer, value),
                // A lone `\.` would be read as the end of the file.
                Some(value)
                    if *is_quoted || self.needs_quotes(value) || (quoted.len() == 1 && value == b"\\.") =>
                {
                    self.in_quotes(buffer, value);
                }
                Some(value) => buffer.put_slice(value),
            }
        }
        buffer.put_u8(b'\n');
    }

    fn needs_quotes(&self, value: &[u8]) -> bool {
        let parts = [self.delimiter, self.quote, b'\n', b'\r'];
        value == self.null.as_bytes() || value.iter().any(|byte| parts.contains(byte))
    }

    fn in_quotes(&self, buffer: &mut BytesMut, value: &[u8]) {
        buffer.put_u8(self.quote);
        for byte in value {
            if *byte == self.quote || *byte == self.escape {
                buffer.put_u8(self.escape);
            }
            buffer.put_u8(*byte);
        }
        buffer.put_u8(self.quote);
    }

    /// A value whose control characters, backslashes and delimiters are told from those of the file.
    fn escaped(&self, buffer: &mut BytesMut, value: &[u8]) {
        for byte in value {
            let letter = match byte {
                0x08 => b'b',
                0x0b => b'v',
                0x0c => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                byte if *byte == b'\\' || *byte == self.delimiter => *byte,
                byte => {
                    buffer.put_u8(*byte);
                    continue;
                }
            };
            buffer.put_slice(&[b'\\', letter]);
        }
    }
}

/// The values of a row as it is sent to clients: each behind its length, NULL as a negative one.
struct Values<'r>(&'r [u8]);

impl<'r> Iterator for Values<'r> {
    type Item = Option<&'r [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Some(None) };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(value))
    }
}

fn data(buffer: &mut BytesMut) -> PgWireBackendMessage {
    PgWireBackendMessage::CopyData(CopyData::new(buffer.split().freeze()))
}

/// An option as it was written before PostgreSQL 9.0, in the words of today.
fn modern(old: CopyLegacyOption) -> PgWireResult<Vec<CopyOption>> {
    Ok(match old {
        CopyLegacyOption::Binary => vec![CopyOption::Format(Ident::new("binary"))],
        CopyLegacyOption::Delimiter(character) => vec![CopyOption::Delimiter(character)],
        CopyLegacyOption::Null(text) => vec![CopyOption::Null(text)],
        CopyLegacyOption::Header => vec![CopyOption::Header(true)],
        CopyLegacyOption::Csv(options) => {
            let format = CopyOption::Format(Ident::new("csv"));
            let options = options.into_iter().map(|option| match option {
                CopyLegacyCsvOption::Header => CopyOption::Header(true),
                CopyLegacyCsvOption::Quote(character) => CopyOption::Quote(character),
                CopyLegacyCsvOption::Escape(character) => CopyOption::Escape(character),
                CopyLegacyCsvOption::ForceQuote(columns) => CopyOption::ForceQuote(columns),
                CopyLegacyCsvOption::ForceNotNull(columns) => CopyOption::ForceNotNull(columns),
            });
            [format].into_iter().chain(options).collect()
        }
        other => return Err(invalid("0A000", format!("COPY TO STDOUT does not know {other} here"))),
    })
}

fn byte(what: &str, character: char) -> PgWireResult<u8> {
    let byte = u8::try_from(character).ok().filter(u8::is_ascii);
    byte.ok_or_else(|| invalid("0A000", format!("COPY {what} must be a single one-byte character")))
}

fn invalid(code: &str, message: impl Into<String>) -> PgWireError {
    errors::coded("ERROR", code, message)
}

#[cfg(test)]
mod tests {
    //! Proves what a file of rows looks like, and which options are refused.

    use super::*;

    fn options(text: &str) -> Options {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap();
        match statements.remove(0) {
            Statement::Copy { options, legacy_options, .. } => Options(options, legacy_options),
            other => panic!("{other}"),
        }
    }

    /// The lines of two columns under the options of a statement.
    fn written(how: &str, rows: &[[Option<&str>; 2]]) -> String {
        let form = options(&format!("copy (select a, b from t) to stdout {how}")).form().unwrap();
        let mut buffer = BytesMut::new();
        for row in rows {
            form.line(&mut buffer, row.iter().map(|value| value.map(str::as_bytes)), &[false, true]);
        }
        String::from_utf8(buffer.to_vec()).unwrap()
    }

    const ROWS: [[Option<&str>; 2]; 2] = [[Some("a,\"b\"\t\\"), None], [Some(""), Some("c\nd")]];

    #[test]
    fn text_is_escaped_and_csv_is_quoted() {
        assert_eq!(written("", &ROWS), "a,\"b\"\\t\\\\\t\\N\n\tc\\nd\n");
        assert_eq!(written("with (delimiter '|', null '-')", &[[Some("a|b"), None]]), "a\\|b|-\n");
        assert_eq!(written("(format csv)", &ROWS), "\"a,\"\"b\"\"\t\\\",\n\"\",\"c\nd\"\n");
        assert_eq!(written("with csv delimiter ';' null 'x'", &[[Some("x"), None]]), "\"x\";x\n");
        let quotes = "(format csv, quote '''', escape '!')";
        assert_eq!(written(quotes, &[[Some("it's"), Some("a!")]]), "'it!'s','a!!'\n");
    }

    #[test]
    fn values_are_told_from_their_lengths() {
        let row = [&2i32.to_be_bytes()[..], b"ab", &(-1i32).to_be_bytes(), &0i32.to_be_bytes()].concat();
        assert_eq!(Values(&row).collect::<Vec<_>>(), [Some(&b"ab"[..]), None, Some(b"")]);
        let row = DataRow::new(BytesMut::from(&row[..]), 3);
        let form = options("copy (select 1) to stdout binary").form().unwrap();
        let mut buffer = BytesMut::new();
        form.row(&mut buffer, &row, &[]);
        assert_eq!(buffer, [&[0, 3], &row.data[..]].concat());
    }

    #[test]
    fn options_without_meaning_are_refused() {
        for (how, code) in [
            ("(format parquet)", "22023"),
            ("(format binary, header)", "42601"),
            ("(format csv, delimiter '\"')", "22023"),
            ("(delimiter 'a')", "22023"),
            ("(quote '!')", "0A000"),
            ("(encoding 'latin1')", "0A000"),
            ("gzip", "0A000"),
        ] {
            let PgWireError::UserError(info) =
                options(&format!("copy (select 1) to stdout {how}")).form().unwrap_err()
            else {
                panic!("{how}")
            };
            assert_eq!(info.code, code, "{how}");
        }
    }

    #[test]
    fn a_table_is_copied_by_a_query() {
        let text = "COPY gold.\"R fm\" (a, \"B\") TO STDOUT";
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap().remove(0);
        assert!(ask_for_rows(&mut statement).unwrap());
        assert_eq!(statement.to_string(), "COPY (SELECT a, \"B\" FROM gold.\"R fm\") TO STDOUT");
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, "COPY a TO 'b'").unwrap().remove(0);
        assert!(!ask_for_rows(&mut statement).unwrap());
    }
}
