//! SQL scripts: what parses is bound or refused with a reason.

use earthcatalog::script::{Arguments, Script};

pub fn fuzz_script(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = Script::is_ended(text);
    let script = match Script::parse("fuzzed", text) {
        Ok(script) => script,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let arguments =
        script.parameters().iter().fold(Arguments::new(), |arguments, parameter| match parameter.default_text() {
            Some(_) => arguments,
            None => arguments.with(&parameter.name, 1),
        });
    match script.bind(&arguments) {
        Ok(statements) => statements.iter().for_each(|statement| assert!(statement.title().len() <= text.len() + 64)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
