//! Landlock: the kernel keeps from the process what is not granted to it.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::{Grant, SandboxError, Shut};

/// What is asked for where the kernel knows it; an older one gives less.
const VERSION: ABI = ABI::V6;

/// Shuts the process off.
pub(super) fn enter(grant: &Grant) -> Result<Shut, SandboxError> {
    let status = restrict(grant).map_err(|error| SandboxError::System {
        what: "shut the process off by Landlock",
        source: std::io::Error::other(error),
    })?;
    Ok(match status {
        RulesetStatus::FullyEnforced => Shut::All,
        RulesetStatus::PartiallyEnforced => Shut::Part,
        RulesetStatus::NotEnforced => Shut::CallsOnly,
    })
}

fn restrict(grant: &Grant) -> Result<RulesetStatus, RulesetError> {
    // Calls to other machines are refused but for the ports of a database and an object store, where there are any.
    // Sockets may be opened, since a reload may name another.
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::Signal)?
        .create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // No program, no device, no pipe: mail is files and folders.
    let others = AccessFs::Execute
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::MakeFifo
        | AccessFs::IoctlDev;
    let write = AccessFs::from_all(VERSION) & !others;
    let ruleset = beneath(ruleset, grant.reads(), read)?;
    let mut ruleset = beneath(ruleset, grant.writes(), write)?;
    for port in grant.ports() {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

/// Grants access to places and what is below them; one that is not there needs none.
fn beneath(
    mut ruleset: RulesetCreated,
    places: &[std::path::PathBuf],
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for place in places {
        if let Ok(opened) = PathFd::new(place) {
            ruleset = ruleset.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    Ok(ruleset)
}
