/* env.c - the workload's environment, built from nothing. */
#include <string.h>
#include <strings.h>

#include "policy/policy.h"

enum { MAX_ENV = 4096 };

static int bad_env(struct err *e, const char *where, const char *what)
{
    err_set(e, ERR_POLICY_VALIDATION, "environment entry %s", what);
    err_hint(e, "write KEY=VALUE");
    return err_where(e, "%s", where);
}

int policy_add_env(struct policy *p, struct arena *a, const char *entry,
                   const char *where, struct err *e)
{
    const char *eq = strchr(entry, '=');
    size_t name;

    if (!eq)
        return bad_env(e, where, "has no '='");
    if (eq == entry)
        return bad_env(e, where, "has an empty name");
    name = (size_t)(eq - entry) + 1;
    for (size_t i = 0; i < p->nenv; i++) {
        if (strncmp(p->env[i], entry, name) == 0) {
            p->env[i] = entry;
            p->env_from[i] = where;
            return 0;
        }
    }
    if (!p->env) {
        p->env = arena_array(a, MAX_ENV, sizeof(*p->env));
        p->env_from = arena_array(a, MAX_ENV, sizeof(*p->env_from));
    }
    if (!p->env || !p->env_from)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (p->nenv == MAX_ENV)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "more than %d environment variables", MAX_ENV);
    p->env_from[p->nenv] = where;
    p->env[p->nenv++] = entry;
    return 0;
}

/* What programs look at for a proxy, each in capitals as well. */
static const char *const proxy_names[] = { "http_proxy", "https_proxy",
                                           "all_proxy", "ftp_proxy" };

static bool is_named(const char *entry, const char *name)
{
    size_t n = strlen(name);

    return strncasecmp(entry, name, n) == 0 && entry[n] == '=';
}

static bool is_proxy_variable(const char *entry)
{
    for (size_t i = 0; i < ARRAY_LEN(proxy_names); i++)
        if (is_named(entry, proxy_names[i]))
            return true;
    return is_named(entry, "no_proxy");
}

/* A way around the one way out would only fail, later and elsewhere. */
static void drop_proxies(struct policy *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->nenv; i++) {
        if (is_proxy_variable(p->env[i]))
            continue;
        p->env[kept] = p->env[i];
        p->env_from[kept++] = p->env_from[i];
    }
    p->nenv = kept;
}

static int set_proxies(struct policy *p, struct arena *a, const char *url,
                       struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(proxy_names); i++) {
        char *small = arena_printf(a, "%s=%s", proxy_names[i], url);
        char *capital = arena_printf(a, "%s=%s", proxy_names[i], url);

        if (!small || !capital)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        for (size_t k = 0; proxy_names[i][k]; k++)
            if (capital[k] != '_')
                capital[k] = (char)(capital[k] - 'a' + 'A');
        if (policy_add_env(p, a, capital, p->proxy_origin, e) < 0 ||
            policy_add_env(p, a, small, p->proxy_origin, e) < 0)
            return -1;
    }
    return 0;
}

static int add_proxies(struct policy *p, struct arena *a, struct err *e)
{
    const char *url = p->net.proxy_url;

    if (url)
        drop_proxies(p);
    else if (p->net.filtering_proxy)
        url = arena_printf(a, "http://127.0.0.1:%d", NET_PROXY_PORT);
    else
        return 0;
    if (!url)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return set_proxies(p, a, url, e);
}

static bool has_env(const struct policy *p, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < p->nenv; i++)
        if (strncmp(p->env[i], name, n) == 0)
            return true;
    return false;
}

/* Only where the caller said nothing of that name. */
static int add_default(struct policy *p, struct arena *a, const char *name,
                       const char *value, struct err *e)
{
    const char *entry;

    if (has_env(p, name))
        return 0;
    entry = arena_printf(a, "%s%s", name, value);
    if (!entry)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return policy_add_env(p, a, entry, "default", e);
}

int policy_finish_env(struct policy *p, struct arena *a, const char *cwd,
                      struct err *e)
{
    if (add_proxies(p, a, e) < 0)
        return -1;
    if (p->private_home && (add_default(p, a, "HOME=", policy_home(p), e) < 0 ||
                            add_default(p, a, "USER=", POLICY_USER, e) < 0 ||
                            add_default(p, a, "LOGNAME=", POLICY_USER, e) < 0 ||
                            add_default(p, a, "LANG=", "C.UTF-8", e) < 0 ||
                            add_default(p, a, "TMPDIR=", "/tmp", e) < 0))
        return -1;
    return add_default(p, a, "PWD=", cwd, e);
}

/* execve(2), "Limits on size of arguments and environment": 128 KiB for one
 * string, and for all with their pointers a quarter of the 8 MiB stack that
 * the workload starts with. */
enum { MAX_STRING = 128 * 1024, MAX_STRINGS = 2 * 1024 * 1024 - 4096 };

static int check_list(const char *const *list, size_t n, const char *where,
                      size_t *total, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(list[i]) + 1;

        *total += len + sizeof(char *);
        if (len <= MAX_STRING && *total <= MAX_STRINGS)
            continue;
        if (len > MAX_STRING)
            err_set(e, ERR_POLICY_VALIDATION,
                    "%s has a string of %zu bytes; a program can be given at "
                    "most %d",
                    where, len - 1, MAX_STRING - 1);
        else
            err_set(e, ERR_POLICY_VALIDATION,
                    "command and environment take more than %d bytes",
                    MAX_STRINGS);
        err_hint(e, "put the text into a file and grant the file");
        return err_where(e, "%s", where);
    }
    return 0;
}

int policy_check_size(const struct policy *p, struct err *e)
{
    const char *command = p->arg_origin ? p->arg_origin : "command";
    const char *env = p->env_origin ? p->env_origin : "environment";
    size_t total = 0;

    if (check_list(p->arg, p->nargs, command, &total, e) < 0)
        return -1;
    return check_list(p->env, p->nenv, env, &total, e);
}
