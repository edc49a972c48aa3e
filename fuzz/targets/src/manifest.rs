//! Iceberg manifests: what parses is written and parses to the same entries.

use earthcatalog_manifests::{Columns, Entry, EntryNumbers, Form, Inherited, Manifest, ManifestWriter, is_whole};

pub fn fuzz_manifest(data: &[u8]) {
    let Some(manifest) = Manifest::open(data) else { return };
    let _ = manifest.field_ids();
    let Some(all) = entries(&manifest, Columns::Read) else { return };
    let bare = entries(&manifest, Columns::Skipped).expect("what is read with statistics is read without");
    assert_eq!(bare.len(), all.len());
    let Some(form) = Form::from_manifest(data) else { panic!("what is read has a form") };
    let mut writer = ManifestWriter::new(&form);
    let own = |number: Inherited| if let Inherited::Own(number) = number { Some(number) } else { None };
    for entry in &all {
        let numbers = EntryNumbers {
            status: entry.status.unwrap_or_default(),
            snapshot: entry.snapshot.unwrap_or_default(),
            sequence: own(entry.sequence),
            file_sequence: own(entry.file_sequence),
        };
        // A schema of another shape has no place for the numbers.
        if writer.copy(numbers, entry.data_file).is_none() {
            return;
        }
    }
    let written = writer.finish().expect("the form has a header");
    assert!(is_whole(&written));
    let manifest = Manifest::open(&written).expect("what is written is read");
    let again = entries(&manifest, Columns::Read).expect("what is written is read");
    assert_eq!(again.len(), all.len());
    for (again, entry) in again.iter().zip(&all) {
        let expected = Entry {
            status: again.status,
            snapshot: again.snapshot,
            sequence: again.sequence,
            file_sequence: again.file_sequence,
            ..entry.clone()
        };
        assert_eq!(*again, expected);
        assert_eq!(entry.status.unwrap_or_default(), again.status.unwrap_or_default());
        assert_eq!((own(entry.sequence), own(entry.file_sequence)), (own(again.sequence), own(again.file_sequence)));
    }
}

fn entries<'a>(manifest: &Manifest<'a>, columns: Columns) -> Option<Vec<Entry<'a>>> {
    let mut entries = vec![];
    manifest.each_entry(columns, |entry| {
        entries.push(entry);
        Some(())
    })?;
    Some(entries)
}
