"""backends.py - what the suites know of each backend, in one place.

BACKENDS says what a backend needs of its host and which features it claims:
tests/backends holds it to both, `mxc tables` must say the same.  KNOWN lists
the tests that end differently on it, each with its reason; what is listed and
ends as everywhere else is a failure, so no entry outlives its reason.
docs/backends.md shows all of it.
"""

import collections
import os
import re

# name of the feature: (its bit in `mxc tables`, how pages call it)
FEATURES = {
    'filesystem': (0, 'filesystem rules'),
    'no network': (1, 'no network'),
    'egress': (2, 'rules for outgoing connections, by address and port'),
    'names': (13, 'rules for outgoing connections, by host name'),
    'forward': (12, "single ports of the host's loopback, both ways"),
    'proxy': (5, 'a proxy of the host'),
    'built-in proxy': (14, 'the built-in proxy'),
    'ingress': (3, 'incoming connections from other machines'),
    'loopback': (4, "every port of the host's loopback"),
    'no ui': (6, 'no user interface'),
    'ui': (7, 'display, clipboard, input'),
    'timeout': (10, 'timeout'),
    'tty': (11, 'terminal of its own'),
    'limits': (8, 'limits of memory, processor, output'),
    'denials': (15, 'a report of what was refused'),
    'copies': (16, 'writable grants that keep nothing'),
    'verify': (17, 'walls that the sandbox tries itself'),
    'keep': (9, 'what a run wrote, kept for the next of its name'),
}

_NO = {'ingress', 'loopback', 'ui', 'keep'}
# Those that our launcher has to make the sandbox for.
_LAUNCHED = {'denials', 'copies', 'verify'}

# needs: programs of the host.  runtime: names of its processes, for the tests
# that kill them.  pace: the share of the rounds that a test of chances makes,
# where a system call costs more.  start: seconds within which all its parts
# are there.  absent: it can deny what does not exist yet.  has_image: its root
# is an image's.  sessions: it keeps them.
Backend = collections.namedtuple(
    'Backend', 'needs runtime features pace start absent has_image sessions',
    defaults=(1, 0.03, True, False, True))

BACKENDS = {
    'native': Backend((), (), set(FEATURES) - _NO),
    'bubblewrap': Backend(('bwrap',), ('bwrap',), set(FEATURES) - _NO - {'copies'}),
    'gvisor': Backend(('runsc',), ('runsc', 'exe'),
                      set(FEATURES) - _NO - {'tty'} - _LAUNCHED, pace=0.05,
                      start=0.3, absent=False, sessions=False),
    'lxc': Backend((), ('mxc-lxc',), set(FEATURES) - _NO - _LAUNCHED | {'keep'},
                   has_image=True),
}

# The first needs no word on the command line.
REFERENCE = 'native'

# Where KNOWN and the results have what is seen of the reference when each run is
# a command of a session.
SESSION = 'session'
# Files of attacks that are not made there.
NOT_IN_SESSION = {
    'test_lifecycle.py': 'about the end of a run: what a command of a session '
                         'leaves running lives as long as the session',
    'test_network_lifecycle.py': 'about the end of a run: the gateway of a '
                                 'session outlives its commands',
    'test_gvisor.py': 'gvisor keeps no sessions',
    **{name: 'makes sessions of its own'
       for name in ('test_cp.py', 'test_session.py', 'test_session_layer.py')}}

# kind: 'differently' (held, by another mechanism or with another errno),
# 'refused' (the backend names the clause), 'weaker'.  says: a part of what the
# test prints when it fails, or a tuple of such, one for each way, so that
# nothing else passes for it.  only: 'root' or 'user', where the other caller
# gets what everybody gets.  some: of the tests of a pattern some end as
# everywhere, at least one does not.
Known = collections.namedtuple('Known', 'kind why says only some',
                               defaults=(None, False))
KINDS = ('differently', 'refused', 'weaker')

def _rows(file, kind, why, says, names, **more):
    """The same entry for several tests of a file."""
    return {f'{file}: {name}': Known(kind, why, says, **more)
            for name in names}


