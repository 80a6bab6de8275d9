/* args.c - the command line: one table behind parser and help.
 *
 * Not getopt_long(3), which takes abbreviations, repeated options and values
 * that look like options: whoever tests for MXC's refusals gets them. */
#include <stddef.h>
#include <string.h>

#include "base/utf8.h"
#include "lxcexec/lxcexec.h"

enum takes { TAKES_NOTHING = 0, TAKES_VALUE, TAKES_LIST, TAKES_HELP };

struct row {
    const char *name;
    const char *value;
    enum takes takes;
    size_t off;    /* of the bool or the string in struct args */
    size_t string; /* TAKES_LIST: of the string beside the bool */
    const char *doc;
};

#define AT(member) offsetof(struct args, member)

/* clang-format off */
static const struct row rows[] = {
    { "config", "PATH", TAKES_VALUE, AT(config), 0,
      "read the request from PATH; goes before CONFIG_PATH" },
    { "config-base64", "TEXT", TAKES_VALUE, AT(config_base64), 0,
      "take the request from TEXT, base64 of its JSON; goes before both" },
    { "dry-run", NULL, TAKES_NOTHING, AT(dry_run), 0,
      "do all that a run does before it runs, and report; delete nothing" },
    { "debug", NULL, TAKES_NOTHING, AT(debug), 0,
      "tell on standard error what is done" },
    { "log-file", "PATH", TAKES_VALUE, AT(log_file), 0,
      "append what is done to PATH, with the hash of the policy" },
    { "experimental", NULL, TAKES_NOTHING, AT(experimental), 0,
      "permit the backends that MXC calls experimental" },
    { "available-backends", NULL, TAKES_NOTHING, AT(lists_backends), 0,
      "list what this host can run, as JSON, and do nothing else" },
    { "delete", NULL, TAKES_NOTHING, AT(delete), 0,
      "delete a container that was kept; needs --containername" },
    { "containername", "NAME", TAKES_VALUE, AT(container), 0,
      "the container that --delete is about" },
    { "setup-hyperlight", "RUNTIMES", TAKES_LIST, AT(setup), AT(runtimes),
      "install Hyperlight images: not in this build" },
    { "force", NULL, TAKES_NOTHING, AT(force), 0,
      "with --setup-hyperlight: install them again" },
    { "help", NULL, TAKES_HELP, 0, 0, "show this help (-h)" },
    { 0 }
};
/* clang-format on */

static int help(void)
{
    struct buf b = { .max = 8192 };
    int status;

    buf_puts(&b, "usage: lxc-exec [OPTION...] [CONFIG_PATH]\n\n"
                 "Run what an MXC request in the file CONFIG_PATH says, in a "
                 "sandbox: the\ncommand line of MXC 1.0.1 for Linux on the "
                 "engine of mxc(1).\n\noptions:\n");
    for (const struct row *r = rows; r->name; r++)
        buf_printf(&b, "  --%s%s%s%s\n        %s\n", r->name,
                   r->takes == TAKES_LIST    ? "[="
                   : r->takes == TAKES_VALUE ? " "
                                             : "",
                   r->value ? r->value : "", r->takes == TAKES_LIST ? "]" : "",
                   r->doc);
    buf_puts(&b, "\nExit code: the command's own; 128+N if signal N killed it; "
                 "255 after the\ntimeout or where the sandbox could not be "
                 "made; 1 if the request is wrong or\nits backend not there; "
                 "2 if this command line is wrong.\n");
    status = answer(&b, DOOR_OK);
    buf_drop(&b);
    return status;
}

static int wrong(const char *before, const char *subject, size_t len,
                 const char *after)
{
    struct buf b = { .max = 16384 };
    char name[200];

    if (len > sizeof(name) - 1)
        len = sizeof(name) - 1;
    memcpy(name, subject, len);
    name[len] = '\0';
    buf_printf(&b, "error: %s", before);
    buf_shown(&b, name);
    buf_printf(&b,
               "%s\n\nUsage: lxc-exec [OPTIONS] [CONFIG_PATH]\n\n"
               "For more information, try '--help'.\n",
               after);
    say(STDERR_FILENO, &b);
    buf_drop(&b);
    return DOOR_USAGE;
}

