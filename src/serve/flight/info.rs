//! What the server says of itself and of its SQL, as drivers ask for it.

use std::collections::BTreeMap;

use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
    SqlSupportedGroupBy, SqlSupportedResultSetConcurrency, SqlSupportedResultSetType, SqlSupportedSubqueries,
    SqlSupportedTransaction, SqlSupportedUnions, SqlSupportsConvert, SqlTransactionIsolationLevel,
    SupportedSqlGrammar, XdbcDataType, XdbcDatetimeSubcode,
};
use datafusion::arrow::ARROW_VERSION;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

use crate::engine::Catalogue;
use crate::serve::Reader;

/// All that GetSqlInfo may ask for.
pub fn sql_info(reader: &Reader) -> Result<SqlInfoData, FlightError> {
    let mut all = SqlInfoDataBuilder::new();
    // No length and no number of anything is bounded, but by the size of a message.
    for bound in SqlInfo::SqlMaxBinaryLiteralLength as u32..=SqlInfo::SqlMaxUsernameLength as u32 {
        all.append(bound, 0_i64);
    }
    texts(&mut all);
    truths(&mut all);
    numbers(&mut all, reader);
    functions(&mut all, &reader.lake.engine.session(Catalogue::new()));
    all.append(SqlInfo::SqlSupportsConvert, conversions());
    all.build()
}

fn texts(all: &mut SqlInfoDataBuilder) {
    for (info, text) in [
        (SqlInfo::FlightSqlServerName, "lake"),
        (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
        (SqlInfo::FlightSqlServerArrowVersion, ARROW_VERSION),
        (SqlInfo::SqlIdentifierQuoteChar, "\""),
        (SqlInfo::SqlSearchStringEscape, "\\"),
        (SqlInfo::SqlExtraNameCharacters, ""),
        (SqlInfo::SqlCatalogTerm, "catalog"),
        (SqlInfo::SqlSchemaTerm, "layer"),
        (SqlInfo::SqlProcedureTerm, "procedure"),
    ] {
        all.append(info, text);
    }
    all.append(SqlInfo::SqlKeywords, ALL_KEYWORDS);
}

/// What is the case, and what is not: this server only reads.
fn truths(all: &mut SqlInfoDataBuilder) {
    let is = [
        SqlInfo::FlightSqlServerReadOnly,
        SqlInfo::FlightSqlServerSql,
        SqlInfo::FlightSqlServerCancel,
        SqlInfo::SqlAllTablesAreSelectable,
        SqlInfo::SqlSupportsColumnAliasing,
        SqlInfo::SqlNullPlusNullIsNull,
        SqlInfo::SqlSupportsTableCorrelationNames,
        SqlInfo::SqlSupportsExpressionsInOrderBy,
        SqlInfo::SqlSupportsOrderByUnrelated,
        SqlInfo::SqlSupportsLikeEscapeClause,
        SqlInfo::SqlSupportsNonNullableColumns,
        SqlInfo::SqlCatalogAtStart,
        SqlInfo::SqlCorrelatedSubqueriesSupported,
        SqlInfo::SqlMaxRowSizeIncludesBlobs,
    ];
    let is_not = [
        SqlInfo::FlightSqlServerSubstrait,
        SqlInfo::FlightSqlServerBulkIngestion,
        SqlInfo::FlightSqlServerIngestTransactionsSupported,
        SqlInfo::SqlDdlCatalog,
        SqlInfo::SqlDdlSchema,
        SqlInfo::SqlDdlTable,
        SqlInfo::SqlSupportsDifferentTableCorrelationNames,
        SqlInfo::SqlSupportsIntegrityEnhancementFacility,
        SqlInfo::SqlSelectForUpdateSupported,
        SqlInfo::SqlStoredProceduresSupported,
        SqlInfo::SqlTransactionsSupported,
        SqlInfo::SqlDataDefinitionCausesTransactionCommit,
        SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
        SqlInfo::SqlBatchUpdatesSupported,
        SqlInfo::SqlSavepointsSupported,
        SqlInfo::SqlNamedParametersSupported,
        SqlInfo::SqlLocatorsUpdateCopy,
        SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
    ];
    is.into_iter().for_each(|info| all.append(info, true));
    is_not.into_iter().for_each(|info| all.append(info, false));
}

fn numbers(all: &mut SqlInfoDataBuilder, reader: &Reader) {
    let seconds = reader.lake.project.config.settings.serve.statement_timeout_seconds;
    let timeout = i32::try_from(seconds.saturating_mul(1_000)).unwrap_or(i32::MAX);
    let lower = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    let exact = SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32;
    let forward = 1 << SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32;
    let reading = 1 << SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32;
    let group_by = [SqlSupportedGroupBy::SqlGroupByUnrelated, SqlSupportedGroupBy::SqlGroupByBeyondSelect];
    let grammar = [SupportedSqlGrammar::SqlMinimumGrammar, SupportedSqlGrammar::SqlCoreGrammar];
    let subqueries = [
        SqlSupportedSubqueries::SqlSubqueriesInComparisons,
        SqlSupportedSubqueries::SqlSubqueriesInExists,
        SqlSupportedSubqueries::SqlSubqueriesInIns,
    ];
    let joins =
        [SqlOuterJoinsSupportLevel::SqlLimitedOuterJoins, SqlOuterJoinsSupportLevel::SqlFullOuterJoins];
    let unions = [SqlSupportedUnions::SqlUnion, SqlSupportedUnions::SqlUnionAll];
    for (info, number) in [
        (SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32),
        (SqlInfo::FlightSqlServerStatementTimeout, timeout),
        (SqlInfo::FlightSqlServerTransactionTimeout, 0),
        (SqlInfo::SqlIdentifierCase, lower),
        // Quoted names mean themselves, for which there is no word.
        (SqlInfo::SqlQuotedIdentifierCase, exact),
        (SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32),
        (SqlInfo::SqlSupportedGroupBy, bits(group_by.map(|g| g as i32))),
        (SqlInfo::SqlSupportedGrammar, bits(grammar.map(|g| g as i32))),
        // Entry level, the first bit.
        (SqlInfo::SqlAnsi92SupportedLevel, 1),
        (SqlInfo::SqlOuterJoinsSupportLevel, bits(joins.map(|j| j as i32))),
        (SqlInfo::SqlSchemasSupportedActions, 0),
        (SqlInfo::SqlCatalogsSupportedActions, 0),
        (SqlInfo::SqlSupportedPositionedCommands, 0),
        (SqlInfo::SqlSupportedSubqueries, bits(subqueries.map(|s| s as i32))),
        (SqlInfo::SqlSupportedUnions, bits(unions.map(|u| u as i32))),
        (SqlInfo::SqlDefaultTransactionIsolation, SqlTransactionIsolationLevel::SqlTransactionNone as i32),
        (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0),
        (SqlInfo::SqlSupportedResultSetTypes, forward),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, reading),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
    ] {
        all.append(info, number);
    }
}

