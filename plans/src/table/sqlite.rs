//! What SQLite says when it fails, and what to do about it.

/// What to do about an error that stays one however often it is tried; `None` for any other.
pub(crate) fn advice(error: &sqlx::Error) -> Option<&'static str> {
    // Primary result codes: https://www.sqlite.org/rescode.html.
    Some(match primary_code(error)? {
        3 | 8 => "the file or its folder is read-only here: get the permission to write to both",
        11 => "the file is damaged: make a new catalog, and take the table into it with `earthcatalog register`",
        13 => "the disk is full: make room",
        14 => {
            "it cannot be opened: it must be a file, and you need the permission to read it, and to write to its folder"
        }
        26 => "it is not a SQLite file: name another one",
        _ => return None,
    })
}

/// The result code without its extension; `None` where the error is not the database's.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    Some(error.as_database_error()?.code()?.parse::<i32>().ok()? & 0xff)
}
