//! The audit file: one JSON object a line.

use std::path::Path;

use serde_json::Value;

/// Every record so far. A line that is still being written is left for later; one that is whole
/// and no object fails.
#[track_caller]
pub fn read(file: &Path) -> Vec<Value> {
    let text = std::fs::read(file).unwrap_or_default();
    let mut records = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if line.ends_with(b"\n") {
            let record: Value = serde_json::from_slice(line).unwrap_or_else(|error| {
                panic!("not one JSON object a line: {error}: {}", String::from_utf8_lossy(line))
            });
            assert!(record.is_object(), "not an object: {record}");
            records.push(record);
        }
    }
    records
}

/// The records of one request.
pub fn of(records: &[Value], request_id: &str) -> Vec<Value> {
    records.iter().filter(|record| id(record) == Some(request_id)).cloned().collect()
}

/// The request that a record is about.
pub fn id(record: &Value) -> Option<&str> {
    record["request.id"].as_str()
}

/// Fails when a request has two records, or a record names no request.
#[track_caller]
pub fn assert_one_each(records: &[Value]) {
    let mut seen = std::collections::HashSet::new();
    for record in records.iter().filter(|record| is_request(record)) {
        let id = id(record).unwrap_or_else(|| panic!("a record without a request: {record}"));
        assert!(seen.insert(id.to_owned()), "two records of request {id}: {:#?}", of(records, id));
    }
}

/// Whether a record is about a request, and not about the life of the gateway.
pub fn is_request(record: &Value) -> bool {
    record.get("http.request.method").is_some() || record.get("request.id").is_some()
}
