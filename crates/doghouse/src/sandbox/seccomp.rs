//! seccomp: system calls that the server does not use are refused, so that a fault in it cannot use them either.
//!
//! The list was made from what the server does in its tests, traced, and was read through call by call. What it leaves
//! out is above all: starting programs, looking into other processes, mounting, loading modules, raising rights, making
//! memory executable, and every kind of socket but TCP and those of this machine. A server with a database needs some more,
//! `CALLING` says which.

use std::{collections::BTreeMap, io};

use nix::libc::{self, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use super::SandboxError;

/// System calls that may be used with any arguments.
const CALLS: &[c_long] = &[
    // Files and folders. Which ones, Landlock says.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_readlinkat,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    // Sockets that are listened on; which kinds, `LIMITED` says. None is connected, whatever else the kernel can keep from
    // the process.
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    // Waiting, and the time.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    // Memory; not to be executed, `LIMITED` says.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // The process itself and its threads.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_uname,
    libc::SYS_getrandom,
    // It is refused by the first filter, in its own way.
    libc::SYS_clone3,
];

/// The older forms of some of these, which other machines do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_chmod,
    libc::SYS_poll,
    libc::SYS_epoll_wait,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// A condition on an argument.
struct Condition {
    /// Which argument, from 0.
    argument: u8,
    /// The bits that are looked at.
    mask: u64,
    /// What they have to be.
    value: u64,
}

/// An argument has to be this.
const fn is(argument: u8, value: u64) -> Condition {
    is_in(argument, !0, value)
}

/// These bits of an argument have to be this.
const fn is_in(argument: u8, mask: u64, value: u64) -> Condition {
    Condition { argument, mask, value }
}

/// As an argument has it.
#[allow(clippy::cast_lossless)] // the other way cannot be taken in a constant
const fn bits(value: i32) -> u64 {
    value.cast_unsigned() as u64
}

/// The kind of a socket, without the flags beside it (`SOCK_TYPE_MASK` of Linux).
const SOCKET_KIND: u64 = 0xf;

/// System calls that may be used with some arguments only: where one of the lists holds as a whole.
const LIMITED: &[(c_long, &[&[Condition]])] = &[
    // Threads, and no processes.
    (libc::SYS_clone, &[&[is_in(0, bits(libc::CLONE_THREAD), bits(libc::CLONE_THREAD))]]),
    (libc::SYS_mmap, &[&[is_in(2, bits(libc::PROT_EXEC), 0)]]),
    (libc::SYS_mprotect, &[&[is_in(2, bits(libc::PROT_EXEC), 0)]]),
    // Neither datagrams nor protocols beside TCP, such as MPTCP: Landlock keeps only TCP from other machines.
    (
        libc::SYS_socket,
        &[
            &[is(0, bits(libc::AF_UNIX))],
            &[is(0, bits(libc::AF_INET)), is_in(1, SOCKET_KIND, bits(libc::SOCK_STREAM)), is(2, 0)],
            &[is(0, bits(libc::AF_INET6)), is_in(1, SOCKET_KIND, bits(libc::SOCK_STREAM)), is(2, 0)],
        ],
    ),
    // No call that goes with the first octets (RFC 7413), which Landlock does not see.
    (libc::SYS_sendto, &[&[is_in(3, bits(libc::MSG_FASTOPEN), 0)]]),
    (libc::SYS_sendmsg, &[&[is_in(2, bits(libc::MSG_FASTOPEN), 0)]]),
    // A terminal is asked whether it is one, and sockets are made not to block.
    (libc::SYS_ioctl, &[&[is(1, libc::TCGETS)], &[is(1, libc::FIONBIO)], &[is(1, libc::FIOCLEX)]]),
    (libc::SYS_prctl, &[&[is(0, bits(libc::PR_SET_NAME))]]),
    // Whether the maker of a lock is still there; no signal is sent.
    (libc::SYS_kill, &[&[is(1, 0)]]),
    // Limits of its own.
    (libc::SYS_prlimit64, &[&[is(0, 0)]]),
];

/// What a server needs that calls a database and an object store: connecting, and looking up names, which is done by
/// datagrams and by asking the kernel which addresses there are. Which ports, Landlock says.
const CALLING: &[(c_long, &[&[Condition]])] = &[
    (libc::SYS_connect, &[]),
    (libc::SYS_sendmmsg, &[&[is_in(3, bits(libc::MSG_FASTOPEN), 0)]]),
    (
        libc::SYS_socket,
        &[
            &[is(0, bits(libc::AF_INET)), is_in(1, SOCKET_KIND, bits(libc::SOCK_DGRAM)), is(2, 0)],
            &[is(0, bits(libc::AF_INET6)), is_in(1, SOCKET_KIND, bits(libc::SOCK_DGRAM)), is(2, 0)],
            &[is(0, bits(libc::AF_NETLINK)), is_in(1, SOCKET_KIND, bits(libc::SOCK_RAW)), is(2, 0)],
            // As the runtime makes those by which it connects.
            &[
                is(0, bits(libc::AF_INET)),
                is_in(1, SOCKET_KIND, bits(libc::SOCK_STREAM)),
                is(2, bits(libc::IPPROTO_TCP)),
            ],
            &[
                is(0, bits(libc::AF_INET6)),
                is_in(1, SOCKET_KIND, bits(libc::SOCK_STREAM)),
                is(2, bits(libc::IPPROTO_TCP)),
            ],
        ],
    ),
    (libc::SYS_ioctl, &[&[is(1, libc::FIONREAD)]]),
];

/// How many system calls may be used, by a server that calls others or by one that does not.
#[must_use]
pub fn calls(calls_others: bool) -> usize {
    let known = |call: &c_long| LIMITED.iter().any(|(other, _)| other == call);
    let more = CALLING.iter().filter(|(call, _)| calls_others && !known(call)).count();
    CALLS.len() + OLDER.len() + LIMITED.len() + more
}

/// Refuses all others from now on.
pub(super) fn enter(calls_others: bool) -> Result<(), SandboxError> {
    let fail = |error: io::Error| SandboxError::System { what: "limit the system calls", source: error };
    for program in programs(calls_others).map_err(|error| fail(io::Error::other(error)))? {
        apply_filter(&program).map_err(|error| fail(io::Error::other(error)))?;
    }
    Ok(())
}

fn programs(calls_others: bool) -> Result<[BpfProgram; 2], BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        CALLS.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    let calling = if calls_others { CALLING } else { &[] };
    for (call, lists) in LIMITED.iter().chain(calling) {
        let condition = |Condition { argument, mask, value }: &Condition| {
            SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(*mask), *value)
        };
        let rule =
            |list: &&[Condition]| SeccompRule::new(list.iter().map(condition).collect::<Result<_, _>>()?);
        let more = lists.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        rules.entry(*call).or_default().extend(more);
    }
    let errno = |error: i32| SeccompAction::Errno(error.unsigned_abs());
    // Its flags lie in memory, where a filter cannot see them: the C library takes clone then, as on an old kernel.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let first = SeccompFilter::new(clone3, SeccompAction::Allow, errno(libc::ENOSYS), arch)?;
    let second = SeccompFilter::new(rules, errno(libc::EPERM), SeccompAction::Allow, arch)?;
    Ok([first.try_into()?, second.try_into()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_made_and_name_no_call_twice() {
        for calls_others in [false, true] {
            programs(calls_others).unwrap();
        }
        let limited = LIMITED.iter().map(|(call, _)| call);
        let mut all: Vec<&c_long> = CALLS.iter().chain(OLDER).chain(limited).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), calls(false));
        assert_eq!(all.len() + 2, calls(true));
        for refused in [libc::SYS_execve, libc::SYS_ptrace, libc::SYS_mount, libc::SYS_setuid, libc::SYS_bpf]
        {
            assert!(!all.contains(&&refused));
        }
    }
}
