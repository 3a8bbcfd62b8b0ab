//! Messages below those that they answer.
//!
//! What messages refer to makes a forest: each message hangs below the last reference that it names, then each
//! reference below the one before it, where it hangs nowhere yet. No link is ever taken back, so a set of joined trees
//! tells at once whether one would close a circle; such a link is left out. All of it is done in loops, so no chain is
//! too long, and the work grows as sorting does.

use std::collections::HashMap;

use super::{Entry, order::base};

/// An entry in an order by threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threaded {
    /// Its position among the entries.
    pub at: usize,
    /// How many messages are above it, of those that are shown.
    pub depth: usize,
    /// Which thread it is in, counted from 0.
    pub thread: usize,
}

const NOBODY: usize = usize::MAX;

/// The entries of `order` by threads: each message behind the one that it answers, threads in the order of the member
/// that is first in `order`, and so are the answers to one message. Answers to a message that is not in `order` are
/// in its place. With `by_subject`, what begins a thread and looks like an answer goes below the thread of its subject.
#[must_use]
pub fn threads(entries: &[Entry], order: &[usize], by_subject: bool) -> Vec<Threaded> {
    let mut forest = Forest::of(entries, order);
    if by_subject {
        forest.join_subjects(entries, order);
    }
    forest.flat(order)
}

/// Messages, which are the nodes with numbers below that of entries, and ids that no entry has.
struct Forest {
    /// The node above each; `NOBODY` for a root.
    above: Vec<usize>,
    /// A way to the set of trees that each is in.
    set: Vec<usize>,
}

impl Forest {
    fn of(entries: &[Entry], order: &[usize]) -> Self {
        let mut forest = Self { above: vec![NOBODY; entries.len()], set: (0..entries.len()).collect() };
        let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
        // Of several messages with one id, the first has its answers; the others are messages all the same.
        for (at, entry) in order.iter().filter_map(|&at| Some((at, entries.get(at)?))) {
            if !entry.summary().id().is_empty() {
                by_id.entry(entry.summary().id()).or_insert(at);
            }
        }
        for (at, entry) in entries.iter().enumerate() {
            if !entry.summary().id().is_empty() {
                by_id.entry(entry.summary().id()).or_insert(at);
            }
        }
        let mut node = |forest: &mut Self, id| {
            *by_id.entry(id).or_insert_with(|| {
                forest.above.push(NOBODY);
                forest.set.push(forest.set.len());
                forest.set.len() - 1
            })
        };
        // What a message says of itself counts more than what others say of it.
        for (at, entry) in entries.iter().enumerate() {
            if let Some(last) = entry.summary().references().next_back() {
                let last = node(&mut forest, last);
                forest.link(at, last);
            }
        }
        for entry in entries {
            let mut before = NOBODY;
            for id in entry.summary().references() {
                let this = node(&mut forest, id);
                if before != NOBODY {
                    forest.link(this, before);
                }
                before = this;
            }
        }
        forest
    }

    /// Hangs a tree's root below another tree's node; nothing where it is no root, or that is its own tree.
    fn link(&mut self, root: usize, below: usize) {
        let sets = (self.set_of(root), self.set_of(below));
        if sets.0 == sets.1 {
            return;
        }
        if let (Some(above), Some(set)) = (self.above.get_mut(root), self.set.get_mut(sets.0))
            && *above == NOBODY
        {
            (*above, *set) = (below, sets.1);
        }
    }

    /// The one node that stands for all that are joined with this; ways there are halved as they are gone.
    fn set_of(&mut self, mut node: usize) -> usize {
        while let Some(&next) = self.set.get(node) {
            let after = self.set.get(next).copied().unwrap_or(next);
            if next == after {
                return next;
            }
            if let Some(way) = self.set.get_mut(node) {
                *way = after;
            }
            node = after;
        }
        node
    }

    fn is_root(&self, at: usize) -> bool {
        self.above.get(at) == Some(&NOBODY)
    }