def _differently(file, *rows, **more):
    """(names of tests, why, says)"""
    table = {}
    for names, why, says in rows:
        names = (names,) if isinstance(names, str) else names
        table.update(_rows(file, 'differently', why, says, names, **more))
    return table


_ABSENT = ('a denied path that does not exist yet is refused before anything '
           'runs')
_ERRNO = 'another errno for the same refusal: gVisor\'s'
_OWN = 'it is the sentry\'s own, which the host does not see'
_YES = ('gVisor says yes and the host\'s mount says no: nothing changes '
        '(`escape/test_gvisor.py` looks)')
_PID1 = 'number 1 is the workload itself: there is no init inside to be reached'
_NO_CALL = 'gVisor has no such call, file or device, or only its own'


def _gvisor_absent():
    file = 'escape/test_absent.py'
    return {
        **_rows(file, 'refused', _ABSENT, 'cannot deny', (
            'b10_a_missing_denied_name_is_not_made: *', 'b10_by_programs: *',
            'b10_nine_levels_deep: *', 'b10_the_way_there_stays_usable',
            'b10_the_name_stays_missing_for_those_who_look',
            'b10_w6_nothing_is_left_however_it_ends',
            'b5_b10_a_race_does_not_make_the_name')),
        **_rows(file, 'refused', _ABSENT, "got b'', want b'up\\n'", (
            'b10_w6_nothing_is_left_after_a_kill',
            'b10_a_missing_denied_name_that_the_host_makes: depth *')),
        **_differently(
            file, ('w6_missing_below_what_cannot_be_written: base', _ERRNO,
                   "got 'EACCES', want 'EROFS'"), only='user')}


def _gvisor_files():
    denied, paths = 'escape/test_denied.py', 'escape/test_paths.py'
    return {
        **_rows(denied, 'differently', _ERRNO,
                tuple(f'got {e}: ' for e in (
                    'EINVAL', 'EPERM', 'EACCES', 'ENOTSUP')),
                ('b9_every_call_is_refused: *', 'b7_ancestors_are_pinned: *',
                 'b3_b8_nothing_crosses: *'), some=True),
        **_differently(
            denied,
            ('b9_every_call_is_refused: inotify', 'gVisor watches what is done '
             'inside; there the mask is without anything to watch', 'got done'),
            ('b17_masks_are_not_the_workloads_to_move: clone the tree',
             _NO_CALL, "got 'ENOSYS'"),
            ('b17_no_nested_user_namespace_to_unmask_in', 'namespaces inside '
             'are the sentry\'s own; the masks are mounts of the host, below '
             'it (`escape/test_gvisor.py` tries to take them off)', 'got done'),
            ('b7_read_only_inside_writable_is_pinned_too', _YES,
             'os.chmod(F, 0o777): got None'),
            ('b11_a_symlink_on_the_way_stays', _ERRNO, "got 'EINVAL'")),
        **_differently(
            denied, ('b11_a_denied_path_in_an_unreadable_parent', _ERRNO,
                     "got 'EPERM', want 'EOVERFLOW'"), only='user'),
        **_rows(denied, 'refused', _ABSENT, 'cannot deny',
                ('b11_a_denied_dangling_symlink',)),
        **_differently(paths, ('b14_mapped_files', _NO_CALL, "got 'ENOENT'"))}


