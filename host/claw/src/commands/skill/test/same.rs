//! Whether two calls ask for the same.

use serde_json::Value;

/// Equal, but for how a number is written: `0.30000001` of a 32-bit float is `0.3`.
pub(super) fn same(held: &Value, asked: &Value) -> bool {
    match (held, asked) {
        (Value::Number(held), Value::Number(asked)) if held.is_f64() || asked.is_f64() => {
            let narrow = |number: &serde_json::Number| number.as_f64().map(|wide| (wide as f32).to_bits());
            narrow(held) == narrow(asked)
        }
        (Value::Array(held), Value::Array(asked)) => {
            held.len() == asked.len() && held.iter().zip(asked).all(|(held, asked)| same(held, asked))
        }
        (Value::Object(held), Value::Object(asked)) => {
            let fits = |(key, value): (&String, &Value)| asked.get(key).is_some_and(|other| same(value, other));
            held.len() == asked.len() && held.iter().all(fits)
        }
        _ => held == asked,
    }
}

/// The same value with the keys of its objects sorted, so that two of them can be compared
/// line by line.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The value as lines, keys sorted.
pub(super) fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_as_narrow_floats_and_the_rest_exactly() {
        let narrow: f32 = 0.3;
        let table = [
            (json!({"t": 0.3, "a": [1, "x"]}), json!({"a": [1, "x"], "t": narrow}), true),
            (json!({"t": 1.0}), json!({"t": 1}), true),
            (json!({"t": 0.3}), json!({"t": 0.31}), false),
            (json!({"a": 1}), json!({"a": 1, "b": null}), false),
            (json!([1, 2]), json!([2, 1]), false),
            (json!("1"), json!(1), false),
        ];
        for (held, asked, expected) in table {
            assert_eq!(same(&held, &asked), expected, "{held} and {asked}");
        }
    }

    #[test]
    fn keys_are_sorted_at_every_depth() {
        assert_eq!(
            sorted(&json!({"b": [{"d": 1, "c": 2}], "a": 0})).to_string(),
            r#"{"a":0,"b":[{"c":2,"d":1}]}"#
        );
    }
}
