# Completion of mxc for bash.  Written by tools/gen-docs.

_mxc() {
    local word=${COMP_WORDS[COMP_CWORD]} options i
    local before=${COMP_WORDS[COMP_CWORD - 1]}

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W \
            "run check explain doctor schema help --help --version" -- "$word")
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
    --env | -e)
        mapfile -t COMPREPLY < <(compgen -W "" -- "$word")
        return ;;
    --cwd | -C)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --timeout | -T)
        mapfile -t COMPREPLY < <(compgen -W "10s 30s 1m 5m 1h" -- "$word")
        return ;;
    --backend | -b)
        mapfile -t COMPREPLY < <(compgen -W "process native" -- "$word")
        return ;;
    --accept-missing)
        mapfile -t COMPREPLY < <(compgen -W "landlock pid-limit" -- "$word")
        return ;;
    --json | -j)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --version | -V)
        mapfile -t COMPREPLY < <(compgen -W "0.9.0-alpha 1.0.0 1.1.0-alpha 1.1.0+c1" -- "$word")
        return ;;
    esac
    case ${COMP_WORDS[1]} in
    run) options="--policy --ro --rw --deny --tools --env --cwd --timeout --backend --accept-missing --tty --die-with-parent --json --help" ;;
    check) options="--policy --ro --rw --deny --tools --env --cwd --timeout --backend --accept-missing --json --help" ;;
    explain) options="--policy --ro --rw --deny --tools --env --cwd --timeout --backend --accept-missing --all --plan --help" ;;
    doctor) options="--json --help" ;;
    schema) options="--version --help" ;;
    help) options="run check explain doctor schema" ;;
    *) return ;;
    esac
    if [[ $word == -* || ${COMP_WORDS[1]} == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _mxc mxc
