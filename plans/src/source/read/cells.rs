//! The cells that Items are about to have: too many for one of them, or enough for a batch.

use datafusion::common::{Result, exec_datafusion_err};
use earthcatalog_stac_rows::decode::DrawnFootprint;
use earthcatalog_udfs::cover::{CellCount, CoverError, Coverer, Footprint};
use h3o::Resolution;

use crate::model::chunk::RejectKind;
use crate::source::decode::Defect;

/// Bytes of WKB that a part of a footprint takes, at least.
const PART_BYTES: usize = 21;

/// Visits of cells that are not looked into: what the bounds allow, once for each part.
const VISITS: u64 = 1 << 20;

/// Counts the cells of Items, where their rows go to cells.
#[derive(Debug)]
pub(super) struct CellCounter {
    coverer: Coverer,
    resolution: Resolution,
    /// Cells that an Item may have.
    most: u64,
    /// Cells of the Items since [`Self::start_batch`], about.
    counted: u64,
}

impl CellCounter {
    pub fn try_new(h3_resolution: u8, most: u64) -> Result<Self> {
        let resolution = Resolution::try_from(h3_resolution)
            .map_err(|_| exec_datafusion_err!("there is no H3 resolution {h3_resolution}"))?;
        let coverer = Coverer::with_limit(resolution, usize::try_from(most).unwrap_or(usize::MAX));
        Ok(Self { coverer, resolution, most, counted: 0 })
    }

    /// Forgets what was counted.
    pub fn start_batch(&mut self) {
        self.counted = 0;
    }

    /// Cells of the Items since the batch was started, about; of an Item that has too many, those that were found.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Counts the cells of an Item. The footprint is looked into only if its bounds allow for too many.
    pub fn add(&mut self, footprint: Option<DrawnFootprint<'_>>) -> Result<(), Defect> {
        let Some(DrawnFootprint { wkb, bounds }) = footprint else {
            self.counted += 1;
            return Ok(());
        };
        let count = CellCount::within(bounds, self.resolution);
        let parts = 1 + (wkb.len() / PART_BYTES) as u64;
        if count.most <= self.most && count.most.saturating_mul(parts) <= VISITS {
            self.counted += count.expected;
            return Ok(());
        }
        // What was decoded is WKB.
        let defect = |kind, message| Defect { kind, message };
        let footprint = Footprint::from_wkb(wkb).map_err(|e| defect(RejectKind::InvalidGeometry, e.to_string()))?;
        match self.coverer.cover(&footprint) {
            Ok(cells) => {
                self.counted += cells.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.counted += self.most;
                Err(defect(RejectKind::TooManyCells, self.message(&error)))
            }
        }
    }

    fn message(&self, error: &CoverError) -> String {
        match error {
            CoverError::TooManyCells { resolution, .. } => format!(
                "its footprint touches more cells of H3 resolution {resolution} than option 'max_item_cells' allows ({})",
                self.most
            ),
            CoverError::TooManyVisits { .. } => error.to_string(),
        }
    }
}
