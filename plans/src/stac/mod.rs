//! The STAC table provider: inventories, folders and files of Items as a table with one partition per chunk.