/// A mask with these bits set.
fn bits<const N: usize>(places: [i32; N]) -> i32 {
    places.into_iter().fold(0, |mask, place| mask | 1 << place)
}

/// The functions of the engine, in the sections of its manual.
fn functions(all: &mut SqlInfoDataBuilder, session: &SessionContext) {
    let state = session.state();
    let of = |section: &str| {
        let functions = state.scalar_functions().values();
        let functions =
            functions.filter(|f| f.documentation().is_some_and(|d| d.doc_section.label == section));
        let mut names: Vec<String> = functions.map(|f| f.name().to_string()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    all.append(SqlInfo::SqlNumericFunctions, of("Math Functions"));
    all.append(SqlInfo::SqlStringFunctions, of("String Functions"));
    all.append(SqlInfo::SqlDatetimeFunctions, of("Time and Date Functions"));
    all.append(SqlInfo::SqlSystemFunctions, of("Other Functions"));
}

/// Which types can be made of which: text of all and all of text, numbers of each other, days and instants too.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert as To;
    let numbers = [
        To::SqlConvertInteger,
        To::SqlConvertBigint,
        To::SqlConvertFloat,
        To::SqlConvertDecimal,
        To::SqlConvertBit,
    ];
    let times = [To::SqlConvertDate, To::SqlConvertTimestamp];
    let text = To::SqlConvertVarchar;
    let all = numbers.iter().chain(&times).chain([&text]);
    let conversions = all.clone().map(|from| {
        let to = all.clone().filter(|to| {
            let both = |kind: &[To]| kind.contains(from) && kind.contains(to);
            *from == text || **to == text || both(&numbers) || both(&times)
        });
        (*from as i32, to.map(|to| *to as i32).collect())
    });
    conversions.collect()
}

/// The types that columns have, as GetXdbcTypeInfo asks for them.
pub fn types() -> Result<XdbcTypeInfoData, FlightError> {
    let mut all = XdbcTypeInfoDataBuilder::new();
    let quoted = |name: &str, data_type, size| XdbcTypeInfo {
        type_name: name.into(),
        data_type,
        sql_data_type: data_type,
        column_size: Some(size),
        literal_prefix: Some("'".into()),
        literal_suffix: Some("'".into()),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        ..XdbcTypeInfo::default()
    };
    let number = |name: &str, data_type, size, radix| XdbcTypeInfo {
        type_name: name.into(),
        data_type,
        sql_data_type: data_type,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Basic,
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        num_prec_radix: Some(radix),
        ..XdbcTypeInfo::default()
    };
    all.append(XdbcTypeInfo { case_sensitive: true, ..quoted("text", XdbcDataType::XdbcVarchar, i32::MAX) });
    all.append(number("int", XdbcDataType::XdbcInteger, 32, 2));
    all.append(number("bigint", XdbcDataType::XdbcBigint, 64, 2));
    all.append(number("double", XdbcDataType::XdbcDouble, 53, 2));
    all.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".into(), "scale".into()]),
        fixed_prec_scale: true,
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        ..number("decimal", XdbcDataType::XdbcDecimal, 38, 10)
    });
    all.append(XdbcTypeInfo {
        unsigned_attribute: None,
        num_prec_radix: None,
        ..number("boolean", XdbcDataType::XdbcBit, 1, 2)
    });
    all.append(quoted("date", XdbcDataType::XdbcDate, 10));
    all.append(XdbcTypeInfo {
        datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeTimestampWithTimezone),
        ..quoted("timestamp", XdbcDataType::XdbcTimestamp, 32)
    });
    all.build()
}
