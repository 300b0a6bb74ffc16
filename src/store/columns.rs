//! How the features' words stand in columns: as their names. A text that is no such word is an error of its row, and
//! never taken for another word.
use crate::{
    apps::model::Wanted,
    deployments::model::{Kind, Outcome, Phase, Strategy, Wish},
    domains::model::{CertificateSource, CertificateState, Method},
    error::Result,
    fault::Because,
    mail::model::MailStatus,
    orgs::model::InvitationStatus,
};
use sea_orm::{
    ColIdx, ColumnType, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select, TryFromU64, TryGetError,
    TryGetable, Value,
    sea_query::{ArrayType, Nullable, ValueType, ValueTypeErr},
};

macro_rules! word_columns {
    ($($name:ident),* $(,)?) => {
        $(
            impl From<$name> for Value {
                fn from(word: $name) -> Value { word.name().into() }
            }
            impl TryGetable for $name {
                fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
                    let text = String::try_get_by(row, index)?;
                    parse(&text).ok_or_else(|| TryGetError::DbErr(DbErr::Type(format!("{text:?} is no {}", stringify!($name)))))
                }
            }
            impl ValueType for $name {
                fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                    parse(&<String as ValueType>::try_from(value)?).ok_or(ValueTypeErr)
                }
                fn type_name() -> String { stringify!($name).into() }
                fn array_type() -> ArrayType { ArrayType::String }
                fn column_type() -> ColumnType { ColumnType::Text }
            }
            impl Nullable for $name {
                fn null() -> Value { Value::String(None) }
            }
            impl TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, DbErr> { Err(DbErr::ConvertFromU64(stringify!($name))) }
            }
        )*
    };
}
word_columns! {
    CertificateSource, CertificateState, InvitationStatus, Kind, MailStatus, Method, Outcome, Phase, Strategy, Wanted, Wish,
}

fn parse<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// All rows that can be read. One that can't is told of and left out: for loops, which one broken row must not keep from all others.
pub async fn readable<E: EntityTrait>(db: &impl ConnectionTrait, all: Select<E>, doing: &'static str) -> Result<Vec<E::Model>> {
    let rows = db.query_all_raw(all.build(db.get_database_backend())).await.because(doing)?;
    let model = |row: &QueryResult| match E::Model::from_query_result(row, "") {
        Err(DbErr::Type(why)) => {
            tracing::error!("a row is left out when {doing}: {why}");
            None
        }
        row => Some(row.because(doing)),
    };
    rows.iter().filter_map(model).collect()
}
