# Completion of mxc for bash.  Written by tools/gen-docs.

_mxc() {
    local word=${COMP_WORDS[COMP_CWORD]} options i
    local before=${COMP_WORDS[COMP_CWORD - 1]}

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W \
            "run check explain why test learn provision start exec cp stop deprovision ps inspect logs pause resume gc pool doctor image container tail migrate schema help --help --version" -- "$word")
        return
    fi
    # What follows "--" is a command of its own.
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            if ((i + 1 == COMP_CWORD)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            fi
            return
        fi
    done
    case $before in
    --policy | -p)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --ro | -r)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --rw | -w)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --deny | -d)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --allow-host)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --allow-intranet-host)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --allow-net)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --deny-net)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --publish)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --host-service)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --proxy)
        mapfile -t COMPREPLY < <(compgen -W "builtin" -- "$word")
        return ;;
    --env | -e)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --cwd | -C)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --timeout | -T)
        mapfile -t COMPREPLY < <(compgen -W "10s 30s 1m 5m 1h" -- "$word")
        return ;;
    --limit | -l)
        mapfile -t COMPREPLY < <(compgen -W "memory= swap= processes= cpu-share= cpu-time= silence= files= file-size= scratch= scratch-files= written= written-files= output= connections= network=" -- "$word")
        return ;;
    --backend | -b)
        mapfile -t COMPREPLY < <(compgen -W "process native bubblewrap gvisor lxc" -- "$word")
        return ;;
    --image)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --tier)
        mapfile -t COMPREPLY < <(compgen -W "process kernel vm" -- "$word")
        return ;;
    --accept-missing)
        mapfile -t COMPREPLY < <(compgen -W "landlock pid-limit" -- "$word")
        return ;;
    --pty)
        mapfile -t COMPREPLY < <(compgen -W "24x80" -- "$word")
        return ;;
    --parent)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --json | -j)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --events)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --correlation-id)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --control)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --read)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --write)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --exec)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --connect)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --session)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --mode)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --rounds)
        mapfile -t COMPREPLY < <(compgen -W "1 4 16" -- "$word")
        return ;;
    --out | -o)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --merge | -m)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --grant-secret)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --idle-timeout)
        mapfile -t COMPREPLY < <(compgen -W "10s 30s 1m 5m 1h" -- "$word")
        return ;;
    --max-age)
        mapfile -t COMPREPLY < <(compgen -W "10s 30s 1m 5m 1h" -- "$word")
        return ;;
    --layer)
        mapfile -t COMPREPLY < <(compgen -W "private system" -- "$word")
        return ;;
    --request)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --max-size)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --grace)
        mapfile -t COMPREPLY < <(compgen -W "10s 30s 1m 5m 1h" -- "$word")
        return ;;
    --name)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --size)
        mapfile -t COMPREPLY < <(compgen -W "1 4 16" -- "$word")
        return ;;
    --wait)
        mapfile -t COMPREPLY < <(compgen -W "10s 30s 1m 5m 1h" -- "$word")
        return ;;
    --template)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --to)
        mapfile -t COMPREPLY < <(compgen -W "1.0.0 1.1.0+c1" -- "$word")
        return ;;
    --version | -V)
        mapfile -t COMPREPLY < <(compgen -W "0.6.0-alpha 0.7.0-alpha 0.8.0-alpha 0.9.0-alpha 0.10.0-alpha 1.0.0 1.1.0-alpha 1.1.0+c1" -- "$word")
        return ;;
    esac
    if [[ ${COMP_WORDS[1]} == pool && $word != -* ]] &&
        ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W \
            "start run ls logs stop" -- "$word")
        return
    fi
    if [[ ${COMP_WORDS[1]} == image && $word != -* ]] &&
        ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W \
            "import download list show verify rm" -- "$word")
        return
    fi
    if [[ ${COMP_WORDS[1]} == container && $word != -* ]] &&
        ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W \
            "list show rm" -- "$word")
        return
    fi
    case ${COMP_WORDS[1]} in
    run) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --limit --backend --image --tier --accept-missing --tty --pty --die-with-parent --parent --json --events --correlation-id --denials --discard-writes --accesses --verify --control --help" ;;
    check) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --limit --backend --image --tier --accept-missing --json --help" ;;
    explain) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --limit --backend --image --tier --accept-missing --all --plan --help" ;;
    why) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --backend --image --tier --accept-missing --json --read --write --exec --connect --session --no-try --help" ;;
    test) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --backend --image --tier --accept-missing --json --no-try --help" ;;
    learn) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --backend --image --tier --accept-missing --tty --json --mode --rounds --out --force --merge --write --grant-secret --reach --allow-everything-while-learning --help" ;;
    provision) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --timeout --limit --backend --image --tier --accept-missing --json --idle-timeout --max-age --layer --help" ;;
    start) options="--json --help" ;;
    exec) options="--ro --rw --deny --env --cwd --timeout --tty --pty --request --die-with-parent --parent --json --control --limit --no-network --help" ;;
    cp) options="--json --max-size --help" ;;
    stop) options="--json --grace --help" ;;
    deprovision) options="--json --grace --help" ;;
    ps) options="--json --help" ;;
    inspect) options="--json --help" ;;
    logs) options="--help" ;;
    pause) options="--json --help" ;;
    resume) options="--json --help" ;;
    gc) options="--help" ;;
    pool) options="--policy --ro --rw --deny --tools --allow-host --allow-intranet-host --allow-net --deny-net --publish --host-service --proxy --env --cwd --cwd --timeout --backend --image --tier --accept-missing --tty --pty --die-with-parent --parent --json --control --name --size --wait --cold --idle-timeout --max-age --grace --limit --no-network --help" ;;
    doctor) options="--json --help" ;;
    image) options="--json --template --help" ;;
    container) options="--json --help" ;;
    tail) options="--once --help" ;;
    migrate) options="--json --to --help" ;;
    schema) options="--version --help" ;;
    help) options="run check explain why test learn provision start exec cp stop deprovision ps inspect logs pause resume gc pool doctor image container tail migrate schema" ;;
    *) return ;;
    esac
    if [[ $word == -* || ${COMP_WORDS[1]} == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _mxc mxc