    fn join_subjects(&mut self, entries: &[Entry], order: &[usize]) {
        let roots: Vec<(usize, String, bool)> = order
            .iter()
            .filter(|&&at| self.is_root(at))
            .filter_map(|&at| {
                let (subject, is_answer) = base(entries.get(at)?.summary().subject());
                (!subject.is_empty()).then(|| (at, subject.to_lowercase(), is_answer))
            })
            .collect();
        let mut first: HashMap<&str, (usize, bool)> = HashMap::new();
        for (at, subject, is_answer) in &roots {
            let first = first.entry(subject).or_insert((*at, *is_answer));
            // The one that is answered, before answers.
            if first.1 && !is_answer {
                *first = (*at, false);
            }
        }
        for (at, subject, is_answer) in &roots {
            if let (Some((first, _)), true) = (first.get(subject.as_str()), is_answer) {
                self.link(*at, *first);
            }
        }
    }

    /// All nodes, each behind the one above it.
    fn downwards(&self) -> Vec<usize> {
        let below = self.below(0..self.above.len());
        let mut nodes: Vec<usize> = (0..self.above.len()).filter(|&node| self.is_root(node)).collect();
        let mut next = 0;
        while let Some(&node) = nodes.get(next) {
            nodes.extend(below.of(node));
            next += 1;
        }
        nodes
    }

    /// The nodes below each, in the order in which they are given.
    fn below(&self, nodes: impl DoubleEndedIterator<Item = usize>) -> Below {
        let mut below = Below { first: vec![NOBODY; self.above.len()], next: vec![NOBODY; self.above.len()] };
        for node in nodes.rev() {
            let above = self.above.get(node).copied().unwrap_or(NOBODY);
            if let (Some(first), Some(next)) = (below.first.get_mut(above), below.next.get_mut(node)) {
                *next = std::mem::replace(first, node);
            }
        }
        below
    }

    fn flat(&self, order: &[usize]) -> Vec<Threaded> {
        // A node's rank is that of its tree's first member in the order.
        let mut own = vec![NOBODY; self.above.len()];
        for (rank, &at) in order.iter().enumerate() {
            if let Some(own) = own.get_mut(at) {
                *own = rank;
            }
        }
        let mut ranks = own.clone();
        for node in self.downwards().into_iter().rev() {
            let rank = ranks.get(node).copied().unwrap_or(NOBODY);
            let above = self.above.get(node).copied().unwrap_or(NOBODY);
            if let Some(above) = ranks.get_mut(above) {
                *above = rank.min(*above);
            }
        }
        let rank = |node: &usize| ranks.get(*node).copied().unwrap_or(NOBODY);
        // Trees of which nothing is shown are of no interest.
        let mut ranked: Vec<usize> = (0..self.above.len()).filter(|node| rank(node) != NOBODY).collect();
        ranked.sort_by_key(rank);
        let below = self.below(ranked.iter().copied());
        let mut threaded = Vec::with_capacity(order.len());
        let roots = ranked.into_iter().filter(|&node| self.is_root(node));
        for (thread, root) in roots.enumerate() {
            let mut waiting = vec![(root, 0)];
            while let Some((at, depth)) = waiting.pop() {
                let is_shown = own.get(at).is_some_and(|&rank| rank != NOBODY);
                if is_shown {
                    threaded.push(Threaded { at, depth, thread });
                }
                let before = waiting.len();
                waiting.extend(below.of(at).map(|node| (node, depth + usize::from(is_shown))));
                if let Some(added) = waiting.get_mut(before..) {
                    added.reverse();
                }
            }
        }
        threaded
    }
}

/// The nodes below each node, as lists through the nodes themselves.
struct Below {
    first: Vec<usize>,
    next: Vec<usize>,
}

