# Completion of lxc-exec for bash.  Written by tools/gen-docs.

_lxc_exec() {
    local word=${COMP_WORDS[COMP_CWORD]}

    COMPREPLY=()
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config-base64 | --containername)
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--config --config-base64 --dry-run --debug --log-file --experimental --available-backends --delete --containername --setup-hyperlight --force --help" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _lxc_exec lxc-exec
