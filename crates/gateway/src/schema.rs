//! The JSON Schema of the configuration, for editors: the gateway's own sections, and those that
//! the chain's filters read, from the same types that parse them.

use std::collections::BTreeMap;

use document::OneOrMany;
use schemars::{JsonSchema, Schema, SchemaGenerator, schema_for};
use serde_json::{Map, Value, json};

use crate::assembly::Claimed;
use crate::conf::{AuditConf, ServerConf};

/// The whole schema as text.
pub(crate) fn whole(claimed: &[Claimed]) -> String {
    let mut sections = vec![
        ("version", json!({ "const": 1 }).try_into().unwrap_or_default()),
        ("include", schema_for!(OneOrMany<String>)),
        ("server", schema_for!(ServerConf)),
        ("upstreams", schema_for!(Vec<upstream::conf::UpstreamConf>)),
        ("conditions", schema_for!(Conditions)),
        ("rules", schema_for!(Vec<Rule>)),
        ("routes", schema_for!(Vec<Route>)),
        ("audit", schema_for!(AuditConf)),
    ];
    sections.extend(claimed.iter().map(|claim| (claim.name, claim.schema.clone())));
    let mut definitions = Map::new();
    let mut properties = Map::new();
    for (name, schema) in sections {
        let mut value = schema.to_value();
        if let Some(object) = value.as_object_mut() {
            object.remove("$schema");
            if let Some(Value::Object(own)) = object.remove("$defs") {
                definitions.extend(own);
            }
        }
        properties.insert(name.to_owned(), value);
    }
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Portcullis configuration",
        "type": "object",
        "required": ["version", "server"],
        "additionalProperties": false,
        "properties": properties,
        "$defs": definitions,
    });
    format!("{whole:#}")
}

/// Conditions by name.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is wanted")]
struct Conditions(BTreeMap<String, Condition>);

/// A condition: a name, a combination, or attributes with their matchers.
struct Condition(#[expect(dead_code, reason = "only the schema is wanted")] Value);

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let itself = generator.subschema_for::<Self>();
        let several = json!({ "type": "array", "items": itself, "minItems": 1 });
        let schema = json!({
            "anyOf": [
                { "type": "string", "description": "the name of a condition" },
                { "type": "object", "properties": { "all": several }, "required": ["all"] },
                { "type": "object", "properties": { "any": several }, "required": ["any"] },
                { "type": "object", "properties": { "none": several }, "required": ["none"] },
                { "type": "object", "description": "attributes, all of which must match" },
            ],
        });
        schema.try_into().unwrap_or_default()
    }
}

/// The shape of a rule; its meaning is the policy's.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these fields is wanted")]
struct Rule {
    /// Unique in the whole configuration.
    id: String,
    /// What it allows.
    allow: Option<Requests>,
    /// What it denies; a deny wins over every allow.
    deny: Option<Requests>,
    /// When; always where absent.
    when: Option<Condition>,
    /// `shadow` is evaluated and reported, never applied.
    mode: Option<Mode>,
    /// The last day on which the rule holds, or the instant at which it ends.
    until: Option<String>,
    /// For a person who is refused.
    help: Option<String>,
}

/// Which requests a rule is about; all where absent.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these fields is wanted")]
struct Requests {
    methods: Option<Vec<String>>,
    /// Templates over the canonical path.
    paths: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only the schema of these variants is wanted")]
enum Mode {
    Enforce,
    Shadow,
}

/// The shape of a route.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema of these fields is wanted")]
struct Route {
    name: String,
    /// Hosts, or `*.example.com` for one label.
    hosts: Vec<String>,
    /// Templates of the part of the host that this route serves; all of it where absent.
    paths: Option<Vec<String>>,
    /// The name of an upstream.
    upstream: String,
    labels: Option<BTreeMap<String, String>>,
    rules: Option<Vec<Rule>>,
    mode: Option<Mode>,
    #[schemars(flatten)]
    forwarding: policy::Forwarding,
}
