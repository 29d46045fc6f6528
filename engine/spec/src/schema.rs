//! JSON Schema of every YAML kind, generated from the authored types.