def _gvisor_identity():
    file = 'escape/test_identity.py'
    return {
        **_rows(file, 'differently', _NO_CALL, 'got ENOENT',
                ('d8_kernel_details_are_masked: *',
                 'd8_what_root_could_read_is_masked: *',
                 'd8_device_trees_are_masked: *',
                 'd8_device_trees_of_root_are_masked: *'), some=True),
        **_differently(
            file,
            ('d8_kernel_details_are_masked: cmdline', _OWN, 'got done'),
            (tuple(f'd8_places_of_the_host_are_not_there: /sys/{n}' for n in (
                'kernel', 'firmware', 'class/net', 'fs/cgroup')), 'a folder of '
             'gVisor\'s own /sys, empty or with what is the sandbox\'s',
             'got done'),
            (('d8_names_of_the_machine_are_synthetic: boot id',
              'd13_ids_differ_from_run_to_run'), _NO_CALL,
             'boot_id: No such file'),
            ('d8_no_address_of_the_host', _NO_CALL,
             "'/proc/sys/net/ipv4/conf'"),
            ('d8_mounts_name_no_place_that_was_not_granted', 'a grant is no '
             'mount inside: one name less', 'trans=fd'),
            ('w1_no_capability_for_any_caller', 'its /proc/self/status has no '
             'line for ambient capabilities', 'got 4, want 5'),
            ('identity_cannot_be_changed', _ERRNO, "got 'EPERM'"),
            ('w7_signal_masks_of_the_caller_do_not_reach_the_workload',
             'its /proc/self/status has no lines of signals', '^Sig[BI]'),
            ('w31_own_session_and_no_terminal', _ERRNO, "got 'EIO'")),
        **_differently(
            file,
            ('w1_a_root_caller_cannot_write_what_is_read_only', _YES,
             "got None, want 'EROFS'"),
            ('w1_a_root_caller_gives_nothing_away', _ERRNO, "got 'EPERM'"),
            ('w1_standard_streams_are_no_way_to_dev_null', _YES,
             "got 'done', want 'refused EROFS'"), only='root'),
        **_differently(
            file, ('identity_is_the_callers', 'the caller\'s only number inside '
                   'is 0, without a capability; its files are the caller\'s',
                   "got '0', want"), only='user'),
        **_differently(
            file, ('w1_device_files_of_the_host_keep_their_modes: *',
                   _OWN + ' (`escape/test_gvisor.py` looks)',
                   ("got None, want 'EROFS'", "want 'EROFS'")))}


def _gvisor_kernel():
    file = 'escape/test_kernel.py'
    return _differently(
        file,
        (('e1_io_uring', 'e2_userfaultfd', 'e4_perf_event_open', 'e5_keys',
          'e7_mounts', 'e9_kernel_code_and_the_machine', 'e10_file_handles',
          'e12_personality_and_descriptor_tables', 'e16_terminal_requests',
          'e17_fanotify', 'e18_widths_of_arguments'), 'gVisor answers, and '
         'mostly has no such call', 'want EPERM, got {'),
        ('e6_other_processes', _OWN + ': its own children it may trace',
         "'ptrace(16, c, 0, 0)': 'ok'"),
        (('e8_new_namespaces', 'e8_clone_into_new_namespaces'),
         'namespaces inside are the sentry\'s own; the host\'s it cannot make',
         "': 'ok'"),
        ('e15_nothing_behind_a_user_namespace', 'namespaces inside are the '
         'sentry\'s own, and so is what is behind them', 'got done'),
        ('e8_no_descriptor_leads_to_another_namespace', _NO_CALL,
         "mnt: got 'ENOENT'"),
        ('e9_calls_of_old_kernels', _ERRNO, "'lookup_dcookie(0, 0, 0)': "
         "'EPERM'"),
        ('e11_a_second_filter_does_not_weaken_the_first', 'the first filter is '
         'the host\'s, below the sentry; inside there is none to weaken',
         "got None, want 'EPERM'"),
        ('e11_walls_cannot_be_taken_down', 'the filter is the host\'s, below '
         'the sentry: inside it is not told of', "got '1 0', want '1 2'"),
        ('e11_setuid_programs_give_nothing', 'no flag nosuid is told inside; '
         'no_new_privs and the host\'s mounts hold', "got 'False'"),
        (('e14_socket_families', 'e14_netlink_protocols', 'e14_rare_protocols',
          'e14_rare_socket_types'), 'sockets are the '
         'sentry\'s; what it has, and with which errno it refuses, differs',
         ', got {'),
        ('e16_file_requests', _ERRNO, 'got ENOTTY'),
        ('e16_devices_are_not_there: tun', _OWN, 'got done'),
        ('e16_devices_are_not_there: fuse', _OWN, 'got done'),
        ('e16_devices_cannot_be_made', 'in its own /tmp and /dev, where a '
         'device of the host has no meaning', 'stdout: done'),
        ('e17_inotify_flood_is_bounded', _OWN + ': none of the host\'s is '
         'used up', "got 'done"),
        ('e18_doors_of_other_architectures', 'other doors lead to gVisor as '
         'well, which has no calls there', 'want status 159'),
        ('e19_processes_of_the_host_have_no_number_inside', _ERRNO,
         'got ENOSYS'),
        ('e19_signals_to_all_reach_only_the_sandbox', _PID1, 'want status 0'),
        ('e19_init_survives_what_it_can_be_sent', _PID1, 'got 129'),
        ('e19_limits_of_init_cannot_be_set', _PID1, "got None, want 'EPERM'"))


