/* syscall_table.c - every system call up to Linux 6.18, and its answer.
 *
 * A call that has no row gets ENOSYS, as has a number that a newer kernel
 * adds: the table is a list of what is allowed.  The refused rows are here
 * for their errno (libc and programs fall back on the right one) and for
 * their reason.  Arguments are judged in syscall_rules.c.
 *
 * The numbers stand here for both architectures, so that each is built and
 * tested on the other; a test compares them with <sys/syscall.h>. */
#include "sys/syscall_table.h"

#include <errno.h>

#include "base/scoped.h"

#define NO (-1)

/* clang-format off */

/* Allowed; decided by rules_<list>, else by the verdict; refused. */
#define A(id, x86, arm) { #id, { x86, arm }, SC_ALLOW, NULL, NULL }
#define C(id, x86, arm, verdict, list) \
    { #id, { x86, arm }, verdict, rules_##list, why_##list }
#define R(id, x86, arm, errno_, why) \
    { #id, { x86, arm }, SC_FAIL(errno_), NULL, why_##why }
/* Refused to a workload, not to the user-space kernel around one. */
#define S(id, x86, arm, errno_, why) \
    { #id, { x86, arm }, SC_FAIL(errno_), rules_sentry, why_##why }

static const char
    why_open[] =
        "a set-user-ID file outlives the sandbox; a new name may be denied",
    why_preadv2[] = "RWF_NOWAIT tells which pages of a file others have read",
    why_creat[] = "a set-user-ID file outlives the sandbox; a new name may be "
                  "denied",
    why_fcntl[] = "a lease stalls whoever opens the file on the host",
    why_naming[] = "the new name may be a denied one",
    why_chmod_1[] = "a set-user-ID file outlives the sandbox",
    why_chmod_2[] = "a set-user-ID file outlives the sandbox",
    why_mknod[] = "a set-user-ID file outlives the sandbox; a new name may be "
                  "denied",
    why_mknodat[] =
        "a set-user-ID file outlives the sandbox; a new name may be denied",
    why_openat[] =
        "a set-user-ID file outlives the sandbox; a new name may be denied",
    why_ioctl[] = "only requests for files, sockets and the use of a terminal "
                  "are known to be safe",
    why_clone[] = "a new namespace opens much of the kernel",
    why_unshare[] = "a new namespace opens much of the kernel",
    why_setrlimit[] = "a core limit of 0 has the host handle a crash",
    why_prlimit64[] = "the limits of others are not its own; a core limit of 0 "
                      "has the host handle a crash",
    why_prctl[] = "only what is known to be about the caller alone",
    why_arch_prctl[] = "only what is known to be about the caller alone",
    why_personality[] = "undoes the hardening of what is executed next",
    why_socket[] =
        "only sockets for Unix, TCP, UDP and routes; no other kernel code",
    why_socketpair[] = "only sockets for Unix; no other kernel code",
    why_bind[] = "names a socket, and makes a file",
    why_connect[] = "reaches a socket by its name",
    why_send_2[] = "out-of-band data had CVE-2025-38236",
    why_send_3[] = "out-of-band data had CVE-2025-38236",
    why_setsockopt[] = "TLS and SMC inside the kernel",
    why_seccomp[] =
        "may tighten; a second listener would come before the broker",
    why_landlock[] = "the broker's calls are not in a domain of the caller's",
    why_iouring[] = "what it is asked to do never passes this filter",
    why_uffd[] = "stops the kernel in the middle of a copy",
    why_bpf[] = "loads programs into the kernel",
    why_perf[] = "large interface that watches other programs",
    why_keys[] = "keyrings belong to the user, not to the sandbox",
    why_others[] = "reads or steers another process",
    why_view[] = "changes the view of the file system",
    why_setns[] = "enters another namespace",
    why_handles[] = "names a file past every path check",
    why_code[] = "loads or replaces kernel code",
    why_admin[] = "administers the machine",
    why_clock[] = "reads or sets the machine's clock discipline",
    why_ports[] = "old processor interface with a history of holes",
    why_numa[] = "chooses among the machine's memory nodes",
    why_clone3[] = "its flags are in memory; libc falls back to clone",
    why_openat2[] = "its flags are in memory; programs fall back to openat",
    why_aio[] = "old and often broken; its few users fall back",
    why_cached[] = "tells which pages of a file others have read",
    why_mounts[] = "mount details of the host; libmount falls back to /proc",
    why_flags[] = "sets inode flags that outlive the sandbox",
    why_unneeded[] = "no ordinary program needs it",
    why_probes[] = "for the kernel's own probes, which pass by filters",
    why_gone[] = "not in a 64-bit kernel (any more)";

const struct syscall_row syscall_rows[] = {
    /* files */
    A(read, 0, 63), A(write, 1, 64), A(close, 3, 57), A(stat, 4, NO),
    A(fstat, 5, 80), A(lstat, 6, NO), A(lseek, 8, 62), A(pread64, 17, 67),
    A(pwrite64, 18, 68), A(readv, 19, 65), A(writev, 20, 66),
    A(preadv, 295, 69), A(pwritev, 296, 70), A(pwritev2, 328, 287),
    A(access, 21, NO), A(faccessat, 269, 48), A(faccessat2, 439, 439),
    A(dup, 32, 23), A(dup2, 33, NO), A(dup3, 292, 24), A(flock, 73, 32),
    A(fsync, 74, 82), A(fdatasync, 75, 83), A(sync, 162, 81),
    A(syncfs, 306, 267), A(sync_file_range, 277, 84), A(truncate, 76, 45),
    A(ftruncate, 77, 46), A(fallocate, 285, 47), A(fadvise64, 221, 223),
    A(readahead, 187, 213), A(getdents, 78, NO), A(getdents64, 217, 61),
    A(getcwd, 79, 17), A(chdir, 80, 49), A(fchdir, 81, 50), A(rmdir, 84, NO),
    A(unlink, 87, NO), A(unlinkat, 263, 35), A(readlink, 89, NO),
    A(readlinkat, 267, 78), A(chown, 92, NO), A(fchown, 93, 55),
    A(lchown, 94, NO), A(fchownat, 260, 54), A(umask, 95, 166),
    A(utime, 132, NO), A(utimes, 235, NO), A(utimensat, 280, 88),
    A(futimesat, 261, NO), A(statfs, 137, 43), A(fstatfs, 138, 44),
    A(newfstatat, 262, 79), A(statx, 332, 291), A(close_range, 436, 436),
    A(setxattr, 188, 5), A(lsetxattr, 189, 6), A(fsetxattr, 190, 7),
    A(setxattrat, 463, 463), A(getxattr, 191, 8), A(lgetxattr, 192, 9),
    A(fgetxattr, 193, 10), A(getxattrat, 464, 464), A(listxattr, 194, 11),
    A(llistxattr, 195, 12), A(flistxattr, 196, 13), A(listxattrat, 465, 465),
    A(removexattr, 197, 14), A(lremovexattr, 198, 15), A(fremovexattr, 199, 16),
    A(removexattrat, 466, 466), A(file_getattr, 468, 468),
    A(copy_file_range, 326, 285), A(sendfile, 40, 71), A(splice, 275, 76),
    A(tee, 276, 77), A(vmsplice, 278, 75), A(pipe, 22, NO), A(pipe2, 293, 59),
    A(memfd_create, 319, 279), A(inotify_init, 253, NO),
    A(inotify_init1, 294, 26), A(inotify_add_watch, 254, 27),
    A(inotify_rm_watch, 255, 28),
    C(open, 2, NO, SC_ALLOW, open),
    C(preadv2, 327, 286, SC_ALLOW, preadv2),
    C(openat, 257, 56, SC_ALLOW, openat),
    C(creat, 85, NO, SC_ALLOW, creat),
    C(fcntl, 72, 25, SC_ALLOW, fcntl),
    C(rename, 82, NO, SC_ALLOW, naming),
    C(renameat, 264, 38, SC_ALLOW, naming),
    C(renameat2, 316, 276, SC_ALLOW, naming),
    C(mkdir, 83, NO, SC_ALLOW, naming),
    C(mkdirat, 258, 34, SC_ALLOW, naming),
    C(link, 86, NO, SC_ALLOW, naming),
    C(linkat, 265, 37, SC_ALLOW, naming),
    C(symlink, 88, NO, SC_ALLOW, naming),
    C(symlinkat, 266, 36, SC_ALLOW, naming),
    C(chmod, 90, NO, SC_ALLOW, chmod_1),
    C(fchmod, 91, 52, SC_ALLOW, chmod_1),
    C(fchmodat, 268, 53, SC_ALLOW, chmod_2),
    C(fchmodat2, 452, 452, SC_ALLOW, chmod_2),
    C(mknod, 133, NO, SC_ALLOW, mknod),
    C(mknodat, 259, 33, SC_ALLOW, mknodat),
    C(ioctl, 16, 29, SC_FAIL(ENOTTY), ioctl),

    /* waiting */
    A(poll, 7, NO), A(ppoll, 271, 73), A(select, 23, NO), A(pselect6, 270, 72),
    A(epoll_create, 213, NO), A(epoll_create1, 291, 20), A(epoll_ctl, 233, 21),
    A(epoll_wait, 232, NO), A(epoll_pwait, 281, 22), A(epoll_pwait2, 441, 441),
    A(eventfd, 284, NO), A(eventfd2, 290, 19), A(signalfd, 282, NO),
    A(signalfd4, 289, 74), A(timerfd_create, 283, 85),
    A(timerfd_settime, 286, 86), A(timerfd_gettime, 287, 87),

    /* memory */
    A(mmap, 9, 222), A(mprotect, 10, 226), A(munmap, 11, 215), A(brk, 12, 214),
    A(mremap, 25, 216), A(msync, 26, 227), A(madvise, 28, 233),
    A(mlock, 149, 228), A(mlock2, 325, 284), A(munlock, 150, 229),
    A(mlockall, 151, 230), A(munlockall, 152, 231), A(membarrier, 324, 283),
    A(pkey_mprotect, 329, 288), A(pkey_alloc, 330, 289), A(pkey_free, 331, 290),
    A(map_shadow_stack, 453, 453), A(mseal, 462, 462),
    A(get_mempolicy, 239, 236),

    /* processes and threads */
    A(fork, 57, NO), A(vfork, 58, NO), A(execve, 59, 221),
    A(execveat, 322, 281), A(exit, 60, 93), A(exit_group, 231, 94),
    A(wait4, 61, 260), A(waitid, 247, 95), A(getpid, 39, 172),
    A(getppid, 110, 173), A(gettid, 186, 178), A(getpgid, 121, 155),
    A(setpgid, 109, 154), A(getpgrp, 111, NO), A(getsid, 124, 156),
    A(setsid, 112, 157), A(set_tid_address, 218, 96),
    A(set_robust_list, 273, 99), A(get_robust_list, 274, 100),
    A(futex, 202, 98), A(futex_waitv, 449, 449), A(rseq, 334, 293),
    A(sched_yield, 24, 124), A(sched_setparam, 142, 118),
    A(sched_getparam, 143, 121), A(sched_setscheduler, 144, 119),
    A(sched_getscheduler, 145, 120), A(sched_setattr, 314, 274),
    A(sched_getattr, 315, 275), A(sched_get_priority_max, 146, 125),
    A(sched_get_priority_min, 147, 126), A(sched_rr_get_interval, 148, 127),
    A(sched_setaffinity, 203, 122), A(sched_getaffinity, 204, 123),
    A(getpriority, 140, 141), A(setpriority, 141, 140), A(ioprio_set, 251, 30),
    A(ioprio_get, 252, 31), A(getrlimit, 97, 163),
    A(getrusage, 98, 165), A(times, 100, 153),
    A(sysinfo, 99, 179), A(uname, 63, 160), A(getcpu, 309, 168),
    A(getrandom, 318, 278), A(pidfd_open, 434, 434),
    A(pidfd_send_signal, 424, 424), A(restart_syscall, 219, 128),
    C(clone, 56, 220, SC_FAIL(EPERM), clone),
    C(setrlimit, 160, 164, SC_ALLOW, setrlimit),
    C(prlimit64, 302, 261, SC_FAIL(EPERM), prlimit64),
    C(prctl, 157, 167, SC_FAIL(EINVAL), prctl),
    C(arch_prctl, 158, NO, SC_FAIL(EINVAL), arch_prctl),
    C(unshare, 272, 97, SC_FAIL(EPERM), unshare),
    C(personality, 135, 92, SC_FAIL(EPERM), personality),

    /* identity (powerless without capabilities) */
    A(getuid, 102, 174), A(geteuid, 107, 175), A(getgid, 104, 176),
    A(getegid, 108, 177), A(getresuid, 118, 148), A(getresgid, 120, 150),
    A(getgroups, 115, 158), A(setuid, 105, 146), A(setgid, 106, 144),
    A(setreuid, 113, 145), A(setregid, 114, 143), A(setresuid, 117, 147),
    A(setresgid, 119, 149), A(setfsuid, 122, 151), A(setfsgid, 123, 152),
    A(setgroups, 116, 159), A(capget, 125, 90), A(capset, 126, 91),

    /* signals and time */
    A(rt_sigaction, 13, 134), A(rt_sigprocmask, 14, 135),
    A(rt_sigreturn, 15, 139), A(rt_sigpending, 127, 136),
    A(rt_sigtimedwait, 128, 137), A(rt_sigqueueinfo, 129, 138),
    A(rt_tgsigqueueinfo, 297, 240), A(rt_sigsuspend, 130, 133),
    A(sigaltstack, 131, 132), A(kill, 62, 129), A(tkill, 200, 130),
    A(tgkill, 234, 131), A(pause, 34, NO), A(alarm, 37, NO),
    A(getitimer, 36, 102), A(setitimer, 38, 103), A(nanosleep, 35, 101),
    A(clock_gettime, 228, 113), A(clock_getres, 229, 114),
    A(clock_nanosleep, 230, 115), A(gettimeofday, 96, 169), A(time, 201, NO),
    A(timer_create, 222, 107), A(timer_settime, 223, 110),
    A(timer_gettime, 224, 108), A(timer_getoverrun, 225, 109),
    A(timer_delete, 226, 111),

    /* sockets */
    A(listen, 50, 201), A(accept, 43, 202), A(accept4, 288, 242),
    A(getsockname, 51, 204), A(getpeername, 52, 205), A(recvfrom, 45, 207),
    A(recvmsg, 47, 212), A(recvmmsg, 299, 243), A(shutdown, 48, 210),
    A(getsockopt, 55, 209),
    C(socket, 41, 198, SC_FAIL(EAFNOSUPPORT), socket),
    C(socketpair, 53, 199, SC_FAIL(EAFNOSUPPORT), socketpair),
    C(bind, 49, 200, SC_ALLOW, bind),
    C(connect, 42, 203, SC_ALLOW, connect),
    C(sendto, 44, 206, SC_ALLOW, send_3),
    C(sendmsg, 46, 211, SC_ALLOW, send_2),
    C(sendmmsg, 307, 269, SC_ALLOW, send_3),
    C(setsockopt, 54, 208, SC_ALLOW, setsockopt),

    /* own IPC namespace */
    A(shmget, 29, 194), A(shmat, 30, 196), A(shmctl, 31, 195),
    A(shmdt, 67, 197), A(semget, 64, 190), A(semop, 65, 193),
    A(semtimedop, 220, 192), A(semctl, 66, 191), A(msgget, 68, 186),
    A(msgsnd, 69, 189), A(msgrcv, 70, 188), A(msgctl, 71, 187),
    A(mq_open, 240, 180), A(mq_unlink, 241, 181), A(mq_timedsend, 242, 182),
    A(mq_timedreceive, 243, 183), A(mq_notify, 244, 184),
    A(mq_getsetattr, 245, 185),

    /* confining oneself further */
    C(landlock_create_ruleset, 444, 444, SC_ALLOW, landlock),
    A(landlock_add_rule, 445, 445), A(landlock_restrict_self, 446, 446),
    C(seccomp, 317, 277, SC_FAIL(EINVAL), seccomp),

    /* refused, but to a user-space kernel */
    S(ptrace, 101, 117, EPERM, others), S(mount, 165, 40, EPERM, view),
    S(umount2, 166, 39, EPERM, view), S(pivot_root, 155, 41, EPERM, view),
    S(chroot, 161, 51, EPERM, view), S(mincore, 27, 232, ENOSYS, cached),

    /* refused */
    R(io_uring_setup, 425, 425, EPERM, iouring),
    R(io_uring_enter, 426, 426, EPERM, iouring),
    R(io_uring_register, 427, 427, EPERM, iouring),
    R(userfaultfd, 323, 282, EPERM, uffd),
    R(bpf, 321, 280, EPERM, bpf),
    R(perf_event_open, 298, 241, EPERM, perf),
    R(fanotify_init, 300, 262, EPERM, perf),
    R(fanotify_mark, 301, 263, EPERM, perf),
    R(add_key, 248, 217, EPERM, keys), R(request_key, 249, 218, EPERM, keys),
    R(keyctl, 250, 219, EPERM, keys),
    R(process_vm_readv, 310, 270, EPERM, others),
    R(process_vm_writev, 311, 271, EPERM, others),
    R(pidfd_getfd, 438, 438, EPERM, others), R(kcmp, 312, 272, EPERM, others),
    R(process_madvise, 440, 440, EPERM, others),
    R(process_mrelease, 448, 448, EPERM, others),
    R(fsopen, 430, 430, EPERM, view), R(fsconfig, 431, 431, EPERM, view),
    R(fsmount, 432, 432, EPERM, view), R(fspick, 433, 433, EPERM, view),
    R(move_mount, 429, 429, EPERM, view), R(open_tree, 428, 428, EPERM, view),
    R(open_tree_attr, 467, 467, EPERM, view),
    R(mount_setattr, 442, 442, EPERM, view),
    R(setns, 308, 268, EPERM, setns),
    R(name_to_handle_at, 303, 264, EPERM, handles),
    R(open_by_handle_at, 304, 265, EPERM, handles),
    R(init_module, 175, 105, EPERM, code),
    R(finit_module, 313, 273, EPERM, code),
    R(delete_module, 176, 106, EPERM, code),
    R(kexec_load, 246, 104, EPERM, code),
    R(kexec_file_load, 320, 294, EPERM, code),
    R(reboot, 169, 142, EPERM, admin), R(swapon, 167, 224, EPERM, admin),
    R(swapoff, 168, 225, EPERM, admin), R(acct, 163, 89, EPERM, admin),
    R(quotactl, 179, 60, EPERM, admin), R(quotactl_fd, 443, 443, EPERM, admin),
    R(syslog, 103, 116, EPERM, admin), R(vhangup, 153, 58, EPERM, admin),
    R(sethostname, 170, 161, EPERM, admin),
    R(setdomainname, 171, 162, EPERM, admin),
    R(settimeofday, 164, 170, EPERM, clock),
    R(clock_settime, 227, 112, EPERM, clock),
    R(adjtimex, 159, 171, EPERM, clock),
    R(clock_adjtime, 305, 266, EPERM, clock),
    R(iopl, 172, NO, EPERM, ports), R(ioperm, 173, NO, EPERM, ports),
    R(modify_ldt, 154, NO, EPERM, ports),
    R(mbind, 237, 235, EPERM, numa), R(set_mempolicy, 238, 237, EPERM, numa),
    R(set_mempolicy_home_node, 450, 450, EPERM, numa),
    R(migrate_pages, 256, 238, EPERM, numa),
    R(move_pages, 279, 239, EPERM, numa),
    R(clone3, 435, 435, ENOSYS, clone3),
    R(openat2, 437, 437, ENOSYS, openat2),
    R(io_setup, 206, 0, ENOSYS, aio), R(io_destroy, 207, 1, ENOSYS, aio),
    R(io_submit, 209, 2, ENOSYS, aio), R(io_cancel, 210, 3, ENOSYS, aio),
    R(io_getevents, 208, 4, ENOSYS, aio),
    R(io_pgetevents, 333, 292, ENOSYS, aio),
    R(cachestat, 451, 451, ENOSYS, cached),
    R(statmount, 457, 457, ENOSYS, mounts),
    R(listmount, 458, 458, ENOSYS, mounts),
    R(file_setattr, 469, 469, EOPNOTSUPP, flags),
    R(memfd_secret, 447, 447, ENOSYS, unneeded),
    R(futex_wake, 454, 454, ENOSYS, unneeded),
    R(futex_wait, 455, 455, ENOSYS, unneeded),
    R(futex_requeue, 456, 456, ENOSYS, unneeded),
    R(lsm_get_self_attr, 459, 459, ENOSYS, unneeded),
    R(lsm_set_self_attr, 460, 460, ENOSYS, unneeded),
    R(lsm_list_modules, 461, 461, ENOSYS, unneeded),
    R(remap_file_pages, 216, 234, ENOSYS, unneeded),
    R(sysfs, 139, NO, ENOSYS, unneeded), R(ustat, 136, NO, ENOSYS, unneeded),
    R(uselib, 134, NO, ENOSYS, unneeded),
    R(uretprobe, 335, NO, ENOSYS, probes), R(uprobe, 336, NO, ENOSYS, probes),
    R(_sysctl, 156, NO, ENOSYS, gone), R(create_module, 174, NO, ENOSYS, gone),
    R(get_kernel_syms, 177, NO, ENOSYS, gone),
    R(query_module, 178, NO, ENOSYS, gone),
    R(nfsservctl, 180, 42, ENOSYS, gone), R(getpmsg, 181, NO, ENOSYS, gone),
    R(putpmsg, 182, NO, ENOSYS, gone), R(afs_syscall, 183, NO, ENOSYS, gone),
    R(tuxcall, 184, NO, ENOSYS, gone), R(security, 185, NO, ENOSYS, gone),
    R(lookup_dcookie, 212, 18, ENOSYS, gone),
    R(set_thread_area, 205, NO, ENOSYS, gone),
    R(get_thread_area, 211, NO, ENOSYS, gone),
    R(epoll_ctl_old, 214, NO, ENOSYS, gone),
    R(epoll_wait_old, 215, NO, ENOSYS, gone), R(vserver, 236, NO, ENOSYS, gone),
};
/* clang-format on */

const size_t syscall_nrows = ARRAY_LEN(syscall_rows);
