# Completion of lxc-exec for fish.  Written by tools/gen-docs.

complete -c lxc-exec -l config -r -d 'read the request from PATH; goes before CONFIG_PATH'
complete -c lxc-exec -l config-base64 -x -d 'take the request from TEXT, base64 of its JSON; goes before both'
complete -c lxc-exec -l dry-run -d 'do all that a run does before it runs, and report; delete nothing'
complete -c lxc-exec -l debug -d 'tell on standard error what is done'
complete -c lxc-exec -l log-file -r -d 'append what is done to PATH, with the hash of the policy'
complete -c lxc-exec -l experimental -d 'permit the backends that MXC calls experimental'
complete -c lxc-exec -l available-backends -d 'list what this host can run, as JSON, and do nothing else'
complete -c lxc-exec -l delete -d 'delete a container that was kept; needs --containername'
complete -c lxc-exec -l containername -x -d 'the container that --delete is about'
complete -c lxc-exec -l setup-hyperlight -d 'install Hyperlight images: not in this build'
complete -c lxc-exec -l force -d 'with --setup-hyperlight: install them again'
complete -c lxc-exec -l help -d 'show this help (-h)'