def _gvisor_processes():
    ipc, proc = 'escape/test_ipc.py', 'escape/test_proc.py'
    return {
        **_differently(
            ipc,
            (('f1_a_socket_of_the_host_is_not_connected_to: *',
              'f1_by_another_name: *',
              'f6_a_socket_of_the_host_that_passes_them_is_not_reached'),
             'gVisor opens no socket of the host', 'got EPERM: '),
            ('f1_a_datagram_needs_no_connection',
             'gVisor opens no socket of the host', "got 'EPERM'"),
            ('f1_a_race_between_two_sockets', 'names are not exchanged '
             '(`renameat2`), so that nothing races', 'the race was no race'),
            ('f6_a_socket_as_a_stream_is_the_callers_word',
             'streams are pipes', "got 'refused ENOTSOCK")),
        **_differently(
            proc,
            ('w13_init_shows_neither_policy_nor_command', _PID1,
             "want 'mxc-init'"),
            ('d2_init_cannot_be_entered_by_descriptor', _NO_CALL,
             "got 'ENOSYS'"),
            (('d4_stdin_that_is_read_only_stays_so',
              'd4_stdout_cannot_be_read_back'), 'streams are pipes, open one '
             'way', 'refused EBADF'),
            ('d5_programs_of_the_sandbox_are_out_of_reach', _PID1,
             ("got 'ETXTBSY'", "got 'EROFS'", "got None, want 'EACCES'")),
            ('d9_a_crash_starts_no_program_of_the_host', 'a crash inside is '
             'none of a process of the host\'s, whose limit stays at 1',
             "limit 1 1\\nnow 0 0\\nlimit 1 1\\nno core 11"),
            ('d6_keys_of_the_caller_are_not_found', _ERRNO, "got 'EACCES'"),
            ('d7_nothing_in_proc_can_be_written', 'settings of the sentry\'s '
             'own network', "got \"['/proc/sys"),
            ('d12_variables_of_a_request_are_on_no_command_line', 'the '
             'workload is no process of the host, so that its arguments are '
             'not seen there either', 'found the workload')),
        **_rows(proc, 'differently', 'its own /proc: without the file, or one '
                'of the sentry\'s',
                ('got ENOENT: ', 'got EACCES: ', 'got EIO: ', 'got done: '),
                ('d7_settings_are_read_only: *',
                 'd7_own_proc_files_are_read_only: *'), some=True),
        **_rows(proc, 'differently', _PID1,
                ('got None, want', "got 'EACCES', want", "got 'ENOENT', want"),
                ('d2_init_is_closed: *',), some=True),
        **_rows(proc, 'refused', _ABSENT, 'cannot deny',
                ('d3_descriptors_of_init_do_not_reach_the_workload',)),
        **_rows(proc, 'refused', 'gVisor has its own /proc and /dev, over what '
                'the view has there', 'of its own: it cannot enforce',
                ('d7_what_is_denied_of_the_sandboxs_own: *',
                 'd7_a_denial_that_would_do_nothing_is_refused'))}


