//! The form of what is stored: `evidence.schema.json`.

use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use incident::Failure;
use serde::Serialize;
use serde_json::Value;

const NAME: &str = "https://cordon.invalid/evidence.schema.json";

/// Compiled once for all invocations; an error of the schema is the same each time.
static COMPILED: LazyLock<Result<(Schemas, SchemaIndex), String>> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../evidence.schema.json"));
    let schema = schema.map_err(|error| error.to_string())?;
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(NAME, schema).map_err(|error| error.to_string())?;
    let index = compiler.compile(NAME, &mut schemas).map_err(|error| error.to_string())?;
    Ok((schemas, index))
});

/// The bytes of a document, once it is what the schema says. Keys sorted, no white space:
/// the same content has the same digest.
pub fn canonical(document: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let invalid = |error: serde_json::Error| Failure::InvalidInput(error.to_string());
    // `serde_json::Map` sorts its keys unless the feature `preserve_order` is on.
    let document = serde_json::to_value(document).map_err(invalid)?;
    check(&document)?;
    serde_json::to_vec(&document).map_err(invalid)
}

/// Fails with [`Failure::InvalidInput`] unless the document is what `evidence.schema.json`
/// says. What an attacker may choose, names and texts and the finding, is free there: it
/// fails for a bug of ours, before anything is stored that a restore would not understand.
pub fn check(document: &Value) -> Result<(), Failure> {
    let (schemas, index) = match &*COMPILED {
        Ok(compiled) => (&compiled.0, compiled.1),
        Err(error) => return Err(Failure::InvalidInput(format!("the schema is none: {error}"))),
    };
    let valid = schemas.validate(document, index);
    valid.map_err(|error| Failure::InvalidInput(format!("not `evidence.schema.json`: {error}")))
}
