//! Searches over tables of Items that are made here.

mod meaning;
mod oracle;
mod paging;
mod plans;
mod same_answers;
mod sorting;
mod standard;
mod table;
