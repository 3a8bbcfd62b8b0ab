//! No protocol: after one line from the client all messages come, one behind the other.

use super::{Receipt, Task, Wrong};

pub(crate) struct Bare {
    task: Task,
    pub(super) receipt: Receipt,
}

impl Bare {
    pub(super) fn new(task: Task) -> Self {
        Self { task, receipt: Receipt::new() }
    }

    pub(super) fn done(&self) -> bool {
        self.receipt.whole == self.task.account.messages.len()
    }

    pub(super) fn take(&mut self, mut data: &[u8]) -> Result<(), Wrong> {
        while !data.is_empty() {
            let Some(due) = self.task.account.messages.get(self.receipt.whole) else {
                return Err(self.task.wrong("nothing more", data));
            };
            let here = usize::try_from(due.octets - self.receipt.got).unwrap_or(usize::MAX).min(data.len());
            let Some((piece, rest)) = data.split_at_checked(here) else { break };
            data = rest;
            self.receipt.add(piece);
            if self.receipt.got == due.octets {
                self.receipt.end(&self.task.account)?;
            }
        }
        Ok(())
    }
}
