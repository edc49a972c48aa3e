//! The page for people, in plain HTML, CSS and JavaScript: the files of `files/` as they are, and those of others in
//! `vendor/`, which its README names. All are in the binary.
//!
//! - [`Asset`]: a file of the page, by its name below `site/`; [`INDEX`]: the page itself.
//! - [`document`]: what the page draws before anybody asks.
//! - [`one_file`]: the overview as one file, which needs no service and no network.

mod document;
mod one_file;

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::GzDecoder;

pub use self::document::document;
pub use self::one_file::one_file;

/// The page.
pub const INDEX: Asset = Asset { name: "index.html", content: Content::Text(include_str!("files/index.html")) };

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    pub name: &'static str,
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    Text(&'static str),
    /// The same with gzip: what others made is large.
    Gzip(&'static [u8]),
}

macro_rules! texts {
    ($($name:literal)*) => {
        [$(Asset { name: $name, content: Content::Text(include_str!(concat!("files/", $name))) }),*]
    };
}

macro_rules! compressed {
    ($($name:literal)*) => {
        [$(Asset { name: $name, content: Content::Gzip(include_bytes!(concat!("vendor/", $name, ".gz"))) }),*]
    };
}

const OURS: [Asset; 15] = texts!(
    "api.js" "dom.js" "drawing.js" "form.js" "geography.js" "icon.svg" "item.js" "map.js" "overview.js" "page.js" "question.js" "style.css"
    "timeline.js" "views.js" "file.js"
);

/// What the licence of MapLibre asks to go with it.
const LICENCE: Asset =
    Asset { name: "maplibre-gl.licence.txt", content: Content::Text(include_str!("vendor/maplibre-gl.licence.txt")) };

const VENDORED: [Asset; 3] = compressed!("land.json" "maplibre-gl.css" "maplibre-gl.js");

impl Asset {
    /// The files that the page names, but for itself.
    pub fn all() -> impl Iterator<Item = Self> {
        OURS.into_iter().chain(VENDORED).chain([LICENCE])
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|asset| asset.name == name)
    }

    pub fn media_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "json" => "application/json",
            "txt" => "text/plain; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }

    /// The bytes as they are kept.
    pub fn bytes(&self) -> &'static [u8] {
        match self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Gzip(bytes) => bytes,
        }
    }

    /// The content, inflated.
    pub fn text(&self) -> io::Result<Cow<'static, str>> {
        match self.content {
            Content::Text(text) => Ok(Cow::Borrowed(text)),
            Content::Gzip(bytes) => {
                let mut text = String::new();
                GzDecoder::new(bytes).read_to_string(&mut text)?;
                Ok(Cow::Owned(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_can_be_read_and_has_a_media_type() {
        for asset in Asset::all().chain([INDEX]) {
            assert!(!asset.text().unwrap().is_empty(), "{}", asset.name);
            assert_ne!(asset.media_type(), "application/octet-stream", "{}", asset.name);
        }
    }

    #[test]
    fn what_the_page_and_its_modules_name_is_there() {
        let index = INDEX.text().unwrap();
        let named = index.split("\"site/").skip(1).filter_map(|rest| rest.split('"').next());
        let modules: Vec<_> = OURS.iter().filter(|asset| asset.name.ends_with(".js")).collect();
        let texts: Vec<_> = modules.iter().map(|asset| asset.text().unwrap()).collect();
        let imported =
            texts.iter().flat_map(|text| text.split("from \"./").skip(1)).filter_map(|r| r.split('"').next());
        for name in named.chain(imported) {
            assert!(Asset::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn nothing_is_made_of_texts_but_text_nodes() {
        for asset in OURS {
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!asset.text().unwrap().contains(word), "{}: {word}", asset.name);
            }
        }
    }
}
