use crate::ask::{compile, document, told};

/// What compiling a text says, all of it, a line for each mistake.
fn said(text: &str) -> String {
    match compile(&document("p.yaml", text).root) {
        Ok((_, warnings)) => told(&warnings),
        Err(mistakes) => told(&mistakes),
    }
}
#[test]
fn x() {
    assert_eq!(said(""), "");
}
