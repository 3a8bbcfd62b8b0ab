//! A place in a list of which a page is seen.

/// The chosen line and the first one that is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The chosen line.
    pub at: usize,
    /// The line at the top of the page.
    pub top: usize,
}

impl Cursor {
    /// Goes to a line, or the last one, and has it seen: of `len` lines, `page` are.
    pub fn go(&mut self, to: usize, len: usize, page: usize) {
        let page = page.max(1);
        self.at = to.min(len.saturating_sub(1));
        self.top = self.top.clamp((self.at + 1).saturating_sub(page), self.at);
        self.top = self.top.min(len.saturating_sub(page));
    }

    /// Goes so many lines down, or up.
    pub fn step(&mut self, by: isize, len: usize, page: usize) {
        self.go(self.at.saturating_add_signed(by), len, page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_line_is_always_seen() {
        let mut cursor = Cursor::default();
        for (by, at, top) in [(3, 3, 0), (10, 13, 4), (-5, 8, 4), (-6, 2, 2), (100, 19, 10), (-100, 0, 0)] {
            cursor.step(by, 20, 10);
            assert_eq!((cursor.at, cursor.top), (at, top), "{by}");
        }
        cursor.go(5, 0, 0);
        assert_eq!(cursor, Cursor::default());
    }
}
