//! How ids and moments stand in columns: ids as text, moments as milliseconds since 1970. A text that is no id of its kind is an
//! error of the row.
use crate::{id::*, units::Timestamp};
use sea_orm::{
    ColIdx, ColumnType, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, Nullable, ValueType, ValueTypeErr},
};

macro_rules! id_columns {
    ($($name:ident),*) => {
        $(
            impl From<$name> for Value {
                fn from(id: $name) -> Value { String::from(id).into() }
            }
            impl TryGetable for $name {
                fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
                    let text = String::try_get_by(row, index)?;
                    text.parse().map_err(|why: NotAnId| TryGetError::DbErr(DbErr::Type(format!("{why} ({text})"))))
                }
            }
            impl ValueType for $name {
                fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                    <String as ValueType>::try_from(value)?.parse().map_err(|_| ValueTypeErr)
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
for_every_id!(id_columns);

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
