//! The members of `properties`: those with a column of their own, and the others.

use super::cell::{self, Cell, CellType};
use super::members::{Members, ObjectText};
use super::scan::{Cursor, Malformed};
use super::value::{Text, Token, Value};
use crate::schema::{Promoted, TIME_COLUMNS};

/// What the source says of one property that has a column.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    cell: Cell,
    /// The member, where the cell does not give it back.
    kept: Option<(Text, Value)>,
}

/// The `properties` of one Item, reused from Item to Item.
#[derive(Debug)]
pub(super) struct Properties {
    columns: Vec<(String, CellType)>,
    /// By length of the property's name: its name and its index in `columns`.
    names: Vec<Vec<(String, usize)>>,
    slots: Vec<Slot>,
    others: Members,
}

/// The property of a column, and its type.
fn column(promoted: &Promoted) -> (String, CellType) {
    // `Promoted::new` admits only the types that `CellType` knows.
    (promoted.property.clone(), CellType::of(&promoted.data_type).unwrap_or(CellType::Text))
}

/// Index of the column `datetime`, the one time that must be a time if it is there.
const DATETIME: usize = 0;

impl Properties {
    /// The columns are [`TIME_COLUMNS`] and then `promoted`.
    pub fn new(promoted: &[Promoted]) -> Self {
        let times = TIME_COLUMNS.map(|name| (name.to_owned(), CellType::Time));
        Self::in_columns(times.into_iter().chain(promoted.iter().map(column)).collect())
    }

    /// The columns are `promoted` alone.
    pub fn without_times(promoted: &[Promoted]) -> Self {
        Self::in_columns(promoted.iter().map(column).collect())
    }

    fn in_columns(columns: Vec<(String, CellType)>) -> Self {
        let mut names = vec![];
        for (i, (name, _)) in columns.iter().enumerate() {
            if names.len() <= name.len() {
                names.resize(name.len() + 1, vec![]);
            }
            names[name.len()].push((name.clone(), i));
        }
        Self { slots: vec![Slot::default(); columns.len()], columns, names, others: Members::default() }
    }

    pub fn column_types(&self) -> impl Iterator<Item = CellType> {
        self.columns.iter().map(|(_, cell_type)| *cell_type)
    }

    pub fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.others.clear();
    }

    /// Reads the object at the cursor, and passes it.
    pub fn read(&mut self, cursor: &mut Cursor) -> Result<(), Malformed> {
        self.clear();
        let text = cursor.text();
        let mut another = cursor.open_object()?;
        while another {
            let name = cursor.unicode_member_name()?;
            let value = cursor.value()?;
            match self.column(name, text) {
                Some(i) => {
                    let (cell, faithful) = cell::read(self.columns[i].1, value, text);
                    self.slots[i] = Slot { cell, kept: (!faithful).then_some((name, value)) };
                }
                None => self.others.put(text, name, value.span),
            }
            another = cursor.next_member()?;
        }
        Ok(())
    }

    #[inline]
    fn column(&self, name: Text, text: &str) -> Option<usize> {
        let name = name.decode(text)?;
        self.names.get(name.len())?.iter().find(|(known, _)| *known == name).map(|(_, i)| *i)
    }

    /// The cells, in the order of [`Self::column_types`].
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        self.slots.iter().map(|slot| slot.cell)
    }

    /// The value of `datetime`, if it is there and neither null nor a time.
    pub fn unreadable_datetime(&self) -> Option<Value> {
        let Slot { cell, kept } = self.slots[DATETIME];
        let (_, value) = kept?;
        (cell == Cell::Null && value.token != Token::Null).then_some(value)
    }

    /// Puts the members that no cell gives back.
    pub fn put_rest(&self, text: &str, out: &mut ObjectText) {
        for (name, value) in self.slots.iter().filter_map(|slot| slot.kept) {
            out.put(&name.quoted(text), value.span.of(text));
        }
        for (name, value) in self.others.iter() {
            out.put(&name.quoted(text), value.of(text));
        }
    }
}