def _gvisor_streams():
    streams, terminal = 'escape/test_streams.py', 'escape/test_terminal.py'
    no_tty = 'no terminal of its own (`--tty`)'
    return {
        **_differently(
            streams,
            ('w1_standard_streams_are_no_way_to_a_device_of_the_host: *', _YES,
             "want it to contain 'refused EROFS', got 'done"), only='root'),
        **_differently(
            streams,
            ('a_stream_gives_no_more_than_its_descriptor', 'what is opened '
             'again is a pipe, never the file behind it', "got 'done"),
            ),
        **_differently(
            terminal,
            (("a1_nothing_is_typed_into_the_callers_terminal: *",
              'a1_the_terminal_behind_pipes_is_not_there',
              'a2_the_upper_half_of_the_request_hides_nothing: *',
              "a3_the_line_discipline_stays: on the caller's",
              'a3_no_paste_from_a_console: *', 'a3_the_console_is_not_diverted'),
             'streams are pipes: there is no terminal to ask',
             ('refused ENOTTY', 'refused EIO')),
            ('a5_output_is_not_left_stopped', 'streams are pipes: there is no '
             'terminal to stop', "got '', want 'done")),
        **_differently(
            terminal,
            ('a5_root_does_not_take_the_terminal_over', 'streams are pipes',
             'refused ENOTTY'), only='root'),
        **_differently(
            terminal,
            ('a5_the_terminal_can_be_opened_again', 'streams are pipes, and '
             'what is opened again is one', 'refused ENOTTY'), only='user'),
        **_rows(terminal, 'refused', no_tty, 'cannot enforce a terminal', (
            'a1_nothing_is_typed_into_a_terminal_of_its_own: *',
            'a3_the_line_discipline_stays: on its own',
            'a5_the_terminals_of_the_host_have_no_name',
            'a5_the_host_terminal_is_not_opened_by_its_name',
            'a5_modes_of_the_terminal_are_given_back: on its own',
            'a5_what_nobody_read_is_not_left_for_the_shell',
            'a6_lines_and_the_end_of_input', 'a6_interrupt: on its own',
            'a6_an_interrupt_without_a_handler_is_a_signal', 'a6_resize',
            'a6_job_control_inside'))}


def _gvisor_network():
    reach, walls = 'escape/test_network_reach.py', 'escape/test_network_walls.py'
    return {
        **_rows(reach, 'differently', _ERRNO,
                ('refused EHOSTUNREACH', 'refused EINVAL'),
                ('g1_without_a_word_there_is_no_network: *',
                 'g1_other_protocols: *'), some=True),
        **_rows(walls, 'differently', 'gVisor says yes and does nothing, or has '
                'another errno; nothing leaves',
                ('stdout: done', 'refused ENOTSUP', 'refused ENOTTY',
                 'refused TimeoutError'),
                ('g18_it_cannot_be_changed: *',), some=True),
        **_differently(walls, ('g18_nobody_else_is_in_it', _PID1,
                               "got \"['1']\""))}


def _gvisor_resources():
    file = 'escape/test_resources.py'
    ceiling = ('the ceiling is of 4096 tasks of the host\'s, gVisor\'s own among '
               'them; to meet it is the end of the sandbox')
    return {
        **_differently(
            file,
            (('h1_processes_are_bounded', 'h1_the_bound_is_of_each_sandbox'),
             ceiling, ('gVisor failed: panic: ', 'gVisor failed: runtime: '
                       'failed to create new OS thread')),
            ('h2_message_queues_are_bounded', _OWN, 'stdout: done'),
            ('h2_the_workload_is_the_first_to_be_killed_for_memory', 'inside it '
             'is the sentry\'s own; the host\'s is at its ceiling',
             "got ['0', '0']"),
            ('h3_no_real_time_and_no_higher_priority', _ERRNO, "got 'EINVAL'")),
        **_rows(file, 'refused', 'gVisor has its own /proc',
                'of its own: it cannot enforce',
                ('h1_no_policy_lifts_the_bound',)),
        **_rows(file, 'weaker', 'threads count towards 4096 tasks of the '
                'host\'s, native\'s ceiling is 1024', "got None, want 'EAGAIN'",
                ('h1_threads_are_bounded',)),
        **_rows(file, 'weaker', 'what has ended and is not waited for is of '
                'the sentry\'s memory alone, which has no ceiling',
                "got None, want 'EAGAIN'", ('h1_own_zombies_are_bounded',)),
        **_rows(file, 'weaker', 'number 1 is the workload itself, and nobody '
                'else waits for orphans that ended', 'init and the workload: got',
                ('h1_zombies_are_reaped_by_init',)),
        **_rows(file, 'weaker', '/dev/shm is memory of the sentry, which has '
                'no ceiling', "'/dev/shm no end'",
                ('h2_temporary_files_are_bounded',))}


