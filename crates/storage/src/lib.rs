//! Storage ports, versioned records, the in-memory adapter and the suite that every adapter passes.
