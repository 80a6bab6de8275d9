/* network.c - the network's flags, and the host's resolver. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/prepare.h"
#include "base/ascii.h"
#include "base/scoped.h"
#include "contract/cidr.h"

static const char *flag_of(const struct net_source *s)
{
    switch (s->origin.list) {
    case NET_FROM_ALLOW_HOST:
        return "--allow-host";
    case NET_FROM_ALLOW_INTRANET:
        return "--allow-intranet-host";
    case NET_FROM_ALLOW_NET:
        return "--allow-net";
    default:
        return "--deny-net";
    }
}

int network_flags(struct arena *a, struct policy *p, const struct net_flags *f,
                  struct err *e)
{
    if (f->internet)
        policy_allow_internet(p, "--allow-net");
    for (size_t i = 0; i < f->nrules; i++)
        if (policy_add_net(p, a, &f->rule[i], flag_of(&f->rule[i]), e) < 0)
            return -1;
    for (size_t i = 0; i < f->npublish; i++)
        if (policy_publish(p, a, f->publish[i], "--publish", e) < 0)
            return -1;
    for (size_t i = 0; i < f->nservices; i++)
        if (policy_serve(p, a, f->service[i], "--host-service", e) < 0)
            return -1;
    if (f->builtin_proxy)
        policy_set_filtering_proxy(p, "--proxy");
    return f->proxy ? policy_set_proxy(p, a, f->proxy, "--proxy", e) : 0;
}

/* --- the host's resolver --------------------------------------------- */

enum { RESOLV_MAX = 64 * 1024 };

/* The words of a line behind its keyword, or NULL when it is another line. */
static const char *behind(const char *line, const char *keyword)
{
    size_t n = strlen(keyword);

    if (strncmp(line, keyword, n) != 0 || (line[n] != ' ' && line[n] != '\t'))
        return NULL;
    return line + n + strspn(line + n, " \t");
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text != '\t' && (*text < 0x20 || *text >= 0x7f))
            return false;
    return true;
}

/* An address that somebody else than this host answers at. */
static bool is_remote(const char *word)
{
    static const char *const own[] = { "127.0.0.0/8", "0.0.0.0/8", "::1",
                                       "::", "::ffff:127.0.0.0/104" };
    struct cidr addr, block;
    const char *why;

    if (cidr_parse_address(word, &addr) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (cidr_parse(own[i], &block, &why) == 0 &&
            cidr_contains(&block, &addr))
            return false;
    return true;
}

/* One line, without its newline and what follows an address. */
static void take_line(char *line, struct buf *out, bool *has_server)
{
    const char *server = behind(line, "nameserver");

    if (!is_plain(line))
        return;
    if (server) {
        line[(server - line) + (ptrdiff_t)strcspn(server, " \t#;")] = '\0';
        if (!is_remote(server))
            return;
        *has_server = true;
        buf_printf(out, "nameserver %s\n", server);
    } else if (behind(line, "options") || behind(line, "search")) {
        buf_printf(out, "%s\n", line);
    }
}

int network_resolver(struct arena *a, char *text, const char **out,
                     struct err *e)
{
    struct buf kept = { .max = RESOLV_MAX };
    bool has_server = false;
    int r = 0;

    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        take_line(line, &kept, &has_server);
    }
    if (has_server) {
        *out = kept.failed ? NULL : arena_strdup(a, kept.data);
        r = *out ? 0 : err_set(e, ERR_BACKEND_ERROR, "out of memory");
    }
    buf_drop(&kept);
    return r;
}

int network_look(struct arena *a, struct host *h, struct err *e)
{
    scoped(drop_fd) int fd =
        open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text = arena_alloc(a, RESOLV_MAX + 1);
    ssize_t n;

    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    /* Who has none, or a strange one, gets none. */
    n = fd >= 0 ? read(fd, text, RESOLV_MAX + 1) : 0;
    if (n <= 0 || n > RESOLV_MAX)
        return 0;
    text[n] = '\0';
    return network_resolver(a, text, &h->resolv_conf, e);
}
