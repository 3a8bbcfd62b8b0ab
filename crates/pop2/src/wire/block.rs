//! Line ends of a block of octets, all found at once.
//!
//! Lines are short: whoever looks for one line end after the other begins a search, and a copy, for each.

use wide::u8x16;

/// Octets that are looked at together.
pub(super) const BLOCK: usize = 64;

/// What is converted before it is appended, in octets.
const ROOM: usize = 4096;

/// What a block can become, and what is written beyond that only to be written over.
const MOST: usize = 3 * BLOCK;

/// The octets of a block that are `wanted`: a bit for each, the lowest for the first.
fn positions(block: &[u8; BLOCK], wanted: u8) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let wanted = u8x16::splat(wanted);
    let found = |part: &[u8; 16]| u64::from(u8x16::new(*part).simd_eq(wanted).to_bitmask());
    parts.iter().rev().fold(0, |all, part| all << 16 | found(part))
}

/// How many of the LFs have no CR before them; `after_cr` speaks for the octet before the first block.
pub(super) fn bare_line_feeds(blocks: &[[u8; BLOCK]], mut after_cr: bool) -> u64 {
    let mut bare = 0;
    for block in blocks {
        let (cr, lf) = (positions(block, b'\r'), positions(block, b'\n'));
        bare += u64::from((lf & !(cr << 1 | u64::from(after_cr))).count_ones());
        after_cr = cr >> (BLOCK - 1) == 1;
    }
    bare
}

/// Appends the wire form of all but the last octets to `wire`; returns those, which are fewer than two blocks, and
/// whether they come after a CR.
pub(super) fn encode<'a>(stored: &'a [u8], mut after_cr: bool, wire: &mut Vec<u8>) -> (&'a [u8], bool) {
    let (mut rest, mut room, mut filled) = (stored, [0; ROOM], 0);
    while let Some(window) = rest.first_chunk::<{ 2 * BLOCK }>() {
        let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() else { break };
        if filled > ROOM - MOST {
            wire.extend_from_slice(room.get(..filled).unwrap_or_default());
            filled = 0;
        }
        put(&mut room, filled, block);
        let mut line_feeds = positions(block, b'\n');
        while line_feeds != 0 {
            let at = line_feeds.trailing_zeros() as usize;
            line_feeds &= line_feeds - 1;
            let before = at.checked_sub(1).and_then(|before| window.get(before));
            if before.map_or(after_cr, |&before| before == b'\r') {
                continue;
            }
            // A whole block is moved on, whatever of it is of use: a length that is always the same costs least.
            if let Some(moved) = window.get(at..).and_then(<[u8]>::first_chunk) {
                put(&mut room, filled + at, &[b'\r'; 1]);
                put::<BLOCK>(&mut room, filled + at + 1, moved);
                filled += 1;
            }
        }
        filled += BLOCK;
        after_cr = block.last() == Some(&b'\r');
        rest = behind;
    }
    wire.extend_from_slice(room.get(..filled).unwrap_or_default());
    (rest, after_cr)
}

fn put<const LENGTH: usize>(room: &mut [u8; ROOM], at: usize, octets: &[u8; LENGTH]) {
    if let Some(place) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = *octets;
    }
}