static int unexpected(const char *arg)
{
    return wrong("unexpected argument '", arg, strcspn(arg, "="), "' found");
}

static const struct row *find(const char *name, size_t len)
{
    for (const struct row *r = rows; r->name; r++)
        if (strlen(r->name) == len && memcmp(r->name, name, len) == 0)
            return r;
    return NULL;
}

static bool *flag_of(struct args *a, const struct row *r)
{
    return (bool *)((char *)a + r->off);
}

static const char **string_of(struct args *a, size_t off)
{
    return (const char **)((char *)a + off);
}

static int again(const struct row *r)
{
    return wrong("the argument '--", r->name, strlen(r->name),
                 "' cannot be used multiple times");
}

static int not_utf8(const char *arg)
{
    return wrong("an argument is not valid UTF-8: '", arg, strlen(arg), "'");
}

static int take_value(struct args *a, const struct row *r, const char *value)
{
    const char **place = string_of(a, r->off);

    if (!value)
        return wrong("a value is required for '--", r->name, strlen(r->name),
                     "' but none was supplied");
    if (!utf8_is_valid(value, strlen(value)))
        return not_utf8(value);
    if (*place)
        return again(r);
    *place = value;
    return -1;
}

/* May be repeated, as the only one: every list but the first is for nothing,
 * as nothing is installed. */
static int take_list(struct args *a, const struct row *r, const char *value)
{
    const char **place = string_of(a, r->string);

    *flag_of(a, r) = true;
    if (!*place)
        *place = value;
    return -1;
}

/* The argument after **at, if it can be a value; then it is used up. */
static const char *next_value(char ***at)
{
    const char *next = (*at)[1];

    if (!next || (next[0] == '-' && next[1] != '\0'))
        return NULL;
    ++*at;
    return next;
}

/* `value` is what stands behind '=', or NULL. */
static int take(struct args *a, const struct row *r, const char *value,
                char ***at)
{
    switch (r->takes) {
    case TAKES_LIST:
        return take_list(a, r, value);
    case TAKES_VALUE:
        return take_value(a, r, value ? value : next_value(at));
    case TAKES_HELP:
    case TAKES_NOTHING:
        break;
    }
    if (value)
        return wrong("no value is expected for '--", r->name, strlen(r->name),
                     "'");
    if (r->takes == TAKES_HELP)
        return help();
    if (*flag_of(a, r))
        return again(r);
    *flag_of(a, r) = true;
    return -1;
}

static int take_path(struct args *a, const char *arg)
{
    if (a->path)
        return unexpected(arg);
    a->path = arg;
    return -1;
}

static int take_option(struct args *a, char ***at)
{
    const char *arg = **at, *name = arg + 2, *equals = strchr(arg, '=');
    const struct row *r;

    if (arg[1] == 'h')
        return help();
    if (arg[1] != '-')
        return unexpected(arg);
    r = find(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!r)
        return unexpected(arg);
    return take(a, r, equals ? equals + 1 : NULL, at);
}

int args_parse(struct args *a, char **argv)
{
    bool only_paths = false;
    int r = -1;

    for (char **at = argv + 1; r < 0 && *at; at++) {
        if (!utf8_is_valid(*at, strlen(*at)))
            return not_utf8(*at);
        if (only_paths || (*at)[0] != '-' || (*at)[1] == '\0')
            r = take_path(a, *at);
        else if (strcmp(*at, "--") == 0)
            only_paths = true;
        else
            r = take_option(a, &at);
    }
    if (r < 0 && a->force && !a->setup)
        return wrong("'--force' needs '--setup-hyperlight", "", 0, "'");
    return r;
}
