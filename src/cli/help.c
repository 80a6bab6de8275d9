/* help.c - help, and what was meant instead, from the tables that are
 * parsed. */
#include <string.h>

#include "cli/cli.h"

void cli_print(FILE *to, const struct buf *b)
{
    if (b->len)
        (void)fwrite(b->data, 1, b->len, to);
    (void)fflush(to);
}

/* Distance of two words in letters added, left out, or changed. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32];
    size_t n = strlen(b);

    if (n >= ARRAY_LEN(row))
        return ~0u;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (; *a; a++) {
        unsigned diagonal = row[0]++;

        for (size_t j = 1; j <= n; j++) {
            unsigned change = diagonal + (*a != b[j - 1]);
            unsigned least = row[j] < row[j - 1] ? row[j] : row[j - 1];

            diagonal = row[j];
            row[j] = least + 1 < change ? least + 1 : change;
        }
    }
    return row[n];
}

/* How many wrong letters a slip of the fingers makes. */
static unsigned nearness(const char *typed)
{
    size_t n = strlen(typed);

    return n < 2 ? 0 : n < 6 ? 1 : 2;
}

const char *near_command(const char *typed)
{
    unsigned best = nearness(typed) + 1;
    const char *found = NULL;

    for (const struct command *c = commands; c->name; c++) {
        unsigned d = distance(typed, c->name);

        if (!(c->groups & OPT_HIDDEN) && d < best) {
            best = d;
            found = c->name;
        }
    }
    return found;
}

const char *near_option(const struct command *cmd, const char *typed)
{
    char name[32];
    const char *found = NULL;
    unsigned best;

    (void)snprintf(name, sizeof(name), "%s", typed + strspn(typed, "-"));
    name[strcspn(name, "=")] = '\0';
    best = nearness(name) + 1;
    for (const struct option_row *o = option_rows; o->name; o++) {
        unsigned d = distance(name, o->name);

        if (takes_option(cmd, o) && d < best) {
            best = d;
            found = o->name;
        }
    }
    return found;
}

void help_main(FILE *to)
{
    (void)fputs(
        "mxc runs code that you do not trust, behind walls that one policy "
        "describes.\n"
        "What you do not grant, it does not have: no file, no network, no "
        "secret.\n\n"
        "usage: mxc COMMAND [OPTION...]\n\n",
        to);
    for (const struct command *c = commands; c->name; c++)
        if (!(c->groups & OPT_HIDDEN))
            (void)fprintf(to, "  %-11s %s\n", c->name, c->summary);
    (void)fputs(
        "\nexamples:\n"
        "  mxc run -- ls /                      nothing of yours, no "
        "network\n"
        "  mxc run --rw . -- python3 test.py    may change this directory\n"
        "  mxc run --tools --rw . --deny .env -- npm test\n"
        "  mxc run --allow-host example.com -- curl https://example.com/\n"
        "  mxc run policy.json                  what a request in a file "
        "says\n"
        "  mxc explain --rw . -- make           what would be enforced, "
        "and how\n"
        "  mxc doctor                           what this host can "
        "enforce\n"
        "\n`mxc COMMAND --help` tells more; `mxc --version` prints the "
        "version.\n",
        to);
}

static void print_option(FILE *to, const struct option_row *o)
{
    char left[64];
    size_t width = 30, at = 0;
    const char *doc = o->doc;

    (void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
                   o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
                   o->arg ? " " : "", o->arg ? o->arg : "");
    (void)fprintf(to, "  %-28s", left);
    if (strlen(left) > 27)
        (void)fprintf(to, "\n%30s", "");
    /* Wrap the sentence at 79 columns. */
    while (*doc) {
        size_t n = strcspn(doc, " ");

        if (at && width + at + n + 1 > 79) {
            (void)fprintf(to, "\n%30s", "");
            at = 0;
        }
        (void)fprintf(to, "%s%.*s", at ? " " : "", (int)n, doc);
        at += n + (at != 0);
        doc += n + (doc[n] == ' ');
    }
    (void)fputc('\n', to);
}

void help_command(FILE *to, const struct command *cmd)
{
    (void)fprintf(to, "usage: mxc %s %s\n\n%s\n\noptions:\n", cmd->name,
                  cmd->args, cmd->summary);
    for (const struct option_row *o = option_rows; o->name; o++)
        if (takes_option(cmd, o))
            print_option(to, o);
    if (cmd->help)
        (void)fprintf(to, "\n%s", cmd->help);
    (void)fflush(to);
}
