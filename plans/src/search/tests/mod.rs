//! Searches over tables of Items that are made here.

mod meaning;
mod oracle;
mod plans;
mod same_answers;
mod standard;
mod table;
