"""The servers that people would choose instead of authz, in Go and Rust, and rows measured outside this repository."""
