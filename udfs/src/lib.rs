//! SQL functions of earthcatalog: one per file; `register` lists them.