def _gvisor_ends():
    file, network = ('escape/test_lifecycle.py',
                     'escape/test_network_lifecycle.py')
    no_tty = 'no terminal of its own (`--tty`)'
    return {
        **_rows(file, 'refused', _ABSENT, 'the workload runs: still not so',
                ('h6_supervisor_killed_with_a_broker',)),
        **_rows(file, 'refused', no_tty, 'the workload runs: still not so',
                ('h6_supervisor_killed_in_a_terminal',
                 'h6_caller_killed_in_a_terminal')),
        **_differently(
            file,
            ('h6_a_reader_that_goes_away', 'the writer gets `EPIPE` without '
             '`SIGPIPE`', 'got 1, want 141'),
            ('h6_a_process_that_cannot_die_does_not_keep_its_caller',
             '`ls` of coreutils 9 does not work on this runsc',
             'Invalid argument'),
            ('w28_a_workload_that_says_what_mxc_says', 'death by signal n is '
             'told as exit code 128 + n', "KeyError: 'signal'"),
            ('w28_a_workload_cannot_end_as_mxc_fails', _PID1,
             'want status 42')),
        **_rows(network, 'refused', no_tty, 'cannot enforce a terminal',
                ('g24_ctrl_c: of the sandbox',
                 'g24_ctrl_c_of_a_workload_that_goes_on: of the sandbox')),
        **_differently(network, ('g16_sandboxes_side_by_side', 'names of '
                                 'namespaces are the sentry\'s own, of each '
                                 'sandbox', 'net:[110] net:[110]'))}


def _gvisor_contract():
    start, streams = 'backends/test_start.py', 'backends/test_streams.py'
    return {
        **_rows(start, 'refused', '`config.json` is JSON, which has text alone',
                'is not UTF-8', ('an_argument: not UTF-8',
                                 'a_variable: not UTF-8')),
        **_differently(
            start, ('a_request_says_all_of_the_environment', 'where the '
                    'environment has no `HOME`, gVisor adds one',
                    "got {'HOME': '/', 'A': '1', 'B': 'x y'}")),
        **_differently(
            streams,
            ('a_reader_that_goes_away_ends_the_writer', 'the writer gets '
             '`EPIPE` without `SIGPIPE`', 'got 1, want 141'),
            ('closed_streams_are_no_descriptors_of_somebody_else', 'the '
             "sandbox's `/dev/null`, which gVisor names `host:[N]`",
             'stderr: 0 host:['))}


def _gvisor():
    return {**_gvisor_absent(), **_gvisor_files(), **_gvisor_identity(),
            **_gvisor_kernel(), **_gvisor_processes(), **_gvisor_streams(),
            **_gvisor_network(), **_gvisor_resources(), **_gvisor_ends(),
            **_gvisor_contract()}


_ROOT_BY_NAME = ('the caller is root of the container, which is a name '
                 'without any power')


def _lxc():
    identity, proc = 'escape/test_identity.py', 'escape/test_proc.py'
    for_root = ('the workload is number 0, which owns the files of init: what '
                'stands before them is the right to trace, as for a root '
                'caller, and not their mode')
    return {
        **_differently(
            identity,
            ('d10_the_users_of_the_host_are_unknown', _ROOT_BY_NAME,
             "got \"['root', 'nobody']\""),
            ('identity_is_the_callers', _ROOT_BY_NAME, "got '0', want"),
            only='user'),
        **_differently(
            identity,
            ('d8_mounts_name_no_place_that_was_not_granted', '`/dev` is a '
             'folder of the memory that takes the changes of the root, so '
             '`/proc/self/mountinfo` names it: no place of the host',
             "got ['/dev'], want []")),
        **_differently(
            'escape/test_session.py',
            ('a_device_that_was_replaced', '`/dev` is a mount of its own, which '
             'nobody can move', 'Device or resource busy')),
        **_differently(
            proc,
            ('d2_init_is_closed: mem for writing', for_root,
             "got 'EROFS', want 'EACCES'"),
            ('d2_init_is_closed: system call', for_root,
             "got 'EPERM', want 'EACCES'"), only='user')}


