//! Reads the answers of a server.

use redis::Value;
use rookery_storage::StoreError;

/// An answer of another kind than the command gives.
pub(crate) fn odd(value: &Value) -> StoreError {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    StoreError::Corrupt(format!("the server answered with {kind}"))
}

/// A number.
pub(crate) fn int(value: &Value) -> Result<u64, StoreError> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| odd(value)),
        _ => Err(odd(value)),
    }
}

/// Bytes, if there are any.
pub(crate) fn maybe_bytes(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        other => Err(odd(&other)),
    }
}

/// Bytes.
pub(crate) fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    maybe_bytes(value)?.ok_or_else(|| odd(&Value::Nil))
}

/// Text.
pub(crate) fn text(value: Value) -> Result<String, StoreError> {
    let bytes = bytes(value)?;
    String::from_utf8(bytes).map_err(|_| StoreError::Corrupt("a text is not UTF-8".to_owned()))
}

/// A number that was stored as text; 0 if there is none.
pub(crate) fn stored(value: Value) -> Result<u64, StoreError> {
    match maybe_bytes(value)? {
        None => Ok(0),
        Some(bytes) => {
            let text = std::str::from_utf8(&bytes).ok();
            let number = text.and_then(|text| text.parse().ok());
            number.ok_or_else(|| StoreError::Corrupt("a number is none".to_owned()))
        }
    }
}

/// A list.
pub(crate) fn list(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        other => Err(odd(&other)),
    }
}

/// A list of pairs, as HGETALL and its like give it.
pub(crate) fn pairs(value: Value) -> Result<Vec<(Value, Value)>, StoreError> {
    let mut values = list(value)?.into_iter();
    let mut pairs = Vec::with_capacity(values.len() / 2);
    while let (Some(first), Some(second)) = (values.next(), values.next()) {
        pairs.push((first, second));
    }
    Ok(pairs)
}

/// The answers of a request that has this many commands.
pub(crate) fn exactly<const N: usize>(values: Vec<Value>) -> Result<[Value; N], StoreError> {
    let count = values.len();
    let odd = |_| StoreError::Corrupt(format!("the server gave {count} answers instead of {N}"));
    values.try_into().map_err(odd)
}

/// The one answer of a request that has one command.
pub(crate) fn one(values: Vec<Value>) -> Result<Value, StoreError> {
    let [value] = exactly(values)?;
    Ok(value)
}