impl Below {
    fn of(&self, node: usize) -> impl Iterator<Item = usize> {
        let get = |list: &Vec<usize>, node: usize| list.get(node).copied().filter(|&node| node != NOBODY);
        std::iter::successors(get(&self.first, node), move |&node| get(&self.next, node))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::local::{Summary, tests::entry};

    fn message(id: &str, references: &[&str]) -> Entry {
        entry("1.x", Summary::new("", "", None, id, references))
    }

    fn all(entries: &[Entry]) -> Vec<usize> {
        (0..entries.len()).collect()
    }

    fn flat(entries: &[Entry], order: &[usize]) -> Vec<(usize, usize, usize)> {
        threads(entries, order, false).iter().map(|t| (t.at, t.depth, t.thread)).collect()
    }

    #[test]
    fn answers_are_below_what_they_answer_in_the_order_given() {
        let entries = [
            message("c", &["a", "b"]),
            message("other", &[]),
            message("a", &[]),
            message("b", &["a"]),
            message("d", &["a"]),
        ];
        let order = all(&entries);
        assert_eq!(flat(&entries, &order), [(2, 0, 0), (3, 1, 0), (0, 2, 0), (4, 1, 0), (1, 0, 1)]);
        assert_eq!(flat(&entries, &[4, 1, 3]), [(4, 0, 0), (3, 0, 0), (1, 0, 1)], "without a, side by side");
        assert_eq!(flat(&entries, &[0, 2]), [(2, 0, 0), (0, 1, 0)], "without b, one step below a");
    }

    #[test]
    fn what_is_missing_joins_its_answers() {
        let entries = [message("b", &["gone"]), message("x", &[]), message("c", &["gone"])];
        assert_eq!(flat(&entries, &all(&entries)), [(0, 0, 0), (2, 0, 0), (1, 0, 1)]);
        // c hangs below b, of which only e knows, and nobody has it.
        let entries = [message("a", &[]), message("c", &["b"]), message("e", &["a", "b", "c"])];
        assert_eq!(flat(&entries, &all(&entries)), [(0, 0, 0), (1, 1, 0), (2, 2, 0)]);
    }

    #[test]
    fn circles_and_duplicates_lose_nothing() {
        let entries = [
            message("a", &["b"]),
            message("b", &["a"]),
            message("s", &["s"]),
            message("a", &["b"]),
            message("", &["", "b"]),
        ];
        let mut seen: Vec<usize> = flat(&entries, &all(&entries)).iter().map(|found| found.0).collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn ten_thousand_answers_in_a_chain_are_a_thread() {
        let ids: Vec<String> = (0..10_000).map(|n| format!("{n}@x")).collect();
        let mut entries = Vec::new();
        for (n, id) in ids.iter().enumerate() {
            let before: Vec<&str> = ids[n.saturating_sub(12)..n].iter().map(String::as_str).collect();
            entries.push(message(id, &before));
        }
        for order in [all(&entries), all(&entries).into_iter().rev().collect()] {
            let threaded = threads(&entries, &order, true);
            assert!(threaded.iter().enumerate().all(|(n, t)| (t.at, t.depth, t.thread) == (n, n, 0)));
            assert_eq!(threaded.len(), entries.len());
        }
    }

    #[test]
    fn subjects_join_only_where_that_is_asked_for_and_something_looks_like_an_answer() {
        let subject = |subject| entry("1.x", Summary::new("", subject, None, "", &[]));
        let entries =
            [subject("Re: bones"), subject("bones"), subject("Bones"), subject("AW: BONES"), subject("")];
        assert!(threads(&entries, &all(&entries), false).iter().all(|t| t.depth == 0));
        let found: Vec<_> = threads(&entries, &all(&entries), true).iter().map(|t| (t.at, t.depth)).collect();
        assert_eq!(found, [(1, 0), (0, 1), (3, 1), (2, 0), (4, 0)]);
    }

    proptest! {
        #[test]
        fn each_message_is_there_once_and_none_is_above_itself(
            ids in prop::collection::vec((0..12_usize, prop::collection::vec(0..12_usize, 0..5)), 0..40),
            skip in 1..4_usize,
            by_subject: bool,
        ) {
            let name = |n: &usize| if *n == 0 { String::new() } else { format!("{n}@x") };
            let entries: Vec<Entry> = ids.iter().map(|(id, references)| {
                let references: Vec<String> = references.iter().map(name).collect();
                let references: Vec<&str> = references.iter().map(String::as_str).collect();
                let subject = if id % 2 == 0 { "Re: x" } else { "x" };
                entry("1.x", Summary::new("", subject, None, &name(id), &references))
            }).collect();
            let mut order: Vec<usize> = (0..entries.len()).step_by(skip).collect();
            let threaded = threads(&entries, &order, by_subject);
            for pair in threaded.windows(2) {
                prop_assert!(pair[1].depth <= pair[0].depth + 1);
                prop_assert!(pair[1].thread == pair[0].thread
                    || (pair[1].thread == pair[0].thread + 1 && pair[1].depth == 0));
            }
            let mut found: Vec<usize> = threaded.iter().map(|t| t.at).collect();
            found.sort_unstable();
            order.sort_unstable();
            prop_assert_eq!(found, order);
        }
    }
}
