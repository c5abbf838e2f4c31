//! A matrix of values that threads fill in parts.
#![expect(unsafe_code, reason = "disjoint rectangles of one allocation, lent to several threads")]

use super::pool::Pool;
use std::marker::PhantomData;
use std::ops::Range;

/// Rows of equal width, row-major.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grid<T> {
    width: usize,
    cells: Vec<T>,
}

impl<T: Copy + Default + Send> Grid<T> {
    /// A grid of default values.
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { width, cells: vec![T::default(); rows * width] }
    }

    /// Sets the shape, keeping the memory. What the cells hold afterwards is left open.
    pub(crate) fn reshape(&mut self, rows: usize, width: usize) {
        self.width = width;
        self.cells.resize(rows * width, T::default());
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// All cells, row-major.
    pub(crate) fn cells(&self) -> &[T] {
        &self.cells
    }

    /// One row.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &[T] {
        &self.cells[row * self.width..][..self.width]
    }

    /// `R` rows from `row`.
    #[inline(always)]
    pub(crate) fn rows_from<const R: usize>(&self, row: usize) -> [&[T]; R] {
        let mut rows = [self.row(row); R];
        for (r, slice) in rows.iter_mut().enumerate().skip(1) {
            *slice = self.row(row + r);
        }
        rows
    }

    /// One row, to write.
    #[inline]
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.cells[row * self.width..][..self.width]
    }

    /// Cuts the grid along `rows × columns` and has the pool's threads fill the rectangles: `f` gets the index of the
    /// row range, the index of the column range, and the rectangle.
    pub(crate) fn fill(
        &mut self,
        pool: &mut Pool,
        rows: &Cuts,
        columns: &Cuts,
        f: impl Fn(usize, usize, Rectangle<'_, T>) + Sync,
    ) {
        assert!(rows.end() <= self.rows() && columns.end() <= self.width, "the cuts lie inside the grid");
        let cells = Shared(self.cells.as_mut_ptr());
        let width = self.width;
        pool.run(rows.parts() * columns.parts(), &|task| {
            let (row, column) = (task / columns.parts(), task % columns.parts());
            let rectangle = Rectangle {
                cells: cells.pointer(),
                width,
                rows: rows.range(row),
                columns: columns.range(column),
                lent: PhantomData,
            };
            f(row, column, rectangle);
        });
    }
}

/// Has the pool's threads fill the rows of two grids side by side, in the given number of parts: `f` gets the row's
/// index and the row in each grid.
pub(crate) fn fill_rows<T: Copy + Default + Send, U: Copy + Default + Send>(
    pool: &mut Pool,
    parts: usize,
    first: &mut Grid<T>,
    second: &mut Grid<U>,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    assert_eq!(first.rows(), second.rows(), "the grids have the same rows");
    let rows = Cuts::even(first.rows(), parts, 1);
    let (first_columns, second_columns) = (Cuts::whole(first.width), second.width);
    let cells = Shared(second.cells.as_mut_ptr());
    first.fill(pool, &rows, &first_columns, |_, _, mut left| {
        let mut right = Rectangle {
            cells: cells.pointer(),
            width: second_columns,
            rows: left.rows(),
            columns: 0..second_columns,
            lent: PhantomData,
        };
        for row in left.rows() {
            f(row, left.row(row), right.row(row));
        }
    });
}

/// A rectangle of a grid, for one thread to write.
pub(crate) struct Rectangle<'a, T> {
    cells: *mut T,
    width: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    lent: PhantomData<&'a mut [T]>,
}

impl<T> Rectangle<'_, T> {
    /// The rows of the grid that the rectangle covers.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns of the grid that the rectangle covers.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The rectangle's part of row `row` of the grid.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize) -> &mut [T] {
        assert!(self.rows.contains(&row), "the row lies inside the rectangle");
        // SAFETY: `Grid::fill` and `fill_rows` checked that rows and columns lie inside the grid, hold the grid
        // mutably while the rectangles live, and their cuts are disjoint, so that no other rectangle reaches these
        // cells; `&mut self` keeps two rows of this one from being held at once.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.cells.add(row * self.width + self.columns.start),
                self.columns.len(),
            )
        }
    }
}

/// Consecutive ranges: part `i` is `bounds[i]..bounds[i + 1]`.
#[derive(Debug, Clone)]
pub(crate) struct Cuts(Vec<usize>);

impl Cuts {
    /// One part.
    pub(crate) fn whole(end: usize) -> Self {
        Self(vec![0, end])
    }

    /// `0..end` in at most `parts` parts of nearly equal size, cut at multiples of `grain`.
    pub(crate) fn even(end: usize, parts: usize, grain: usize) -> Self {
        let grains = end.div_ceil(grain);
        let parts = parts.clamp(1, grains.max(1));
        Self((0..=parts).map(|i| (grains * i / parts * grain).min(end)).collect())
    }

    /// Parts of `size`, the last maybe smaller.
    pub(crate) fn every(end: usize, size: usize) -> Self {
        Self((0..end).step_by(size).chain([end]).collect())
    }

    /// Parts that end at the given bounds, which ascend.
    pub(crate) fn at(bounds: Vec<usize>) -> Self {
        assert!(bounds.is_sorted() && !bounds.is_empty(), "bounds ascend");
        Self(bounds)
    }

    /// Number of parts.
    pub(crate) fn parts(&self) -> usize {
        self.0.len() - 1
    }

    fn end(&self) -> usize {
        self.0[self.parts()]
    }

    /// The ranges in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.windows(2).map(|bounds| bounds[0]..bounds[1])
    }

    /// The `part`-th range.
    pub(crate) fn range(&self, part: usize) -> Range<usize> {
        self.0[part]..self.0[part + 1]
    }
}

/// A pointer that threads may share.
struct Shared<T>(*mut T);

impl<T> Shared<T> {
    fn pointer(&self) -> *mut T {
        self.0
    }
}

// SAFETY: the pointer is only used through disjoint rectangles, each by one thread, of values that may move between
// threads.
unsafe impl<T: Send> Sync for Shared<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_everything_once() {
        for end in [0, 1, 15, 16, 17, 576, 1000] {
            for parts in [1, 2, 3, 7] {
                let cuts = Cuts::even(end, parts, 16);
                let ranges: Vec<_> = (0..cuts.parts()).map(|i| cuts.range(i)).collect();
                assert_eq!(ranges.iter().map(ExactSizeIterator::len).sum::<usize>(), end);
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].end % 16 == 0));
            }
        }
    }

    #[test]
    fn rectangles_fill_the_grid() {
        let mut grid = Grid::<u32>::new(9, 40);
        let (rows, columns) = (Cuts::every(9, 2), Cuts::even(40, 3, 16));
        grid.fill(&mut Pool::new(3), &rows, &columns, |_, _, mut part| {
            for row in part.rows() {
                let first = part.columns().start;
                for (i, cell) in part.row(row).iter_mut().enumerate() {
                    *cell += (row * 40 + first + i) as u32;
                }
            }
        });
        assert!(grid.cells().iter().enumerate().all(|(i, &cell)| cell == i as u32));
    }
}
