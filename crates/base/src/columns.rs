//! How ids and moments stand in columns: ids as text, moments as milliseconds since 1970. A text that is no id of its kind is an
//! error of the row.
use crate::units::Timestamp;
use sea_orm::{
    ColIdx, ColumnType, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, Nullable, ValueType, ValueTypeErr},
};

/// Lets kinds of ids stand in columns; [`crate::ids`] calls it.
#[macro_export]
macro_rules! id_columns {
    ($($name:ident),*) => {
        $(
            impl From<$name> for $crate::sea_orm::Value {
                fn from(id: $name) -> Self { String::from(id).into() }
            }
            impl $crate::sea_orm::TryGetable for $name {
                fn try_get_by<I: $crate::sea_orm::ColIdx>(row: &$crate::sea_orm::QueryResult, index: I) -> Result<Self, $crate::sea_orm::TryGetError> {
                    let text = <String as $crate::sea_orm::TryGetable>::try_get_by(row, index)?;
                    text.parse().map_err(|why: $crate::id::NotAnId| $crate::sea_orm::TryGetError::DbErr($crate::sea_orm::DbErr::Type(format!("{why} ({text})"))))
                }
            }
            impl $crate::sea_orm::sea_query::ValueType for $name {
                fn try_from(value: $crate::sea_orm::Value) -> Result<Self, $crate::sea_orm::sea_query::ValueTypeErr> {
                    <String as $crate::sea_orm::sea_query::ValueType>::try_from(value)?.parse().map_err(|_| $crate::sea_orm::sea_query::ValueTypeErr)
                }
                fn type_name() -> String { stringify!($name).into() }
                fn array_type() -> $crate::sea_orm::sea_query::ArrayType { $crate::sea_orm::sea_query::ArrayType::String }
                fn column_type() -> $crate::sea_orm::ColumnType { $crate::sea_orm::ColumnType::Text }
            }
            impl $crate::sea_orm::sea_query::Nullable for $name {
                fn null() -> $crate::sea_orm::Value { $crate::sea_orm::Value::String(None) }
            }
            impl $crate::sea_orm::TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, $crate::sea_orm::DbErr> { Err($crate::sea_orm::DbErr::ConvertFromU64(stringify!($name))) }
            }
        )*
    };
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Value {
        at.0.into()
    }
}

impl TryGetable for Timestamp {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        i64::try_get_by(row, index).map(Timestamp)
    }
}

impl ValueType for Timestamp {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <i64 as ValueType>::try_from(value).map(Timestamp)
    }
    fn type_name() -> String {
        "Timestamp".into()
    }
    fn array_type() -> ArrayType {
        ArrayType::BigInt
    }
    fn column_type() -> ColumnType {
        ColumnType::BigInteger
    }
}

impl Nullable for Timestamp {
    fn null() -> Value {
        Value::BigInt(None)
    }
}

impl TryFromU64 for Timestamp {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Timestamp"))
    }
}
