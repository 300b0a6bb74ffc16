//! JSON in text columns, by the type that it is written from and read as. It is read where it is needed and not with its row: a row is
//! looked at far more often than its documents, and one that can't be read is an error of that document alone.
use crate::{error::Result, fault::internal};
use sea_orm::{
    ColIdx, ColumnType, QueryResult, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, Nullable, ValueType, ValueTypeErr},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, marker::PhantomData};

/// A document in a text column. Two are the same where their texts are.
pub struct JsonText<T> {
    text: String,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> JsonText<T> {
    /// The text of a value.
    pub fn of(value: &T) -> Result<Self> {
        let text = serde_json::to_string(value).map_err(|why| internal(&format!("writing {} for its column", Self::what()), why))?;
        Ok(JsonText { text, of: PhantomData })
    }

    /// The value that the text says.
    pub fn read(&self) -> Result<T> {
        serde_json::from_str(&self.text).map_err(|why| internal(&format!("reading {} from its column", Self::what()), why))
    }

    fn what() -> &'static str {
        std::any::type_name::<T>()
    }
}

impl<T> JsonText<T> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<T> Clone for JsonText<T> {
    fn clone(&self) -> Self {
        JsonText { text: self.text.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for JsonText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> PartialEq for JsonText<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for JsonText<T> {}

impl<T> From<JsonText<T>> for Value {
    fn from(document: JsonText<T>) -> Value {
        document.text.into()
    }
}

impl<T> TryGetable for JsonText<T> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        String::try_get_by(row, index).map(|text| JsonText { text, of: PhantomData })
    }
}

impl<T> ValueType for JsonText<T> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <String as ValueType>::try_from(value).map(|text| JsonText { text, of: PhantomData })
    }
    fn type_name() -> String {
        "JsonText".into()
    }
    fn array_type() -> ArrayType {
        ArrayType::String
    }
    fn column_type() -> ColumnType {
        ColumnType::Text
    }
}

impl<T> Nullable for JsonText<T> {
    fn null() -> Value {
        Value::String(None)
    }
}

#[cfg(test)]
mod tests {
    use super::JsonText;
    use crate::units::Bytes;

    #[test]
    fn a_document_is_read_as_what_it_was_written_from() {
        let sizes = vec![Some(Bytes(1)), None];
        let document = JsonText::of(&sizes).unwrap();
        assert_eq!((document.as_str(), document.read().unwrap()), ("[1,null]", sizes));
        let other: JsonText<u8> = sea_orm::sea_query::ValueType::try_from("\"x\"".into()).unwrap();
        assert!(other.read().is_err(), "what is no such document is told, and never taken for another");
    }
}