# {backend: {'suite/file.py: name of the test': Known(...)}}; a '*' in the name
# stands for any text, so that one entry can be for all rows of a test.
KNOWN = {
    'native': {},
    'bubblewrap': {
        'escape/test_identity.py: '
        'd8_mounts_name_no_place_that_was_not_granted': Known(
            'differently', 'the root is a folder of a tmpfs that bwrap mounts, '
            'so `/proc/self/mountinfo` names `/newroot`: no place of the host',
            "got ['/newroot'], want []"),
    },
    'gvisor': _gvisor(),
    'lxc': _lxc(),
    SESSION: {
        **_rows('escape/test_streams.py', 'differently', 'what the sandbox may '
                'open was decided at its start, before the streams were there',
                "'Permission'",
                ('streams_can_be_opened_again_by_their_names',)),
        **_rows('escape/test_ipc.py', 'refused', 'sessions are where '
                '`XDG_RUNTIME_DIR` says, and the test names what is not there',
                'there is no place for sessions',
                ('f3_f5_nothing_points_to_them',), only='user')},
}


# What a probe of examples/policies sees otherwise, in any of them: the field
# ('*' as above), whether this pair of what native and it see is meant, why.
Field = collections.namedtuple('Field', 'name is_meant why')


def _pair(want, got):
    return lambda native, other: (native, other) == (want, got)


def _with_home(native, other):
    return other == {**native, 'HOME': '/'}


def _line_of_home(native, other):
    return (sorted(other.splitlines())
            == sorted([*native.splitlines(), 'HOME=/']))


FIELDS = {
    'gvisor': [
        Field('connect to *', _pair('ENETUNREACH', 'EHOSTUNREACH'), _ERRNO),
        Field('terminal', _pair('ENXIO', 'EIO'), _ERRNO),
        Field('write system', _pair('EROFS', 'EACCES'), _ERRNO),
        Field('environment', _with_home, 'gVisor adds `HOME` where there is '
              'none'),
        Field('output', _line_of_home, 'gVisor adds `HOME` where there is '
              'none'),
        Field('privileges', _pair('1', 'done'), 'its /proc/self/status has no '
              'such line'),
        Field('filter', _pair('2', '0'), 'the filter is the host\'s, below '
              'the sentry'),
        Field('processes', lambda native, other: other == ['1'], _PID1),
        Field('user', lambda native, other: other == '0', 'the caller\'s only '
              'number inside is 0, without a capability'),
    ],
    'lxc': [
        Field('user', lambda native, other: other == '0', _ROOT_BY_NAME),
    ],
}


def meant(backend, field, native, other):
    """The name of the entry by which a backend may differ here, or None."""
    for entry in FIELDS.get(backend, []):
        if is_for(entry.name, field) and entry.is_meant(native, other):
            return entry.name
    return None


def _file(program):
    path = os.path.realpath(program)
    return '/'.join(path.split('/')[-2:])


def has_image(backend):
    return backend in BACKENDS and BACKENDS[backend].has_image


def is_for(key, test):
    """Is the entry of this key for 'suite/file.py: name'?"""
    return re.fullmatch(re.escape(key).replace(r'\*', '.*'), test, re.S)


def sentences(entry):
    return (entry.says,) if isinstance(entry.says, str) else entry.says


def is_seen(entry, text):
    return any(sentence in text for sentence in sentences(entry))


def known(backend, program, name):
    """{key: entry} for a test of this file."""
    test = f'{_file(program)}: {name}'
    me = 'root' if os.geteuid() == 0 else 'user'
    return {key: entry
            for key, entry in KNOWN.get(backend or REFERENCE, {}).items()
            if entry.only in (None, me) and is_for(key, test)}


def not_in_session(program):
    """Why not, or None."""
    return NOT_IN_SESSION.get(os.path.basename(program))


def stale(backend, program, names):
    """Entries for this file that name no test of it."""
    file = _file(program)
    return [key for key in KNOWN.get(backend or REFERENCE, {})
            if key.startswith(f'{file}: ')
            and not any(is_for(key, f'{file}: {n}') for n in names)]
